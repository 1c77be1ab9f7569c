"""Normals of a mesh."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def vertex_normals(vertices: NDArray[np.floating[Any]], faces: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """(V, 3) float64 unit normals: of the faces around each vertex, weighted by their areas."""
    corners = vertices.astype(np.float64)[faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(normals, faces[:, corner], areas)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-30
    return normals
