"""The eyeballs: spheres with rings at the edges of pupil and iris, which follow MakeHuman's coarse eyeballs.

Coordinates of the shape are in units of the eyeball's radius around its centre, z along the line of sight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

#: Polar angles of the rings, degrees from the line of sight. MakeHuman's eyeball is 16.7 mm in radius, larger than a
#: real one; the iris keeps its true 5.9 mm and the pupil 1.75 mm, which gives these angles.
PUPIL_EDGE, IRIS_EDGE = 6.0, 20.7
RINGS = (
    3.0,
    PUPIL_EDGE,
    9.5,
    13.5,
    17.0,
    IRIS_EDGE,
    25.0,
    31.0,
    38.0,
    46.0,
    56.0,
    68.0,
    82.0,
    98.0,
    116.0,
    136.0,
    158.0,
)
SEGMENTS = 28
#: Exponent of the polar texture layout ``radius = (angle / 180) ** exponent``: below 1 it gives the iris more room.
TEXTURE_EXPONENT = 0.6


@dataclass(frozen=True)
class EyeballShape:
    """A unit sphere around the origin.

    :param vertices: (K, 3) float64; the first is the middle of the pupil, the last the pole at the back.
    :param faces: (M, 3) int64, outward.
    :param texture: (T, 2) float64 in a disc of radius 1 around 0; the back pole is cut, so T = K - 1 + SEGMENTS.
    :param texture_faces: (M, 3) int64.
    :param pupil: (M,) bool.
    :param iris: (M,) bool, the ring around the pupil.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]
    texture: NDArray[np.float64]
    texture_faces: NDArray[np.int64]
    pupil: NDArray[np.bool_]
    iris: NDArray[np.bool_]


def eyeball_shape() -> EyeballShape:
    """Build the shape from :data:`RINGS` and :data:`SEGMENTS`."""
    polar = np.radians(RINGS)[:, None]
    around = 2 * np.pi * np.arange(SEGMENTS)[None] / SEGMENTS
    x, y, z = np.broadcast_arrays(np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar))
    ring_vertices = np.stack([x, y, z], axis=-1)
    vertices = np.concatenate([[[0.0, 0.0, 1.0]], ring_vertices.reshape(-1, 3), [[0.0, 0.0, -1.0]]])
    back = len(vertices) - 1

    segment = np.arange(SEGMENTS)
    following = (segment + 1) % SEGMENTS
    faces = [np.stack([np.zeros_like(segment), 1 + segment, 1 + following], axis=1)]
    for ring in range(len(RINGS) - 1):
        inner, outer = 1 + ring * SEGMENTS, 1 + (ring + 1) * SEGMENTS
        faces.append(np.stack([inner + segment, outer + segment, outer + following], axis=1))
        faces.append(np.stack([inner + segment, outer + following, inner + following], axis=1))
    last = 1 + (len(RINGS) - 1) * SEGMENTS
    faces.append(np.stack([last + segment, np.full_like(segment, back), last + following], axis=1))
    triangles = np.concatenate(faces)

    radius = (np.arccos(np.clip(vertices[:back, 2], -1, 1)) / np.pi) ** TEXTURE_EXPONENT
    direction = vertices[:back, :2] / np.maximum(np.linalg.norm(vertices[:back, :2], axis=1, keepdims=True), 1e-12)
    middle = around[0] + np.pi / SEGMENTS
    texture = np.concatenate([radius[:, None] * direction, np.stack([np.cos(middle), np.sin(middle)], axis=1)])
    texture_faces = triangles.copy()
    texture_faces[triangles == back] = back + segment

    centre_angle = np.degrees(np.arccos(np.clip(_unit(vertices[triangles].mean(axis=1))[:, 2], -1, 1)))
    return EyeballShape(
        vertices=vertices,
        faces=triangles,
        texture=texture,
        texture_faces=texture_faces,
        pupil=centre_angle < PUPIL_EDGE,
        iris=(centre_angle >= PUPIL_EDGE) & (centre_angle < IRIS_EDGE),
    )


def eyeball_blend(shape: EyeballShape, group: NDArray[np.int64], reference: NDArray[np.float64]) -> sparse.csr_matrix:
    """Tie an eyeball to the coarse one of the base mesh.

    The affine map that fits the coarse eyeball's vertices best (least squares) also moves the fine one.

    :param group: (G,) indices of the coarse eyeball's vertices in the base mesh.
    :param reference: (N, 3), metres, the human on which the sphere is fitted.
    :returns: (K, N) sparse blend, rows sum to 1.
    """
    coarse = reference[group]
    # |p|^2 = 2 p.c + (r^2 - |c|^2) is linear in the centre c.
    system = np.concatenate([2 * coarse, np.ones((len(coarse), 1))], axis=1)
    solution = np.linalg.lstsq(system, (coarse**2).sum(axis=1), rcond=None)[0]
    centre = solution[:3]
    radius = np.sqrt(solution[3] + centre @ centre)
    affine = np.linalg.pinv(np.concatenate([coarse - centre, np.ones((len(coarse), 1))], axis=1))
    weights = np.concatenate([radius * shape.vertices, np.ones((len(shape.vertices), 1))], axis=1) @ affine
    rows = np.repeat(np.arange(len(weights)), len(group))
    columns = np.tile(group, len(weights))
    return sparse.csr_matrix((weights.ravel(), (rows, columns)), shape=(len(weights), len(reference)))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
