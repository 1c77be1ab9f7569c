"""Rotations and rigid transforms as trackers write them, made axis-angle vectors and 4 x 4 matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

Array64 = NDArray[np.float64]

#: The six numbers of no rotation.
IDENTITY_6D = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

#: A rotation in float32 differs from an orthogonal matrix by less.
_TOLERANCE = 1e-3
_SMALLEST_NORM = 1e-6


def matrix_from_6d(six: ArrayLike) -> Array64:
    """Rotation matrices of the six-dimensional form.

    The six numbers are the first two **rows** of the matrix before they are made orthonormal (Zhou et al., On the
    Continuity of Rotation Representations in Neural Networks, CVPR 2019, with PyTorch3D's choice of rows).

    :param six: (..., 6).
    :returns: (..., 3, 3) float64.
    :raises ValueError: where the two rows are zero or parallel.
    """
    numbers = np.asarray(six, dtype=np.float64)
    first = _unit(numbers[..., :3])
    second = numbers[..., 3:]
    second = _unit(second - (first * second).sum(axis=-1, keepdims=True) * first)
    return np.stack([first, second, np.cross(first, second)], axis=-2)


def axis_angle_from_matrix(matrix: ArrayLike) -> Array64:
    """Axis-angle vectors (..., 3), radians, of rotation matrices (..., 3, 3)."""
    matrices = np.asarray(matrix, dtype=np.float64)
    vectors: Array64 = Rotation.from_matrix(matrices.reshape(-1, 3, 3)).as_rotvec()
    return vectors.reshape(*matrices.shape[:-2], 3)


def axis_angle_from_6d(six: ArrayLike) -> Array64:
    """Axis-angle vectors (..., 3), radians, of the six-dimensional form (..., 6); see :func:`matrix_from_6d`."""
    return axis_angle_from_matrix(matrix_from_6d(six))


def rigid(rotation: ArrayLike, translation: ArrayLike) -> Array64:
    """A rigid transform (4, 4) float64, its rotation orthonormal to rounding.

    :param rotation: (3, 3).
    :param translation: (3,), metres.
    :raises ValueError: where ``rotation`` is none.
    """
    R = np.asarray(rotation, dtype=np.float64)
    if not (np.abs(R @ R.T - np.eye(3)) <= _TOLERANCE).all() or np.linalg.det(R) <= 0:
        raise ValueError("a matrix that is no rotation")
    T = np.eye(4)
    T[:3, :3] = Rotation.from_matrix(R).as_matrix()
    T[:3, 3] = translation
    return T


def inverse(T: Array64) -> Array64:
    """The inverse of a rigid transform (4, 4)."""
    result = np.eye(4)
    result[:3, :3] = T[:3, :3].T
    result[:3, 3] = -T[:3, :3].T @ T[:3, 3]
    return result


def _unit(vectors: Array64) -> Array64:
    norm: Array64 = np.linalg.norm(vectors, axis=-1, keepdims=True)
    # Written so that a NaN is at fault too.
    if not (norm > _SMALLEST_NORM).all():
        raise ValueError("six numbers that are no rotation")
    return vectors / norm
