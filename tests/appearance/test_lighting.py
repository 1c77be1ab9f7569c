from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest
from numpy.typing import NDArray

from ffngen.appearance.hdri import HDRIS, load_hdri
from ffngen.appearance.lighting import AreaLight, Lighting, sample_lighting
from ffngen.appearance.rigs import RIGS, RigName, blackbody
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
        total += from_lamp(lamp, normal) * float(np.array(lamp.color) @ weights)
    return total / np.pi


def from_lamp(lamp: AreaLight, normal: NDArray[np.float64]) -> float:
    """The irradiance of a lamp: the sum over a grid of small lamps, each of which shines by the cosine to its axis."""
    position = np.array(lamp.position)
    axis = -position / np.linalg.norm(position)
    right = np.cross(axis, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    a, b = np.meshgrid(np.arange(24) / 24 + 1 / 48 - 0.5, np.arange(24) / 24 + 1 / 48 - 0.5)
    flat = np.stack([a.ravel() * lamp.size, b.ravel() * (lamp.height or lamp.size)], axis=1)
    if lamp.height is None:
        flat = flat[np.hypot(flat[:, 0], flat[:, 1]) <= lamp.size / 2]
    places = position + flat @ np.stack([right, np.cross(right, axis)])
    squared = (places**2).sum(axis=1)
    facing = np.maximum(places @ normal, 0) / np.sqrt(squared)
    shining = -(places @ axis) / np.sqrt(squared)
    return float((lamp.power / np.pi * facing * shining / squared).mean())


def test_a_large_lamp_gives_less_than_a_small_one_and_is_made_brighter_by_that() -> None:
    """The soft box's key, straight at a surface that faces it."""
    for seed in range(6):
        key = sample_lighting(np.random.default_rng(seed), "studio", rig="soft_box").area_lights[0]
        toward = np.array(key.position) / np.linalg.norm(key.position)
        far = key.power / (np.pi * float(np.square(key.position).sum()))
        assert key.height is not None
        # To the second order in its size; a plain inverse square would be off by far more.
        wanted = far / (1 + key.size * key.height / np.pi / float(np.square(key.position).sum()))
        assert from_lamp(key, toward) == pytest.approx(wanted, rel=0.08)
        assert far > 1.08 * from_lamp(key, toward)


def face_normals() -> list[NDArray[np.float64]]:
    angles = [(around, up) for around in (-45, 0, 45) for up in (-20, 20)]
    return [np.array([np.sin(a) * np.cos(b), np.sin(b), np.cos(a) * np.cos(b)]) for a, b in np.radians(angles).tolist()]


@pytest.mark.parametrize("name", HDRIS)
@pytest.mark.parametrize("rig", ["three_point", "soft_box", "none"])
def test_a_face_is_well_exposed_under_all_surroundings(name: str, rig: RigName) -> None:
    for seed in range(2):
        lighting = sample_lighting(np.random.default_rng(seed), name, rig=rig)
        levels = [received(lighting, normal) for normal in face_normals()]
        # Light skin (0.7) stays below white, and dark skin (0.1) above black.
        assert max(levels) * 0.7 < 1.0
        assert np.mean(levels) > 0.4
        assert bool(lighting.area_lights) == (rig != "none")


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
    assert set(record["area_lights"][0]) == {"position", "target", "size", "power", "color", "height"}


def test_refuses_unknown_surroundings() -> None:
    with pytest.raises(JobError, match="no surroundings are named 'beach'"):
        sample_lighting(np.random.default_rng(0), "beach")


@pytest.mark.parametrize("rig", RIGS)
def test_no_rig_burns_the_face_out_or_leaves_it_dark(rig: RigName) -> None:
    for seed in range(6):
        name = HDRIS[seed]
        lighting = sample_lighting(np.random.default_rng(seed), name, rig=rig)
        levels = [received(lighting, normal) for normal in face_normals()]
        assert max(levels) < 1.45
        assert np.mean(levels) > 0.25
        assert lighting.rig == rig


def test_rigs_light_from_where_they_say() -> None:
    """The key's azimuth from the face's direction, over many draws, and which parts of the face it reaches."""
    expected = {"soft_box": (0, 35), "window": (35, 65), "side": (60, 86), "back": (0, 25), "mixed": (25, 65)}
    for rig, (low, high) in expected.items():
        angles, sides = [], set()
        for seed in range(16):
            key = sample_lighting(np.random.default_rng(seed), "interior", rig=rig).area_lights[0]  # type: ignore[arg-type]
            angles.append(np.degrees(abs(np.arctan2(key.position[0], key.position[2]))))
            sides.add(key.position[0] > 0)
        assert low - 1e-6 <= min(angles) and max(angles) <= high + 1e-6
        assert max(angles) - min(angles) > 0.4 * (high - low)
        assert sides == {True, False}
    for seed in range(4):
        lighting = sample_lighting(np.random.default_rng(seed), "interior", rig="side")
        left, right = (received(lighting, np.array([x, 0.0, 0.5]) / np.hypot(1, 0.5)) for x in (1.0, -1.0))
        assert max(left, right) > 3 * min(left, right)
        back = sample_lighting(np.random.default_rng(seed), "interior", rig="back").area_lights
        assert all(lamp.position[2] < 0 for lamp in back[1:])
        assert back[1].position[0] * back[2].position[0] < 0


def test_mixed_light_is_warm_on_one_side_and_cold_on_the_other() -> None:
    for seed in range(4):
        warm, cold = sample_lighting(np.random.default_rng(seed), "studio", rig="mixed").area_lights
        assert warm.color[0] > 2 * warm.color[2] and cold.color[2] > 1.1 * cold.color[0]
        assert warm.position[0] * cold.position[0] < 0


@pytest.mark.parametrize(
    ("kelvin", "xy"),
    [(2000, (0.5267, 0.4133)), (2856, (0.4476, 0.4074)), (6500, (0.3135, 0.3237)), (12000, (0.2719, 0.2783))],
)
def test_blackbodies_have_the_colours_of_the_planckian_locus(kelvin: float, xy: tuple[float, float]) -> None:
    """Chromaticities of Planckian radiators (CIE 1931) as tables print them."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    rgb = blackbody(kelvin)
    xyz = to_xyz @ rgb
    np.testing.assert_allclose(xyz[:2] / xyz.sum(), xy, atol=2e-3)
    assert xyz[1] == pytest.approx(1, abs=1e-3)
