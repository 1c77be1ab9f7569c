"""The camera, against projection written out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffngen.errors import FfngenError
from ffngen.geometry.camera import Camera


def camera(seed: int = 0, width: int = 40, height: int = 30) -> Camera:
    rng = np.random.default_rng(seed)
    T = np.eye(4)
    T[:3, :3] = Rotation.random(random_state=seed).as_matrix()
    T[:3, 3] = rng.normal(size=3)
    return Camera(np.array([[50.0, 0, 18.3], [0, 61.0, 15.1], [0, 0, 1]]), T, width, height)


@pytest.mark.parametrize("seed", range(5))
def test_project(seed: int) -> None:
    """T_world_cam maps camera to world, so its inverse brings a point before the camera."""
    one = camera(seed)
    rng = np.random.default_rng(seed)
    in_camera = rng.uniform([-1, -1, 0.5], [1, 1, 3], size=(4, 7, 3))
    in_world = in_camera @ one.T_world_cam[:3, :3].T + one.T_world_cam[:3, 3]
    pixels, depth = one.project(in_world)
    assert pixels.shape == (4, 7, 2)
    np.testing.assert_allclose(depth, in_camera[..., 2], atol=1e-12)
    np.testing.assert_allclose(pixels[..., 0], 50 * in_camera[..., 0] / in_camera[..., 2] + 18.3, atol=1e-9)
    np.testing.assert_allclose(pixels[..., 1], 61 * in_camera[..., 1] / in_camera[..., 2] + 15.1, atol=1e-9)
    np.testing.assert_allclose(one.to_camera(in_world), in_camera, atol=1e-12)


def test_the_transforms_are_each_others_inverse() -> None:
    one = camera(3)
    np.testing.assert_allclose(one.T_cam_world @ one.T_world_cam, np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(one.position, one.T_world_cam[:3, 3])
    np.testing.assert_allclose(one.to_camera(one.position), 0, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_rays_and_projection_agree(seed: int) -> None:
    one = camera(seed)
    origin, directions = one.pixel_rays()
    assert directions.shape == (30, 40, 3)
    for depth in (0.3, 7.0):
        pixels, found = one.project(origin + depth * directions)
        np.testing.assert_allclose(found, depth, rtol=1e-9)
        # The centre of the top-left pixel is (0, 0).
        np.testing.assert_allclose(pixels[..., 0], np.broadcast_to(np.arange(40.0), (30, 40)), atol=1e-8)
        np.testing.assert_allclose(pixels[..., 1], np.broadcast_to(np.arange(30.0)[:, None], (30, 40)), atol=1e-8)


def test_opencv_axes() -> None:
    one = Camera(np.array([[10.0, 0, 0], [0, 10, 0], [0, 0, 1]]), np.eye(4), 4, 4)
    np.testing.assert_array_equal(one.project([1.0, 0, 2])[0], [5, 0])  # x to the right
    np.testing.assert_array_equal(one.project([0.0, 1, 2])[0], [0, 5])  # y down
    assert one.project([0.0, 0, -1])[1] == -1  # z forward


def test_json_keeps_every_digit() -> None:
    one = camera(1)
    other = Camera.from_json(json.loads(json.dumps(one.to_json())))
    np.testing.assert_array_equal(one.K, other.K)
    np.testing.assert_array_equal(one.T_world_cam, other.T_world_cam)
    assert (one.width, one.height) == (other.width, other.height)


@pytest.mark.parametrize(
    "change",
    [
        {"K": np.eye(2)},
        {"K": np.full((3, 3), np.nan)},
        {"K": -np.eye(3)},
        {"T_world_cam": np.eye(3)},
        {"T_world_cam": np.full((4, 4), np.inf)},
        {"width": 0},
        {"height": -5},
    ],
)
def test_what_is_no_camera(change: dict[str, object]) -> None:
    good = {"K": np.eye(3), "T_world_cam": np.eye(4), "width": 2, "height": 2}
    Camera(**good)
    with pytest.raises(FfngenError):
        Camera(**{**good, **change})


@pytest.mark.parametrize(
    "change", [{"K": "x"}, {"K": [[1, 2], [3]]}, {"K": None}, {"width": "wide"}, {"width": None}, {"T_world_cam": {}}]
)
def test_json_that_is_no_camera(change: dict[str, object]) -> None:
    data = camera().to_json()
    with pytest.raises(FfngenError):
        Camera.from_json({**data, **change})
    for key in data:
        with pytest.raises(FfngenError):
            Camera.from_json({name: value for name, value in data.items() if name != key})
