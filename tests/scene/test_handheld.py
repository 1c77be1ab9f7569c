"""The hand that holds a camera."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ffngen.errors import JobError
from ffngen.geometry.camera import Camera
from ffngen.geometry.plane import FacingPlane
from ffngen.scene.framing import Framing
from ffngen.scene.handheld import SHIFT, TURN, handheld_poses, view_margin


def camera() -> Camera:
    T = np.eye(4)
    T[:3, :3] = Framing(0.7, 0.9, (0, 0), yaw=0.3, elevation=-0.2).R_world_cam
    T[:3, 3] = [0.1, 0.2, 0.9]
    return Camera(np.array([[300.0, 0, 70.0], [0, 280.0, 40.0], [0, 0, 1]]), T, 128, 96)


def test_poses_are_rigid_and_stay_near() -> None:
    poses = handheld_poses(camera(), 2.0, 40, np.random.default_rng(3))
    R = poses[:, :3, :3]
    np.testing.assert_allclose(R @ R.transpose(0, 2, 1), np.broadcast_to(np.eye(3), R.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(R), 1)
    assert np.abs(poses[:, :3, 3] - camera().position).max() < 8 * SHIFT


def test_strength_is_what_it_says() -> None:
    """Over many hands and a long time: the standard deviation of each of the six ways to move."""
    cam = camera()
    turns, shifts = [], []
    for seed in range(40):
        for pose in handheld_poses(cam, 0.5, 40, np.random.default_rng(seed), fps=1.7):
            relative = cam.T_cam_world @ pose
            turns.append(cv2.Rodrigues(relative[:3, :3])[0].ravel())
            shifts.append(relative[:3, 3])
    np.testing.assert_allclose(np.std(turns, axis=0), 0.5 * TURN, rtol=0.15)
    np.testing.assert_allclose(np.std(shifts, axis=0), 0.5 * SHIFT, rtol=0.15)


def test_motion_is_smooth_and_depends_on_the_speed() -> None:
    fast, slow = (handheld_poses(camera(), 1.0, 50, np.random.default_rng(0), fps=fps) for fps in (100.0, 25.0))
    np.testing.assert_allclose(fast[::4][:12], slow[:12], atol=1e-12)
    first = np.abs(np.diff(fast[:, :3, 3], axis=0)).max()
    second = np.abs(np.diff(fast[:, :3, 3], 2, axis=0)).max()
    assert second < 0.6 * first


def test_same_seed_same_hand() -> None:
    one, two, other = (handheld_poses(camera(), 1.0, 5, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_the_margin_holds_all_that_is_seen_and_little_more() -> None:
    cam, depth = camera(), 1.4
    poses = handheld_poses(cam, 6.0, 12, np.random.default_rng(5))
    x, y = view_margin(cam, poses, depth)
    plane = FacingPlane(cam, depth)
    reached = np.zeros(2)
    for pose in poses:
        # Where each pixel of the moved camera lies in the view.
        flow = plane.flow(cam.moved(pose), cam)
        u, v = np.meshgrid(np.arange(128), np.arange(96))
        seen = flow + np.stack([u, v], axis=-1)
        reached = np.maximum(reached, [max(-seen[..., 0].min(), seen[..., 0].max() - 127), 0])
        reached = np.maximum(reached, [0, max(-seen[..., 1].min(), seen[..., 1].max() - 95)])
    assert (reached > 3).all()
    assert reached[0] <= x <= reached[0] + 3
    assert reached[1] <= y <= reached[1] + 3


def test_a_hand_that_shakes_too_much_is_refused() -> None:
    wide = Camera(np.array([[15.0, 0, 63.5], [0, 15.0, 47.5], [0, 0, 1]]), camera().T_world_cam, 128, 96)
    with pytest.raises(JobError, match="shakes so much"):
        view_margin(wide, handheld_poses(wide, 60.0, 30, np.random.default_rng(0)), 1.4)
