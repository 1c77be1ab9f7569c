"""Blender's coordinate frame (CONVENTIONS.md): z up; its cameras look along -z with y up."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: World (y up) to Blender (z up): (x, y, z) -> (x, -z, y). Exact in floating point.
T_BLENDER_WORLD = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], dtype=np.float64)

#: OpenCV camera axes to Blender's: y and z change sign.
_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])


def blender_camera_matrix(T_world_cam: NDArray[np.float64]) -> NDArray[np.float64]:
    """(4, 4): the ``matrix_world`` of a Blender camera object at ``T_world_cam``."""
    matrix: NDArray[np.float64] = T_BLENDER_WORLD @ T_world_cam @ _FLIP
    return matrix


def to_blender(point: NDArray[np.float64]) -> NDArray[np.float64]:
    """World points (..., 3), metres, in Blender's frame."""
    moved: NDArray[np.float64] = np.asarray(point, dtype=np.float64) @ T_BLENDER_WORLD[:3, :3].T
    return moved
