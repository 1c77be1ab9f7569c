"""A made head: an ellipsoid with two eyeballs, whose surface, seams and places are known in closed form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ffngen.head.model import HeadModel
from ffngen.head.uv_map import UvMap

ROWS, COLUMNS = 48, 72
CENTER = np.array([0.0, 0.01, -0.06])
RADII = np.array([0.078, 0.125, 0.098])
EYE_RADIUS = 0.012


def _sphere(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.int32], UvMap]:
    """A unit sphere cut open at the back, its atlas filling the unit square: u around, v up."""
    polar, around = np.meshgrid(
        np.linspace(0.02, np.pi - 0.02, rows + 1), np.linspace(0, 2 * np.pi, columns + 1), indexing="ij"
    )
    # u rises towards the subject's left as seen from the front; u = 0 and 1 lie at the back.
    points = np.stack([-np.sin(polar) * np.sin(around), np.cos(polar), -np.sin(polar) * np.cos(around)], axis=-1)
    coordinates = np.stack([around / (2 * np.pi), 1 - polar / np.pi], axis=-1)
    row, column = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")

    def quads(width: int, wrap: int) -> NDArray[np.int32]:
        a, b = row * width + column, row * width + (column + 1) % wrap
        c, d = a + width, b + width
        return np.concatenate([np.stack([a, c, b], -1), np.stack([b, c, d], -1)]).reshape(-1, 3).astype(np.int32)

    faces, uv_faces = quads(columns, columns), quads(columns + 1, columns + 1)
    return points[:, :-1].reshape(-1, 3), faces, UvMap(coordinates.reshape(-1, 2).astype(np.float32), uv_faces)


def make_head() -> HeadModel:
    """The head fills the lower four fifths of the atlas, the eyeballs two squares above it."""
    parts = [
        (CENTER, RADII, (ROWS, COLUMNS), (0.02, 0.02, 0.96, 0.76)),
        (np.array([0.0315, 0.0, 0.015]), EYE_RADIUS, (24, 36), (0.55, 0.82, 0.3, 0.16)),
        (np.array([-0.0315, 0.0, 0.015]), EYE_RADIUS, (24, 36), (0.05, 0.82, 0.3, 0.16)),
    ]
    template, faces, coordinates, uv_faces, starts = [], [], [], [], [0]
    for center, radius, shape, (left, bottom, width, height) in parts:
        points, part_faces, uv = _sphere(*shape)
        faces.append(part_faces + sum(map(len, template)))
        uv_faces.append(uv.faces + sum(map(len, coordinates)))
        template.append(points * radius + center)
        coordinates.append(uv.coordinates * np.float32([width, height]) + np.float32([left, bottom]))
        starts.append(starts[-1] + len(part_faces))
    vertices = np.concatenate(template)
    count = len(vertices)
    left_eye, right_eye = (np.arange(starts[i], starts[i + 1], dtype=np.int32) for i in (1, 2))
    return HeadModel(
        family="open",
        version="made",
        template=vertices,
        faces=np.concatenate(faces),
        shape_basis=np.zeros((count, 3, 1), np.float32),
        expression_basis=np.zeros((count, 3, 1), np.float32),
        pose_basis=np.zeros((count, 3, 36), np.float32),
        joint_regressor=scipy.sparse.csr_matrix((5, count)),
        skin_weights=np.full((count, 5), 0.2),
        parents=(-1, 0, 1, 1, 1),
        uv=UvMap(np.concatenate(coordinates), np.concatenate(uv_faces)),
        regions={
            "left_eyeball": left_eye,
            "right_eyeball": right_eye,
            "eyeballs": np.concatenate([left_eye, right_eye]),
        },
        landmarks=None,
        expression_names=(),
        path=Path("made"),
    )
