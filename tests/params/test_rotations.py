"""Six numbers, matrices and axis-angle vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ffngen.params.rotations import axis_angle_from_6d, axis_angle_from_matrix, inverse, matrix_from_6d, rigid

angles = st.lists(st.floats(-1.7, 1.7), min_size=3, max_size=3)


@given(angles, st.floats(0.01, 100), st.floats(-3, 3))
def test_six_numbers_are_rows_whatever_their_lengths_and_slant(vector: list[float], scale: float, slant: float) -> None:
    rotation = Rotation.from_rotvec(vector)
    first, second, _ = rotation.as_matrix()
    six = np.concatenate([first * scale, second + slant * first])
    np.testing.assert_allclose(matrix_from_6d(six), rotation.as_matrix(), atol=1e-9)
    np.testing.assert_allclose(axis_angle_from_6d(six), rotation.as_rotvec(), atol=1e-9)


def test_rows_and_not_columns() -> None:
    quarter = Rotation.from_rotvec([0, 0, np.pi / 2]).as_matrix()
    np.testing.assert_allclose(quarter, [[0, -1, 0], [1, 0, 0], [0, 0, 1]], atol=1e-12)
    np.testing.assert_allclose(axis_angle_from_6d([0, -1, 0, 1, 0, 0]), [0, 0, np.pi / 2], atol=1e-12)


def test_axes_before_are_kept() -> None:
    vectors = np.random.default_rng(0).normal(scale=0.4, size=(3, 2, 3))
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix().reshape(3, 2, 3, 3)
    np.testing.assert_allclose(axis_angle_from_matrix(matrices), vectors, atol=1e-12)
    np.testing.assert_allclose(axis_angle_from_6d(matrices[..., :2, :].reshape(3, 2, 6)), vectors, atol=1e-12)


@pytest.mark.parametrize("six", [[0] * 6, [1, 0, 0, 0, 0, 0], [1, 0, 0, 2, 0, 0], [np.nan, 0, 0, 0, 1, 0]])
def test_what_is_no_rotation(six: list[float]) -> None:
    with pytest.raises(ValueError, match="no rotation"):
        matrix_from_6d(six)


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), np.diag([1, 1, -1]), 1.01 * np.eye(3), np.full((3, 3), np.nan)])
def test_what_is_no_rigid_transform(matrix: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no rotation"):
        rigid(matrix, np.zeros(3))


def test_rigid_transform_of_float32_is_orthonormal_and_has_an_inverse() -> None:
    T = rigid(Rotation.from_rotvec([0.3, -0.2, 0.5]).as_matrix().astype(np.float32), [1, 2, 3])
    np.testing.assert_allclose(T[:3, :3] @ T[:3, :3].T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(inverse(T) @ T, np.eye(4), atol=1e-12)
