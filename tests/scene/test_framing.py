"""Framing, measured in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from ffngen.scene.framing import CHIN_MARGIN, Framing, fit_camera

WIDTH, HEIGHT = 640, 480


def head(seed: int = 0, frames: int = 5) -> np.ndarray:
    """(frames, V, 3): an ellipsoid the size of a head that turns and shifts a little."""
    rng = np.random.default_rng(seed)
    sphere = rng.normal(size=(400, 3))
    points = sphere / np.linalg.norm(sphere, axis=1, keepdims=True) * [0.08, 0.125, 0.1] + [0.01, 0.2, 0.03]
    return points + rng.uniform(-0.02, 0.02, size=(frames, 1, 3))


def box(camera, points) -> tuple[np.ndarray, np.ndarray]:
    """The corners of what the points cover, pixels."""
    pixels, depth = camera.project(points.reshape(-1, 3))
    assert (depth > 0).all()
    return pixels.min(axis=0), pixels.max(axis=0)


@pytest.mark.parametrize("fill", [0.05, 0.3, 0.7, 1.0, 1.7])
@pytest.mark.parametrize("lens", [{"focal_px": 800.0}, {"distance": 1.3}])
def test_the_head_has_the_height_that_was_asked_for(fill: float, lens: dict[str, float]) -> None:
    points = head()
    camera = fit_camera(points, Framing(fill, 5.0, (0, 0)), width=WIDTH, height=HEIGHT, **lens)
    low, high = box(camera, points)
    assert high[1] - low[1] == pytest.approx(fill * HEIGHT, abs=1e-6)
    if "focal_px" in lens:
        assert camera.K[0, 0] == camera.K[1, 1] == 800
    else:
        middle = (points.reshape(-1, 3).max(axis=0) + points.reshape(-1, 3).min(axis=0)) / 2
        assert camera.position[2] - middle[2] == pytest.approx(1.3)


@pytest.mark.parametrize("focal_px", [5.0, 50.0, 142.0, 5e3, 1e5, 1e8])
@pytest.mark.parametrize("fill", [0.05, 0.7, 2.0])
def test_extreme_lenses(focal_px: float, fill: float) -> None:
    points = head()
    camera = fit_camera(points, Framing(fill, 9.0, (0, 0)), width=WIDTH, height=HEIGHT, focal_px=focal_px)
    low, high = box(camera, points)
    assert np.isfinite(camera.T_world_cam).all()
    if high[1] - low[1] != pytest.approx(fill * HEIGHT, abs=1e-3):
        # Too short a lens: even with the face at the glass the head is smaller than that.
        assert high[1] - low[1] < fill * HEIGHT
        assert camera.position[2] - points[..., 2].max() == pytest.approx(1e-3, abs=1e-9)
        assert focal_px <= 50


@pytest.mark.parametrize("distance", [0.001, 0.2, 20.0, 1e4])
def test_extreme_distances(distance: float) -> None:
    points = head()
    camera = fit_camera(points, Framing(0.7, 9.0, (0, 0)), width=WIDTH, height=HEIGHT, distance=distance)
    low, high = box(camera, points)
    assert high[1] - low[1] == pytest.approx(0.7 * HEIGHT, abs=1e-6)
    # Never inside the head.
    assert camera.position[2] > points[..., 2].max()


def test_the_width_is_bounded() -> None:
    """In a narrow picture the width decides."""
    points = head()
    camera = fit_camera(points, Framing(0.9, 0.5, (0, 0)), width=200, height=900, focal_px=700)
    low, high = box(camera, points)
    assert high[0] - low[0] == pytest.approx(0.5 * 200, abs=1e-6)
    assert high[1] - low[1] < 0.9 * 900


@pytest.mark.parametrize("offset", [(0.0, 0.0), (0.2, -0.1), (-0.35, 0.3), (1.0, 1.0)])
@pytest.mark.parametrize("size", [(640, 480), (33, 64)])
def test_the_head_lies_where_it_was_asked_for(offset: tuple[float, float], size: tuple[int, int]) -> None:
    """The picture's middle is at ((W - 1) / 2, (H - 1) / 2)."""
    points, (width, height) = head(), size
    camera = fit_camera(points, Framing(0.6, 0.9, offset), width=width, height=height, focal_px=900)
    low, high = box(camera, points)
    wanted = [(width - 1) / 2 + offset[0] * width, (height - 1) / 2 + offset[1] * height]
    np.testing.assert_allclose((low + high) / 2, wanted, atol=1e-6)
    # The lens is shifted, the camera does not turn: a plane across the optical axis stays across it.
    np.testing.assert_array_equal(camera.T_world_cam[:3, :3], np.diag([1, -1, -1]))


def rim_of(points: np.ndarray, below: float) -> np.ndarray:
    """A ring below the lowest point."""
    angle = np.linspace(0, 2 * np.pi, 20)
    y = points[..., 1].min() - below
    return np.stack([0.05 * np.cos(angle), np.full(20, y), 0.05 * np.sin(angle)], axis=-1)


@pytest.mark.parametrize("fill", [0.5, 0.7, 0.9])
def test_the_neck_ends_below_the_picture(fill: float) -> None:
    points = head(frames=1)
    rim = rim_of(points, 0.12)
    camera = fit_camera(points, Framing(fill, 0.9, (0, 0)), width=WIDTH, height=HEIGHT, focal_px=2000, rim=rim)
    rim_top = box(camera, rim)[0][1]
    chin = box(camera, points)[1][1]
    # Hidden, or as low as the chin's margin allows.
    assert rim_top >= HEIGHT - 0.5 - 1e-6 or chin == pytest.approx((1 - CHIN_MARGIN) * HEIGHT)
    assert chin <= HEIGHT - 0.5
    if fill == 0.7:
        assert rim_top >= HEIGHT - 0.5 - 1e-6


def test_a_rim_that_is_hidden_already_moves_nothing() -> None:
    points = head(frames=1)
    framing = Framing(0.7, 0.9, (0.1, 0.05))
    options = {"width": WIDTH, "height": HEIGHT, "focal_px": 2000.0}
    plain = fit_camera(points, framing, **options)
    hidden = fit_camera(points, framing, **options, rim=rim_of(points, 5.0))
    np.testing.assert_array_equal(plain.K, hidden.K)


def test_every_frame_of_the_motion_counts() -> None:
    still = head(frames=1)
    moved = np.concatenate([still, still + np.array([0.1, 0, 0])])
    camera = fit_camera(moved, Framing(0.7, 0.5, (0, 0)), width=WIDTH, height=HEIGHT, focal_px=900)
    low, high = box(camera, moved)
    assert high[0] - low[0] <= 0.5 * WIDTH + 1e-6


@pytest.mark.parametrize("points", [np.zeros((1, 3)), np.array([[0, 0, 0], [0, 0.2, 0]]), np.eye(3)])
def test_flat_heads(points: np.ndarray) -> None:
    """Too few points for a hull."""
    camera = fit_camera(points, Framing(0.5, 0.9, (0, 0)), width=64, height=64, focal_px=100)
    assert np.isfinite(camera.T_world_cam).all()


@pytest.mark.parametrize(("yaw", "elevation"), [(0.5, 0.0), (0.0, 0.4), (-0.6, -0.3), (1.2, 0.7)])
@pytest.mark.parametrize("lens", [{"focal_px": 800.0}, {"distance": 1.3}])
def test_a_camera_to_the_side_and_above(yaw: float, elevation: float, lens: dict[str, float]) -> None:
    points = head()
    framing = Framing(0.6, 0.9, (0.1, -0.05), yaw, elevation)
    camera = fit_camera(points, framing, width=WIDTH, height=HEIGHT, **lens)
    low, high = box(camera, points)
    assert high[1] - low[1] == pytest.approx(0.6 * HEIGHT, abs=1e-6)
    np.testing.assert_allclose((low + high) / 2, [0.6 * WIDTH - 0.5, 0.45 * HEIGHT - 0.5], atol=1e-6)
    # Rigid, upright, on the subject's left (+x) for a positive yaw and above (+y) for a positive elevation.
    R = camera.T_world_cam[:3, :3]
    np.testing.assert_allclose(R @ R.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(R) == pytest.approx(1)
    assert R[1, 0] == 0 and R[1, 1] < 0
    forward = R[:, 2]
    np.testing.assert_allclose(np.arctan2(-forward[0], -forward[2]), yaw, atol=1e-12)
    np.testing.assert_allclose(np.arcsin(-forward[1]), elevation, atol=1e-12)
    middle = (points.reshape(-1, 3).max(axis=0) + points.reshape(-1, 3).min(axis=0)) / 2
    away = camera.position - middle
    assert np.sign(yaw) * away[0] >= -0.02 and np.sign(elevation) * away[1] >= -0.02
