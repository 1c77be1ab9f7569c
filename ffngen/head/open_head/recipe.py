"""How the open head is made, from the raw data to the arrays of its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ffngen.head.open_head import joints as rig
from ffngen.head.open_head.identity import align, principal_components
from ffngen.head.open_head.landmarks import place_landmarks
from ffngen.head.open_head.layout import lay_out
from ffngen.head.open_head.population import Population, head_details, sample_population
from ffngen.head.open_head.regions import NAMES, find_regions, skin_parts
from ffngen.head.open_head.source import BaseMesh, MakeHumanData
from ffngen.head.open_head.surface import PIECES, HeadSurface, cut_head

Array64 = NDArray[np.float64]
Progress = Callable[[str], None]

FAMILY = "open"
#: The seed and the number of the sampled adults, and how many principal components are kept.
SEED, SAMPLES, COMPONENTS = 20240, 2000, 150
#: How many of the samples the joint regressor is fitted to.
REGRESSOR_SAMPLES = 150
#: Where the middle between the eyeballs lies: that of FLAME's template, metres.
EYES_PLACE = np.array([0.0, 0.0229, 0.0235])
#: In MakeHuman's average the lips stand a hair's breadth apart; these shares of facial actions close them.
LIPS_CLOSED = {
    "mouthUpperUpLeft": -0.1,
    "mouthUpperUpRight": -0.1,
    "mouthLowerDownLeft": -0.1,
    "mouthLowerDownRight": -0.1,
}
FLIP = np.array([-1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Recipe:
    """What :func:`make_head` made: the file's arrays, and the share of variance that the identity basis retains."""

    arrays: dict[str, NDArray[Any]]
    retained_variance: float


def make_head(data: MakeHumanData, version: str, progress: Progress) -> Recipe:
    """Make all arrays of the open head's file; the same on every run."""
    progress("reading the base mesh and its targets")
    mesh = _with_closed_lips(data)
    rng = np.random.default_rng(SEED)
    population = sample_population(head_details(data), SAMPLES, rng)
    every = np.arange(len(mesh.vertices))
    targets = np.stack([data.target(name, every) for name in population.targets])
    reference = mesh.vertices + np.tensordot(population.weights.mean(axis=0), targets, axes=1)
    reference = 0.5 * (reference + reference[mesh.mirror] * FLIP)

    progress("cutting the head out of the body")
    surface = cut_head(mesh, reference)
    mirror = _mirror(surface.blend @ reference)
    names = data.facial_action_names()
    actions = np.stack([surface.blend @ data.facial_action(name, every) for name in names])

    progress(f"principal components of {SAMPLES} sampled heads")
    samples, cubes = _sampled_heads(mesh, surface, population, targets, reference)
    del targets
    some = samples[:REGRESSOR_SAMPLES].copy()
    basis = principal_components(samples, mirror, COMPONENTS)

    progress("joints, textures, regions and landmarks")
    motion = np.linalg.norm(actions, axis=2).max(axis=0)
    parts = skin_parts(surface, data)
    usable = parts["outer"] & ~parts["ears"]
    # First comes the mean head, whose joints lie in the middle plane.
    places = {
        name: np.concatenate([[cube.mean(axis=0) * [0.0, 1.0, 1.0]], cube[:REGRESSOR_SAMPLES]])
        for name, cube in cubes.items()
    }
    heads = np.concatenate([basis.mean[None], some])
    regressor = rig.joint_regressor(surface, heads, places, mirror, usable, motion)
    eyes = regressor[[rig.JOINTS.index("left_eye"), rig.JOINTS.index("right_eye")]] @ basis.mean
    template = basis.mean + (EYES_PLACE - eyes.mean(axis=0))

    texture, texture_faces = lay_out(
        surface, template, mirror, parts["outer"], parts["mouth_interior"], parts["eye_sockets"]
    )
    landmark_faces, landmark_weights = place_landmarks(
        template, surface.faces, parts["face_mask"] & ~parts["ears"], mirror, _base_index(surface)
    )
    landmarks = np.einsum("lk,lki->li", landmark_weights, template[surface.faces[landmark_faces]])
    regions = find_regions(surface, parts, template, landmarks)

    shapedirs = np.concatenate([basis.components, actions.transpose(1, 2, 0)], axis=2)
    arrays: dict[str, NDArray[Any]] = {
        "v_template": template.astype(np.float32),
        "f": surface.faces.astype(np.uint32),
        "shapedirs": shapedirs.astype(np.float32),
        "shape_count": np.array(COMPONENTS, dtype=np.int64),
        "posedirs": np.zeros((*template.shape, 36), dtype=np.float32),
        "J_regressor": regressor.astype(np.float32),
        "weights": rig.skinning_weights(surface, data).astype(np.float32),
        "kintree_table": np.array([rig.PARENTS, range(len(rig.JOINTS))], dtype=np.uint32),
        "J": (regressor @ template).astype(np.float32),
        "vt": texture.astype(np.float32),
        "ft": texture_faces.astype(np.int32),
        "expression_names": np.array(names),
        "region_names": np.array(NAMES),
        "region_faces": regions,
        "lmk_face_idx": landmark_faces.astype(np.int64),
        "lmk_b_coords": landmark_weights.astype(np.float64),
        "ffngen_family": np.array(FAMILY),
        "ffngen_version": np.array(version),
    }
    return Recipe(arrays, basis.retained)


def _with_closed_lips(data: MakeHumanData) -> BaseMesh:
    mesh = data.base_mesh()
    every = np.arange(len(mesh.vertices))
    moved = sum(share * data.facial_action(name, every) for name, share in LIPS_CLOSED.items())
    return replace(mesh, vertices=mesh.vertices + moved)


def _sampled_heads(
    mesh: BaseMesh, surface: HeadSurface, population: Population, targets: Array64, reference: Array64
) -> tuple[Array64, dict[str, Array64]]:
    """Sampled heads (S, V, 3), rigidly aligned with the reference's, and their joints (S, 3) by joint name."""
    heads = np.tensordot(population.weights, np.stack([surface.blend @ target for target in targets]), axes=1)
    heads += surface.blend @ mesh.vertices
    rotation, translation = align(heads, surface.blend @ reference, _area_weights(surface, surface.blend @ reference))
    cubes = {}
    for joint, group in rig.JOINT_CUBES.items():
        vertices = mesh.group_vertices(group)
        middle = population.weights @ targets[:, vertices].mean(axis=1) + mesh.vertices[vertices].mean(axis=0)
        cubes[joint] = np.einsum("si,sij->sj", middle, rotation) + translation
    return heads @ rotation + translation[:, None], cubes


def _area_weights(surface: HeadSurface, vertices: Array64) -> Array64:
    """Each vertex's share of the skin's area: (V,) float64, sum 1; zero off the skin."""
    faces = surface.faces[surface.face_piece == PIECES.index("skin")]
    corners = vertices[faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    weights = np.zeros(len(vertices))
    np.add.at(weights, faces.ravel(), np.repeat(area, 3))
    share: Array64 = weights / weights.sum()
    return share


def _mirror(vertices: Array64) -> NDArray[np.int64]:
    """The vertex at the mirror place of each (the surface is symmetric)."""
    _, nearest = cKDTree(vertices).query(vertices * FLIP)
    return np.asarray(nearest, dtype=np.int64)


def _base_index(surface: HeadSurface) -> NDArray[np.int64]:
    """Each vertex's index in the base mesh (V,), -1 for a blend of several."""
    starts = surface.blend.indptr
    alone = np.diff(starts) == 1
    index = np.full(surface.blend.shape[0], -1, dtype=np.int64)
    index[alone] = surface.blend.indices[starts[:-1][alone]]
    return index
