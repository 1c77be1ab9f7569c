"""Teeth for FLAME, as VHAP and GaussianAvatars add them, so that what they made for 5143 vertices fits.

Facts, from ``add_teeth`` in GaussianAvatars' ``flame_model/flame.py`` (VHAP's is the same): an arch of two flat rows
of teeth hangs behind the lips. It has 15 columns, each under a pair of vertices of the outer rings of the lips. With
the mean distance d of the pairs as unit, the arch is the pairs' middle, at its mean height, 1.5 d further back. A
tooth's edge is 0.1 d from there (the lower one also 0.4 d back), its root 2 d from its edge, and it is 1 d thick.
Teeth follow the identity as the mean of their column's lip vertices does, no expression and no pose corrective; the
upper ones hang on the neck, the lower ones on the jaw; no joint depends on them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ffngen.errors import HeadModelError
from ffngen.head import flame_topology
from ffngen.head.landmarks import LandmarkEmbedding
from ffngen.head.model import HeadModel
from ffngen.head.uv_map import UvMap

Array64 = NDArray[np.float64]

#: Vertices of FLAME along the outer rings of the lips, from the left corner of the mouth to the right.
UPPER_RING = (1713, 1715, 1716, 1735, 1696, 1694, 1657, 3543, 2774, 2811, 2813, 2850, 2833, 2832, 2830)
LOWER_RING = (1576, 1577, 1773, 1774, 1795, 1802, 1865, 3503, 2948, 2905, 2898, 2881, 2880, 2713, 2712)

FLAME_VERTEX_COUNT = 5023
COLUMNS = 15
#: Eight rows of vertices, in order: whether it is of the upper teeth, how far it lies above the arch and behind it, in
#: units of d, and its place among the seven heights of the teeth in the texture.
_ROWS = (
    (True, 2.1, 0.0, 3),  # root
    (False, -2.1, 0.4, 2),
    (True, 0.1, 0.0, 0),  # edge
    (False, -0.1, 0.4, 1),
    (True, 2.1, 1.0, 3),  # root, at the back
    (True, 0.1, 1.0, 4),  # edge, at the back
    (False, -2.1, 1.4, 6),
    (False, -0.1, 1.4, 5),
)
TEETH_VERTEX_COUNT = COLUMNS * len(_ROWS)
_DEPTH = 1.5

_TEXTURE_U = (0.62, 0.38)
_TEXTURE_V = (1 - 0.0083, 1 - 0.0425)

#: The two triangles of a quadrilateral of this column (0, 1) and the next (2, 3) of a row a (0, 2) and a row b (1, 3);
#: they differ in the diagonal and in the side that is outside.
_A, _B, _NEXT_A, _NEXT_B = range(4)
_FALLING = ((_A, _NEXT_B, _B), (_A, _NEXT_A, _NEXT_B))
_RISING = ((_A, _NEXT_A, _B), (_NEXT_A, _NEXT_B, _B))
_FALLING_BACK = ((_A, _B, _NEXT_B), (_A, _NEXT_B, _NEXT_A))
_RISING_BACK = ((_A, _B, _NEXT_A), (_NEXT_A, _B, _NEXT_B))
#: Six strips between two rows each: the rows, and how the left and the right half are split.
_STRIPS = (
    (0, 2, _FALLING, _RISING),  # upper teeth: front,
    (4, 5, _FALLING_BACK, _RISING_BACK),  # back,
    (5, 2, _RISING_BACK, _FALLING_BACK),  # edge
    (3, 1, _RISING, _FALLING),  # lower teeth: front,
    (6, 7, _FALLING, _RISING),  # back,
    (7, 3, _RISING, _FALLING),  # edge
)
_NECK, _JAW = 1, 2


def with_teeth(model: HeadModel) -> HeadModel:
    """A FLAME model of any version with 120 more vertices and 168 more faces: 5143 and 10144.

    The first 5023 vertices and 9976 faces stay as they are. The region ``teeth`` is added.

    :raises HeadModelError: for a model that is not FLAME's, or has been changed.
    """
    if not flame_topology.is_flame(model.faces) or model.vertex_count != FLAME_VERTEX_COUNT:
        what = f"teeth fit FLAME's {FLAME_VERTEX_COUNT} vertices, and this {model.family} model has other ones"
        raise HeadModelError(what, where=model.path, mend="leave teeth away")
    count = model.vertex_count
    faces = np.concatenate([model.faces, teeth_faces() + np.int32(count)])
    rings = list(UPPER_RING), list(LOWER_RING)
    # Every row of teeth follows the lips alike.
    column_basis = (model.shape_basis[rings[0]] + model.shape_basis[rings[1]]) / 2
    weights = np.zeros((TEETH_VERTEX_COUNT, model.skin_weights.shape[1]))
    upper = np.repeat([row[0] for row in _ROWS], COLUMNS)
    weights[upper, _NECK] = 1.0
    weights[~upper, _JAW] = 1.0
    no_joint = scipy.sparse.csr_matrix((model.joint_regressor.shape[0], TEETH_VERTEX_COUNT))
    landmarks = model.landmarks
    return replace(
        model,
        version=f"{model.version} with teeth",
        template=np.concatenate([model.template, _places(model.template)]),
        faces=faces,
        shape_basis=np.concatenate([model.shape_basis, np.tile(column_basis, (len(_ROWS), 1, 1))]),
        expression_basis=_extended(model.expression_basis),
        pose_basis=_extended(model.pose_basis),
        joint_regressor=scipy.sparse.csr_matrix(scipy.sparse.hstack([model.joint_regressor, no_joint])),
        skin_weights=np.concatenate([model.skin_weights, weights]),
        uv=None if model.uv is None else _uv(model.uv),
        regions={**model.regions, "teeth": np.arange(len(model.faces), len(faces), dtype=np.int32)},
        landmarks=None if landmarks is None else LandmarkEmbedding(landmarks.face_index, landmarks.barycentric, faces),
        eyelids=None if model.eyelids is None else np.pad(model.eyelids, ((0, 0), (0, TEETH_VERTEX_COUNT), (0, 0))),
    )


def teeth_faces() -> NDArray[np.int32]:
    """(168, 3) int32, indices from 0 into the teeth's vertices, counter-clockwise from outside."""
    faces = []
    for a, b, left, right in _STRIPS:
        for column in range(COLUMNS - 1):
            first, second = COLUMNS * a + column, COLUMNS * b + column
            corners = (first, second, first + 1, second + 1)
            for triangle in left if column < COLUMNS // 2 else right:
                faces.append([corners[corner] for corner in triangle])
    return np.array(faces, dtype=np.int32)


def _places(template: Array64) -> Array64:
    """(120, 3) metres, row by row."""
    upper, lower = template[list(UPPER_RING)], template[list(LOWER_RING)]
    unit = float(np.linalg.norm(upper - lower, axis=1).mean())
    arch = (upper + lower) / 2
    arch[:, 1] = arch[:, 1].mean()
    rows = [arch + unit * np.array([0.0, above, -_DEPTH - behind]) for _, above, behind, _ in _ROWS]
    return cast(Array64, np.concatenate(rows))


def _uv(uv: UvMap) -> UvMap:
    across = np.linspace(*_TEXTURE_U, COLUMNS)
    heights = np.linspace(*_TEXTURE_V, 7)
    places = [np.stack([across, np.full(COLUMNS, heights[height])], axis=-1) for _, _, _, height in _ROWS]
    coordinates = np.concatenate([uv.coordinates, *places]).astype(np.float32)
    return UvMap(coordinates, np.concatenate([uv.faces, teeth_faces() + np.int32(len(uv.coordinates))]))


def _extended(basis: NDArray[np.float32]) -> NDArray[np.float32]:
    return cast(NDArray[np.float32], np.pad(basis, ((0, TEETH_VERTEX_COUNT), (0, 0), (0, 0))))
