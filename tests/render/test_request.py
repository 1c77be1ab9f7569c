"""Requests: what is written is read back, and crops hold what they must."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ffngen.geometry.camera import Camera
from ffngen.render.request import Crop, RawPass, SequenceRequest, Settings, crop_around


def camera(width: int = 100, height: int = 80) -> Camera:
    return Camera(np.array([[100.0, 0, 49.5], [0, 100, 39.5], [0, 0, 1]]), np.eye(4), width, height)


def request_of(frames: int) -> SequenceRequest:
    rng = np.random.default_rng(0)
    return SequenceRequest(
        camera=camera(),
        background_depth=2.5,
        facial=rng.normal(size=(frames, 6, 3)).astype(np.float32),
        head=rng.normal(size=(frames - 1, 6, 3)).astype(np.float32),
        faces=np.array([[0, 1, 2], [3, 4, 5]], dtype=np.int32),
        uv_coordinates=rng.random((6, 2)).astype(np.float32),
        uv_faces=np.array([[0, 1, 2], [3, 4, 5]], dtype=np.int32),
        face_materials=np.array([0, 3], dtype=np.uint8),
        tints=rng.random((6, 3)).astype(np.float32),
        environment="/a/b.exr",
        appearance={"skin": {"roughness": 0.4}},
        settings=Settings(3, False, (1, 2, 3)),
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    request = request_of(2)
    request.write(tmp_path, b"atlas", b"background")
    other = SequenceRequest.read(tmp_path)
    for name in ("facial", "head", "faces", "uv_coordinates", "uv_faces", "face_materials", "tints"):
        there, back = getattr(request, name), getattr(other, name)
        assert there.dtype == back.dtype
        np.testing.assert_array_equal(there, back)
    assert other.settings == request.settings
    assert other.appearance == request.appearance
    assert (other.environment, other.background_depth) == (request.environment, request.background_depth)
    np.testing.assert_array_equal(other.camera.K, request.camera.K)
    assert (tmp_path / "atlas.png").read_bytes() == b"atlas"
    assert (tmp_path / "background.png").read_bytes() == b"background"
    assert (tmp_path / "raw").is_dir()


def moving(count: int) -> SequenceRequest:
    """A camera that turns about its axis by 0.1, and goes 0.02 to the right, from each frame to the next."""
    poses = np.tile(np.eye(4), (count, 1, 1))
    for i in range(count):
        poses[i, :3, :3] = cv2.Rodrigues(np.array([0, 0, 0.1 * i]))[0]
        poses[i, 0, 3] = 0.02 * i
    return replace(request_of(count), poses=poses, background_margin=(7, 3))


def test_poses_and_lens_are_read_back(tmp_path: Path) -> None:
    settings = Settings(3, False, (1, 2, 3), aperture=0.02, focus=0.8, shutter=0.4, shadow=True)
    request = replace(moving(3), settings=settings, template="/a/b.blend")
    request.write(tmp_path, b"atlas", b"background")
    other = SequenceRequest.read(tmp_path)
    assert other.settings == settings
    assert (other.background_margin, other.template) == ((7, 3), "/a/b.blend")
    for i in range(3):
        assert other.camera_of(i) == request.camera_of(i)


def test_the_camera_between_frames_and_beyond() -> None:
    request = moving(3)
    for time in (0.0, 1.0, 2.0):
        assert request.camera_at(time) == request.camera_of(int(time))
    for time in (0.25, 1.5, -0.5, 2.5):
        turn = cv2.Rodrigues(request.camera_at(time).T_world_cam[:3, :3])[0].ravel()
        np.testing.assert_allclose(turn, [0, 0, 0.1 * time], atol=1e-12)
    assert abs(request.camera_at(0.25).position[0] - 0.005) < 1e-12
    assert request_of(3).camera_at(0.7) == camera()


def test_an_exposure_is_cut_into_steps_of_less_than_a_pixel() -> None:
    request = moving(3)
    assert request.exposure_times(1) == [1.0]
    times = replace(request, settings=Settings(3, False, (), shutter=0.5)).exposure_times(1)
    assert len(times) > 2
    assert np.mean(times) == pytest.approx(1)
    assert min(times) > 0.75 and max(times) < 1.25
    flow = request.background.flow(request.camera_at(times[0]), request.camera_at(times[1]))
    assert 0.1 < np.abs(flow).max() < 1
    still = replace(request_of(3), settings=Settings(3, False, (), shutter=0.5))
    assert still.exposure_times(1) == [1.0]


def test_raw_files_have_names_of_their_own() -> None:
    paths = [kind.path(Path("x"), frame) for kind in RawPass for frame in (0, 1, 99_999)]
    assert len(set(paths)) == len(paths)


def test_slices() -> None:
    image = np.zeros((8, 10))
    crop = Crop(2, 1, 5, 7)
    assert image[crop.slices].shape == (6, 3)
    assert not crop.is_empty
    for empty in (Crop(5, 1, 5, 7), Crop(2, 7, 5, 7), Crop(6, 1, 5, 7), Crop(0, 0, 0, 0)):
        assert empty.is_empty
        assert image[empty.slices].size == 0


@pytest.mark.parametrize("seed", range(20))
def test_a_crop_holds_every_vertex(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform([-0.4, -0.4, 1], [0.4, 0.4, 2], size=(50, 3)).astype(np.float32)
    pixels, _ = camera().project(points)
    for margin in (0, 3):
        crop = crop_around(camera(), points, margin)
        inside = ((pixels >= 0) & (pixels <= [99, 79])).all(axis=1)
        for x, y in pixels[inside]:
            assert crop.x0 <= np.floor(x)
            assert np.ceil(x) < crop.x1
            assert crop.y0 <= np.floor(y)
            assert np.ceil(y) < crop.y1
        assert 0 <= crop.x0 <= crop.x1 <= 100
        assert 0 <= crop.y0 <= crop.y1 <= 80


def test_a_crop_is_tight() -> None:
    """A vertex at the very centre of pixel (60, 50)."""
    point = np.array([[10.5, 10.5, 100]], dtype=np.float32)
    assert crop_around(camera(), point, 0) == Crop(60, 50, 61, 51)
    assert crop_around(camera(), point, 2) == Crop(58, 48, 63, 53)


def test_a_head_out_of_the_picture_has_an_empty_crop() -> None:
    for x, y in ((50.0, 0), (-50, 0), (0, 50), (0, -50)):
        assert crop_around(camera(), np.array([[x, y, 1]], dtype=np.float32), 4).is_empty


@pytest.mark.parametrize("z", [0.0, -1.0, 1e-4])
def test_a_head_that_reaches_behind_the_camera_covers_everything(z: float) -> None:
    points = np.array([[0, 0, 1], [0, 0, z]], dtype=np.float32)
    assert crop_around(camera(), points, 0) == Crop(0, 0, 100, 80)
