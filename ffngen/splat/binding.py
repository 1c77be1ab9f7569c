"""From triangles to Gaussians: where an avatar's Gaussians are on a posed head, and how its triangles move.

A triangle v0, v1, v2 has the frame of Qian et al. (GaussianAvatars, CVPR 2024), as their code computes it:

    a0 = (v1 - v0) / |v1 - v0|,    a1 = a0 x (v2 - v0), of length 1,    a2 = -(a1 x a0),
    R = [a0 a1 a2],    T = (v0 + v1 + v2) / 3,    k = (|v1 - v0| + |a2 . (v2 - v0)|) / 2.

A Gaussian's mean is ``k R mean + T``, its rotation ``R rotation``, its scale ``k scale``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.splat.avatar import Array64, Avatar
from ffngen.splat.inverse import inverse_3x3

#: Metres: a triangle with shorter sides has no direction.
_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class Gaussians:
    """Gaussians in the world.

    :param means: (N, 3) float64, metres.
    :param covariances: (N, 3, 3) float64, square metres.
    :param opacities: (N,) float64.
    :param harmonics: (N, K, 3) float64; directions are the world's.
    """

    means: Array64
    covariances: Array64
    opacities: Array64
    harmonics: Array64


@dataclass(frozen=True, eq=False)
class TriangleFrames:
    """``R``: (F, 3, 3), ``T``: (F, 3) metres, ``k``: (F,) metres; float64."""

    R: Array64
    T: Array64
    k: Array64


def triangle_frames(vertices: NDArray[Any], faces: NDArray[Any]) -> TriangleFrames:
    """The frames of a mesh's triangles; a triangle without extent gets one of size 0.

    :param vertices: (V, 3), metres.
    :param faces: (F, 3) integer.
    """
    v0, v1, v2 = np.moveaxis(vertices.astype(np.float64)[faces], 1, 0)
    side, other = v1 - v0, v2 - v0
    a0 = _unit(side)
    a1 = _unit(np.cross(a0, other))
    a2 = -_unit(np.cross(a1, a0))
    k = (np.linalg.norm(side, axis=1) + np.abs(np.einsum("fx,fx->f", a2, other))) / 2
    return TriangleFrames(np.stack([a0, a1, a2], axis=-1), (v0 + v1 + v2) / 3, k)


def pose(avatar: Avatar, vertices: NDArray[Any], faces: NDArray[Any]) -> Gaussians:
    """An avatar's Gaussians on a posed head.

    :param vertices: (V, 3), metres, world.
    :param faces: (F, 3): the head's.
    :raises FfngenError: the avatar is bound to triangles that the head does not have.
    """
    avatar.require_faces(len(faces))
    frames = triangle_frames(vertices, faces[avatar.triangles])
    means = frames.k[:, None] * np.einsum("nij,nj->ni", frames.R, avatar.means) + frames.T
    axes: Array64 = frames.R @ quaternion_matrices(avatar.rotations)
    axes = axes * (frames.k[:, None] * avatar.scales)[:, None, :]
    return Gaussians(means, axes @ axes.transpose(0, 2, 1), avatar.opacities, avatar.harmonics)


@dataclass(frozen=True, eq=False)
class TriangleMotion:
    """How triangles move from one frame to another: ``x -> A x + b``, ``A`` (N, 3, 3) and ``b`` (N, 3) float64, metres.

    Exact for every point of the triangle; along its normal, lengths change as those in its plane do on average.
    """

    A: Array64
    b: Array64


def triangle_motion(before: NDArray[Any], after: NDArray[Any], corners: NDArray[Any]) -> TriangleMotion:
    """The affine motion of some triangles.

    :param before: (V, 3), metres: a mesh.
    :param after: (V, 3), metres: the same mesh later.
    :param corners: (N, 3) integer: the triangles.
    """
    frames = [_edges(vertices.astype(np.float64)[corners]) for vertices in (before, after)]
    flat = np.abs(np.linalg.det(frames[0])) <= 1e-30
    A = frames[1] @ inverse_3x3(np.where(flat[:, None, None], np.eye(3), frames[0]))
    # A triangle without extent goes where its middle goes.
    A[flat] = np.eye(3)
    middles = [vertices.astype(np.float64)[corners].mean(axis=1) for vertices in (before, after)]
    return TriangleMotion(A, middles[1] - np.einsum("nij,nj->ni", A, middles[0]))


def _edges(corners: Array64) -> Array64:
    """(N, 3, 3): two edges of each triangle and its normal, as long as the triangle is large, as columns."""
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(one, other)
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return np.stack([one, other, normal / np.sqrt(np.maximum(length, _SMALLEST**2))], axis=-1)


def quaternion_matrices(quaternions: Array64) -> Array64:
    """(N, 3, 3) rotation matrices of quaternions (N, 4), w first, which need not have length 1."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=1)


def _unit(vectors: Array64) -> Array64:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, _SMALLEST))
