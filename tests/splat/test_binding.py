"""Triangle frames, posed Gaussians, and how triangles carry points along."""

from __future__ import annotations

import numpy as np
import pytest
from made_dataset import rotation
from made_gaussians import FACES, VERTICES, made_avatar

from ffngen.errors import FfngenError
from ffngen.splat.avatar import Avatar
from ffngen.splat.binding import pose, quaternion_matrices, triangle_frames, triangle_motion


def test_the_frame_of_one_triangle() -> None:
    """By hand: legs of 2 and 4 along x and y, from (1, 1, 1)."""
    vertices = np.array([[1.0, 1, 1], [3, 1, 1], [1, 5, 1]])
    frames = triangle_frames(vertices, np.array([[0, 1, 2]]))
    # a0 = x, a1 = x cross y = z, a2 = -(z cross x) = -y.
    np.testing.assert_allclose(frames.R[0], np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]]).T, atol=1e-12)
    np.testing.assert_allclose(frames.T[0], [5 / 3, 7 / 3, 1])
    assert frames.k[0] == pytest.approx((2 + 4) / 2)


def test_frames_are_rotations() -> None:
    R = triangle_frames(VERTICES, FACES).R
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1)


def test_gaussians_go_where_their_triangles_go() -> None:
    """Turned, moved and enlarged as a whole, by a similarity that is known."""
    avatar, Q, t, k = made_avatar(), rotation(0.4, -0.7, 1.1), np.array([0.3, -0.2, 0.5]), 1.7
    before, after = pose(avatar, VERTICES, FACES), pose(avatar, k * VERTICES @ Q.T + t, FACES)
    np.testing.assert_allclose(after.means, k * before.means @ Q.T + t, atol=1e-12)
    np.testing.assert_allclose(after.covariances, k**2 * Q @ before.covariances @ Q.T, atol=1e-12)
    motion = triangle_motion(VERTICES, k * VERTICES @ Q.T + t, FACES)
    np.testing.assert_allclose(motion.A, np.broadcast_to(k * Q, motion.A.shape), atol=1e-12)
    np.testing.assert_allclose(motion.b, np.broadcast_to(t, motion.b.shape), atol=1e-12)


def test_motion_is_exact_on_deforming_triangles() -> None:
    moved = VERTICES + np.random.default_rng(2).normal(size=VERTICES.shape)
    motion = triangle_motion(VERTICES, moved, FACES)
    weights = np.random.default_rng(3).dirichlet([1, 1, 1], size=(len(FACES), 20))
    before, after = (np.einsum("fpc,fcx->fpx", weights, points[FACES]) for points in (VERTICES, moved))
    found = np.einsum("fij,fpj->fpi", motion.A, before) + motion.b[:, None]
    np.testing.assert_allclose(found, after, atol=1e-10)


def test_triangles_without_extent() -> None:
    """They have no direction: what is bound to them goes where their middle goes, and nothing is NaN."""
    vertices, faces = np.zeros((3, 3)), np.array([[0, 1, 2]])
    frames, motion = triangle_frames(vertices, faces), triangle_motion(vertices, vertices + 1, faces)
    assert all(np.isfinite(array).all() for array in (frames.R, frames.T, frames.k, motion.A, motion.b))
    np.testing.assert_allclose(motion.b, [[1, 1, 1]])


def test_quaternions() -> None:
    angle = 0.8
    found = quaternion_matrices(np.array([[np.cos(angle / 2), 0, 0, np.sin(angle / 2)], [2.0, 0, 0, 0]]))
    np.testing.assert_allclose(found[0], rotation(0, 0, angle), atol=1e-12)
    np.testing.assert_allclose(found[1], np.eye(3))


def test_an_avatar_of_another_head_is_refused() -> None:
    with pytest.raises(FfngenError, match="and the head has 2"):
        pose(made_avatar(), VERTICES, FACES[:2])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("means", np.full((40, 3), np.nan)),
        ("rotations", np.ones((40, 3))),
        ("scales", np.zeros((40, 3))),
        ("opacities", np.full(40, 2.0)),
        ("harmonics", np.zeros((40, 5, 3))),
        ("triangles", np.zeros(3, np.int64)),
    ],
)
def test_arrays_that_make_no_avatar(name: str, value: np.ndarray) -> None:
    arrays = {field: getattr(made_avatar(), field) for field in Avatar.__dataclass_fields__}
    with pytest.raises(FfngenError):
        Avatar(**(arrays | {name: value}))
