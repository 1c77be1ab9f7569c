"""The plane behind the head, against points on it that are projected one by one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ffngen.geometry.camera import Camera
from ffngen.geometry.lens import defocus_radius
from ffngen.geometry.plane import FacingPlane


def camera(turn: tuple[float, float, float] = (0, 0, 0), shift: tuple[float, float, float] = (0, 0, 0)) -> Camera:
    T = np.eye(4)
    T[:3, :3] = cv2.Rodrigues(np.array([0.3, -0.2, 0.1]))[0] @ cv2.Rodrigues(np.array(turn, dtype=float))[0]
    T[:3, 3] = np.array([0.2, 0.1, 0.7]) + shift
    return Camera(np.array([[210.0, 0, 13.3], [0, 185.0, 22.8], [0, 0, 1]]), T, 40, 30)


def points_on(plane: FacingPlane, seen_by: Camera) -> np.ndarray:
    """(H, W, 3): where each pixel's ray meets the plane, by the plane's own axes: one linear system for each pixel."""
    T = plane.view.T_world_cam
    found = np.empty((seen_by.height, seen_by.width, 3))
    for v in range(seen_by.height):
        for u in range(seen_by.width):
            ray = seen_by.T_world_cam[:3, :3] @ np.linalg.solve(seen_by.K, [u, v, 1.0])
            # position + z ray = view + depth forward + a right + b down
            system = np.stack([ray, -T[:3, 0], -T[:3, 1]], axis=1)
            z, _, _ = np.linalg.solve(system, T[:3, 3] + plane.depth * T[:3, 2] - seen_by.position)
            found[v, u] = seen_by.position + z * ray
    return found


@pytest.mark.parametrize("turn", [(0.02, 0.0, 0.0), (0.0, -0.03, 0.0), (0.01, 0.02, -0.05)])
@pytest.mark.parametrize("shift", [(0.0, 0.0, 0.0), (0.02, -0.01, 0.03)])
def test_flow_and_depth(turn: tuple[float, float, float], shift: tuple[float, float, float]) -> None:
    view, here, later = camera(), camera((0.01, -0.01, 0.02), (0.01, 0.01, -0.02)), camera(turn, shift)
    plane = FacingPlane(view, 1.7)
    points = points_on(plane, here)
    pixels, _ = later.project(points)
    u, v = np.meshgrid(np.arange(40), np.arange(30))
    expected = pixels - np.stack([u, v], axis=-1)
    flow = plane.flow(here, later)
    assert flow.dtype == np.float32
    assert np.hypot(*expected.T).min() > 0.5
    np.testing.assert_allclose(flow, expected, atol=1e-4)
    np.testing.assert_allclose(plane.depth_in(here), here.to_camera(points)[..., 2], atol=1e-6)
    assert np.ptp(plane.depth_in(here)) > 1e-3


def test_the_signs_of_a_moving_camera() -> None:
    """Before a camera that moves or turns right the plane moves left, before one that comes nearer outwards."""
    still = Camera(np.array([[100.0, 0, 19.5], [0, 100.0, 14.5], [0, 0, 1]]), np.eye(4), 40, 30)
    plane = FacingPlane(still, 2.0)
    right, turned, nearer = np.eye(4), np.eye(4), np.eye(4)
    right[0, 3], nearer[2, 3] = 0.1, 0.2
    turned[:3, :3] = cv2.Rodrigues(np.array([0.0, 0.01, 0.0]))[0]  # z towards x
    np.testing.assert_allclose(
        plane.flow(still, still.moved(right)), np.broadcast_to([-5.0, 0], (30, 40, 2)), atol=1e-5
    )
    middle = plane.flow(still, still.moved(turned))[14:16, 19:21].mean(axis=(0, 1))
    np.testing.assert_allclose(middle, [-100 * np.tan(0.01), 0], atol=1e-3)
    outwards = plane.flow(still, still.moved(nearer))
    assert outwards[0, 0].max() < 0 < outwards[-1, -1].min()
    np.testing.assert_allclose(outwards[0, 0], [-19.5 / 9, -14.5 / 9], atol=1e-5)


def test_a_still_camera() -> None:
    view = camera()
    plane = FacingPlane(view, 1.7)
    assert (plane.flow(view, view) == 0).all()
    assert (plane.depth_in(view) == np.float32(1.7)).all()


def test_defocus_is_that_of_rays_through_the_openings_rim() -> None:
    cam = camera()
    aperture, focus, depth = 0.03, 0.8, 1.5
    # The ray from the rim to a point on the axis meets the focal plane beside the axis.
    beside = aperture / 2 * (1 - focus / depth)
    assert defocus_radius(cam, aperture, focus, depth) == pytest.approx(210 * beside / focus)
    assert defocus_radius(cam, aperture, focus, focus) == 0
    assert defocus_radius(cam, 0.0, focus, depth) == 0
