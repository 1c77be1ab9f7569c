from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from ffngen.appearance.background import (
    choose_background,
    hdri_background,
    image_background,
    perspective_crop,
    tone_map,
)
from ffngen.appearance.hdri import HDRIS
from ffngen.errors import FfngenError, InputFileError, JobError
from ffngen.scene.framing import Framing

needs_bpy = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="the surroundings come with bpy")


#: A camera that looks along the world's -z, upright.
AHEAD = np.diag([1.0, -1.0, -1.0])


def compass() -> NDArray[np.float32]:
    """An equirectangular picture whose red is the azimuth and whose green is the elevation of each pixel's direction.

    Azimuth in turns from Blender's +x towards +y: a pixel at u shows azimuth 0.5 - u. Blue marks above the horizon.
    """
    rows, columns = 256, 512
    azimuth = 0.5 - (np.arange(columns) + 0.5) / columns
    elevation = 0.5 - (np.arange(rows) + 0.5) / rows
    picture = np.zeros((rows, columns, 3), dtype=np.float32)
    picture[..., 0] = (azimuth % 1)[None]
    picture[..., 1] = (elevation + 0.5)[:, None]
    picture[..., 2] = (elevation > 0)[:, None]
    return picture


def test_shows_what_is_behind_the_head() -> None:
    width, height, field_of_view = 101, 61, np.radians(80)
    crop = perspective_crop(compass(), AHEAD, 0.0, field_of_view, width, height)
    assert crop.shape == (height, width, 3)
    # Behind the head is the world's -z, Blender's +y: a quarter turn.
    assert crop[30, 50, 0] == pytest.approx(0.25, abs=0.005)
    assert crop[30, 50, 1] == pytest.approx(0.5, abs=0.005)
    # On the right of the picture is the world's +x, Blender's +x: azimuth falls to the right.
    edge = np.arctan((1 - 1 / width) * np.tan(field_of_view / 2)) / (2 * np.pi)
    assert crop[30, -1, 0] == pytest.approx(0.25 - edge, abs=0.005)
    assert crop[30, 0, 0] == pytest.approx(0.25 + edge, abs=0.005)
    # The top of the picture is above the horizon; pixels are square.
    up = np.arctan((1 - 1 / height) * np.tan(field_of_view / 2) * height / width) / np.pi
    assert crop[0, 50, 1] == pytest.approx(0.5 + up, abs=0.005)
    assert crop[-1, 50, 1] == pytest.approx(0.5 - up, abs=0.005)
    assert crop[:20, :, 2].min() > 0.9 and crop[-20:, :, 2].max() < 0.1


@pytest.mark.parametrize(("yaw", "elevation"), [(0.4, 0.0), (-0.7, 0.3), (0.0, -0.5)])
def test_a_turned_camera_sees_what_it_looks_at(yaw: float, elevation: float) -> None:
    """A camera on the subject's left (+x) looks towards -x; one above looks down."""
    R = Framing(0.7, 0.9, (0, 0), yaw, elevation).R_world_cam
    crop = perspective_crop(compass(), R, 0.0, np.radians(60), 101, 61)
    # Blender's (x, y) are the world's (x, -z).
    forward = np.array([-np.sin(yaw) * np.cos(elevation), -np.sin(elevation), -np.cos(yaw) * np.cos(elevation)])
    azimuth = np.arctan2(-forward[2], forward[0]) / (2 * np.pi)
    assert crop[30, 50, 0] == pytest.approx(azimuth % 1, abs=0.005)
    assert crop[30, 50, 1] == pytest.approx(0.5 - elevation / np.pi, abs=0.005)
    assert crop[0, 50, 1] > crop[-1, 50, 1]


def test_straight_lines_stay_straight() -> None:
    # A vertical edge of the surroundings is a plane through the vertical: a straight column in perspective.
    picture = np.zeros((256, 512, 3), dtype=np.float32)
    picture[:, 100:] = 1
    crop = perspective_crop(picture, AHEAD, 0.0, np.radians(90), 200, 200)
    edges = [int(np.argmax(row[:, 0] > 0.5)) for row in crop]
    assert max(edges) - min(edges) <= 1
    assert 5 < edges[0] < 195


@pytest.mark.parametrize("yaw", [-3.0, -1.0, 0.4, 2.0, 3.1])
def test_turns_with_the_light(yaw: float) -> None:
    crop = perspective_crop(compass(), AHEAD, yaw, np.radians(60), 101, 61)
    turns = (0.25 + yaw / (2 * np.pi)) % 1
    if 0.02 < turns < 0.98:
        assert crop[30, 50, 0] == pytest.approx(turns, abs=0.005)
    assert crop[0, :, 1].min() > crop[-1, :, 1].max()


def test_no_seam_where_the_picture_closes() -> None:
    around = 2 * np.pi * (np.arange(512) + 0.5) / 512
    picture = np.repeat(np.repeat(1 + np.cos(around).astype(np.float32)[None, :, None], 256, 0), 3, 2)
    # The picture's edge (azimuth half a turn) is behind the head after a quarter turn more.
    crop = perspective_crop(picture, AHEAD, np.pi / 2, np.radians(40), 200, 100)
    assert np.abs(np.diff(crop, axis=1)).max() < 0.01


@pytest.mark.parametrize("gain", [1e-4, 1e4])
def test_exposure_does_not_depend_on_the_light(gain: float) -> None:
    scene = np.random.default_rng(0).uniform(0.2, 1.0, (60, 80, 3)).astype(np.float32)
    picture = tone_map(scene * np.float32(gain), 0.5)
    reference = tone_map(scene, 0.5)
    assert np.abs(picture.astype(int) - reference).max() <= 1
    assert 70 < reference.mean() < 160


def test_a_lamp_does_not_blacken_the_rest_and_black_is_allowed() -> None:
    scene = np.full((60, 80, 3), 0.2, dtype=np.float32)
    scene[30, 40] = 30000
    picture = tone_map(scene, 0.5)
    assert picture[5, 5].min() > 60
    assert picture[30, 40].max() > picture[5, 5].max()
    assert tone_map(np.zeros((20, 20, 3), dtype=np.float32), 0.5).max() < 120


@needs_bpy
@pytest.mark.parametrize("name", HDRIS)
def test_every_surrounding_makes_a_photograph(name: str) -> None:
    for yaw in (0.0, 2.0):
        picture = hdri_background(name, AHEAD, yaw=yaw, field_of_view=1.4, width=96, height=64)
        assert picture.shape == (64, 96, 3) and picture.dtype == np.uint8
        assert 40 < picture.mean() < 200
        assert (picture == 255).all(axis=2).mean() < 0.2
        again = hdri_background(name, AHEAD, yaw=yaw, field_of_view=1.4, width=96, height=64)
        assert picture.tobytes() == again.tobytes()


@pytest.mark.parametrize(
    ("field_of_view", "width", "height"),
    [(0.0, 64, 64), (3.2, 64, 64), (float("nan"), 64, 64), (1.0, 0, 64), (1.0, 64, -1), (1.0, 10**6, 64)],
)
def test_refuses_impossible_views(field_of_view: float, width: int, height: int) -> None:
    with pytest.raises(JobError, match="a background") as caught:
        hdri_background("city", AHEAD, yaw=0.0, field_of_view=field_of_view, width=width, height=height)
    assert "\n" not in str(caught.value)


def test_image_is_cropped_in_its_middle(tmp_path: Path) -> None:
    image = np.zeros((100, 300, 3), dtype=np.uint8)
    image[:, 100:200] = [200, 100, 50]
    image[:50, 100:200, 2] = 250
    Image.fromarray(image).save(tmp_path / "wide.png")
    picture = image_background(tmp_path / "wide.png", 50, 50)
    assert picture.shape == (50, 50, 3)
    assert picture[10, 25].tolist() == [200, 100, 250] and picture[40, 25].tolist() == [200, 100, 50]
    assert (picture[:, :, 0] == 200).all()


@pytest.mark.parametrize(("width", "height"), [(64, 48), (48, 64), (200, 20), (7, 7)])
def test_image_of_any_size_fills_the_frame(tmp_path: Path, width: int, height: int) -> None:
    Image.fromarray(np.full((33, 47, 3), 90, dtype=np.uint8)).save(tmp_path / "small.png")
    picture = image_background(tmp_path / "small.png", width, height)
    assert picture.shape == (height, width, 3) and picture.dtype == np.uint8
    assert (picture == 90).all()


def test_choice_depends_on_the_seed_alone(tmp_path: Path) -> None:
    for i in (3, 1, 2, 0):
        Image.fromarray(np.full((32, 32, 3), 50 * i, dtype=np.uint8)).save(tmp_path / f"{i}.jpg")
    (tmp_path / "notes.txt").write_text("not an image")
    (tmp_path / ".hidden.jpg").write_text("not an image either")

    def chosen(seed: int) -> tuple[str, int]:
        path, picture = choose_background(tmp_path, np.random.default_rng(seed), 16, 16)
        return path.name, int(picture[0, 0, 0])

    assert [chosen(s) for s in range(12)] == [chosen(s) for s in range(12)]
    names = {chosen(s)[0] for s in range(40)}
    assert names == {"0.jpg", "1.jpg", "2.jpg", "3.jpg"}


def test_malformed_inputs_give_one_line_each(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("this is no image\n")
    (tmp_path / "empty.jpg").write_bytes(b"")
    whole = tmp_path / "whole.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(whole)
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:2000])
    Image.fromarray(np.zeros((4, 200, 3), dtype=np.uint8)).save(tmp_path / "sliver.png")
    (tmp_path / "folder.png").mkdir()
    for name in ("text.png", "empty.jpg", "cut.png", "sliver.png", "folder.png", "missing.png"):
        with pytest.raises(InputFileError) as caught:
            image_background(tmp_path / name, 32, 32)
        assert name in str(caught.value) and "\n" not in str(caught.value)
    nothing, only_text = tmp_path / "nothing", tmp_path / "text"
    nothing.mkdir()
    only_text.mkdir()
    (only_text / "a.txt").write_text("a")
    for folder in (tmp_path / "absent", nothing, only_text, whole):
        with pytest.raises(FfngenError) as caught:
            choose_background(folder, np.random.default_rng(0), 32, 32)
        assert str(folder) in str(caught.value) and "backgrounds" in str(caught.value)
        assert "\n" not in str(caught.value)
