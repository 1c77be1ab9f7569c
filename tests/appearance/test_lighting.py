from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from numpy.typing import NDArray

from ffngen.appearance.hdri import HDRIS, load_hdri
from ffngen.appearance.lighting import Lighting, sample_lighting
from ffngen.errors import JobError

pytestmark = pytest.mark.skipif(importlib.util.find_spec("bpy") is None, reason="the surroundings come with bpy")


def received(lighting: Lighting, normal: NDArray[np.float64]) -> float:
    """Luminance of the irradiance over pi of a surface at the origin: every pixel of the surroundings, every lamp."""
    picture = load_hdri(lighting.hdri).astype(np.float64)
    rows, columns = picture.shape[:2]
    elevation = (0.5 - (np.arange(rows) + 0.5) / rows) * np.pi
    # Azimuth in Blender's frame, where the turned surroundings show each pixel.
    azimuth = (0.5 - (np.arange(columns) + 0.5) / columns) * 2 * np.pi - lighting.rotation
    x = np.cos(elevation)[:, None] * np.cos(azimuth)
    y = np.cos(elevation)[:, None] * np.sin(azimuth)
    z = np.broadcast_to(np.sin(elevation)[:, None], x.shape)
    cosine = np.maximum(x * normal[0] + z * normal[1] - y * normal[2], 0)
    solid_angle = np.cos(elevation)[:, None] * (np.pi / rows) * (2 * np.pi / columns)
    weights = np.array([0.2126, 0.7152, 0.0722])
    total = lighting.strength * float(((picture @ weights) * cosine * solid_angle).sum())
    for lamp in lighting.area_lights:
        position = np.array(lamp.position)
        distance = float(np.linalg.norm(position))
        facing = max(float(normal @ position) / distance, 0)
        total += lamp.power / (np.pi * distance**2) * facing * float(np.array(lamp.color) @ weights)
    return total / np.pi


def face_normals() -> list[NDArray[np.float64]]:
    angles = [(around, up) for around in (-45, 0, 45) for up in (-20, 20)]
    return [np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)]) for a, b in np.radians(angles).tolist()]


@pytest.mark.parametrize("name", HDRIS)
@pytest.mark.parametrize("lamps", [True, False])
def test_a_face_is_well_exposed_under_all_surroundings(name: str, lamps: bool) -> None:
    for seed in range(2):
        lighting = sample_lighting(np.random.default_rng(seed), name, area_lights=lamps)
        levels = [received(lighting, normal) for normal in face_normals()]
        # Light skin (0.7) stays below white, and dark skin (0.1) above black.
        assert max(levels) * 0.7 < 1.0
        assert np.mean(levels) > 0.4
        assert bool(lighting.area_lights) == lamps


def test_same_seed_same_light_other_seed_other_light() -> None:
    first, again, other = (sample_lighting(np.random.default_rng(seed), "city") for seed in (0, 0, 1))
    assert first == again
    assert first.rotation != other.rotation and first.area_lights != other.area_lights


def test_strength_scales_the_surroundings_alone() -> None:
    plain = sample_lighting(np.random.default_rng(0), "forest")
    strong = sample_lighting(np.random.default_rng(0), "forest", strength=1.2)
    assert strong.strength == pytest.approx(1.2 * plain.strength)
    assert strong.area_lights == plain.area_lights and strong.rotation == plain.rotation


def test_key_and_fill_are_in_front_on_two_sides_and_the_rim_is_behind() -> None:
    sides = set()
    for seed in range(20):
        key, fill, rim = sample_lighting(np.random.default_rng(seed), "night").area_lights
        assert key.position[2] > 0 and fill.position[2] > 0 and rim.position[2] < 0
        assert key.position[0] * fill.position[0] < 0
        assert fill.power > 0 and rim.power > 0 and 0 < key.power < 100
        for lamp in (key, fill, rim):
            assert 0.8 < np.linalg.norm(lamp.position) < 1.7
            assert np.array(lamp.color) @ [0.2126, 0.7152, 0.0722] == pytest.approx(1)
        sides.add(key.position[0] > 0)
    assert sides == {True, False}


def test_lamps_take_the_colour_of_the_surroundings() -> None:
    warm = [sample_lighting(np.random.default_rng(s), "night").area_lights[0].color for s in range(8)]
    assert np.mean([color[0] - color[2] for color in warm]) > 0.05
    cold = [sample_lighting(np.random.default_rng(s), "studio").area_lights[0].color for s in range(8)]
    assert np.mean([color[0] - color[2] for color in cold]) < -0.05


def test_record_is_json_ready() -> None:
    lighting = sample_lighting(np.random.default_rng(0), "sunset")
    record = json.loads(json.dumps(lighting.to_json()))
    assert record["hdri"] == "sunset" and record["rotation"] == lighting.rotation
    assert [lamp["power"] for lamp in record["area_lights"]] == [lamp.power for lamp in lighting.area_lights]
    assert set(record["area_lights"][0]) == {"position", "target", "size", "power", "color"}


def test_refuses_unknown_surroundings() -> None:
    with pytest.raises(JobError, match="no surroundings are named 'beach'"):
        sample_lighting(np.random.default_rng(0), "beach")
