"""Avatars and clouds of Gaussians by chance, for tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from made_dataset import rotation

from ffngen.head.model import HeadModel
from ffngen.splat.avatar import Avatar
from ffngen.splat.binding import Gaussians, TriangleMotion

RNG = np.random.default_rng(4)
VERTICES = RNG.normal(size=(12, 3))
FACES = np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11], [2, 5, 8]])


def made_avatar(count: int = 40, harmonics: int = 4) -> Avatar:
    rotations = RNG.normal(size=(count, 4))
    return Avatar(
        means=RNG.normal(size=(count, 3)),
        rotations=rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        scales=RNG.uniform(0.02, 0.2, size=(count, 3)),
        opacities=RNG.uniform(0.1, 0.99, size=count),
        harmonics=RNG.normal(size=(count, harmonics, 3)),
        triangles=RNG.integers(len(FACES), size=count),
    )


def cloud(count: int, seed: int, spread: float = 0.25) -> Gaussians:
    rng = np.random.default_rng(seed)
    axes = np.stack([rotation(*turn) for turn in rng.normal(size=(count, 3))])
    axes = axes * rng.uniform(1e-3, 0.04, size=(count, 1, 3))
    return Gaussians(
        rng.normal(size=(count, 3)) * spread,
        axes @ axes.transpose(0, 2, 1),
        rng.uniform(0.05, 1.0, size=count),
        rng.normal(size=(count, 16, 3)) * 0.5,
    )


def motion_of(count: int, seed: int) -> TriangleMotion:
    rng = np.random.default_rng(seed)
    return TriangleMotion(np.eye(3) + 0.1 * rng.normal(size=(count, 3, 3)), 0.03 * rng.normal(size=(count, 3)))


def moved(gaussians: Gaussians, motion: TriangleMotion) -> Gaussians:
    means = np.einsum("nij,nj->ni", motion.A, gaussians.means) + motion.b
    covariances = motion.A @ gaussians.covariances @ motion.A.transpose(0, 2, 1)
    return Gaussians(means, covariances, gaussians.opacities, gaussians.harmonics)


def seen_avatar(count: int, harmonics: int = 1) -> tuple[Avatar, np.ndarray]:
    """An avatar on the triangles, all before the camera, and their corners (12, 3)."""
    rng = np.random.default_rng(count)
    vertices = rng.normal(size=(12, 3)) * 0.2
    rotations = rng.normal(size=(count, 4))
    avatar = Avatar(
        means=rng.normal(size=(count, 3)) * 0.5,
        rotations=rotations / np.linalg.norm(rotations, axis=1, keepdims=True),
        scales=rng.uniform(0.05, 0.3, size=(count, 3)),
        opacities=rng.uniform(0.2, 0.98, size=count),
        harmonics=rng.normal(size=(count, harmonics, 3)) * 0.4,
        triangles=rng.integers(len(FACES), size=count),
    )
    return avatar, vertices


def one_person(model: HeadModel) -> Callable[[float, float, float, float], np.ndarray]:
    """Vertices (V, 3) of a person who opens the jaw, smiles, turns and nods by so much."""
    shaped = model.with_shape(0.7 * np.random.default_rng(0).normal(size=model.shape_count))

    def vertices(jaw: float, smile: float, turn: float, nod: float) -> np.ndarray:
        expression, angles = np.zeros((1, model.expression_count)), np.zeros((1, 15))
        expression[0, model.expression_names.index("jawOpen")] = jaw
        expression[0, model.expression_names.index("mouthSmileLeft")] = smile
        angles[0, :2] = nod, turn
        return shaped.with_pose(expression, angles).vertices()[0]

    return vertices
