"""Light against closed forms: convex bodies, and a body that hides half of the sky."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from ffngen.appearance.hdri import light_cells
from ffngen.appearance.lighting import BRIGHTEST, FACE_EXPOSURE, face_normals, sample_lighting
from ffngen.appearance.pigment import skin_albedo
from ffngen.appearance.received import received_light
from ffngen.geometry.normals import vertex_normals
from ffngen.geometry.sphere import fibonacci_sphere
from ffngen.texture.blend import Blended
from ffngen.texture.hair_shine import without_shine
from ffngen.texture.light import BASIS, DEGREES, harmonics, irradiance_of, transfer
from ffngen.texture.light_fit import Sample
from ffngen.texture.light_prior import coefficients, exposure, light_prior
from ffngen.texture.occlusion import Occluder
from ffngen.texture.shading import SkinModel, estimate_light, unlit

#: A camera in front of the head, T_world_cam: its axes, turned over, are the world's.
FRONT = np.array([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 1], [0, 0, 0, 1]])


def test_harmonics_are_orthonormal_and_begin_with_one() -> None:
    values = harmonics(fibonacci_sphere(20_000))
    assert values.shape[1] == BASIS == 25
    np.testing.assert_allclose(values.T @ values / len(values), np.eye(BASIS), atol=2e-3)
    np.testing.assert_allclose(values[:, 0], 1)
    # The three of degree 1 are the coordinates, whatever their order.
    directions = np.eye(3)
    np.testing.assert_allclose(np.sort(np.abs(harmonics(directions)[:, 1:4]), axis=1)[:, -1], np.sqrt(3))


def test_a_sphere_is_lit_as_by_its_normals() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3, radius=0.1)
    normals = vertex_normals(np.asarray(ball.vertices), np.asarray(ball.faces))
    T, _ = transfer(np.asarray(ball.vertices), np.asarray(ball.faces), normals, FRONT)
    cosine = np.array([1.0, 2 / 3, 1 / 4, 0.0, -1 / 24])[DEGREES]
    assert np.abs(T - harmonics(normals) * cosine).max() < 0.09
    assert np.abs(T - harmonics(normals) * cosine).mean() < 0.01


def test_a_wall_hides_half_of_the_sky() -> None:
    floor = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1.0]]) * 0.02
    wall = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1.0]]) * 50 + [0.03, 0, 0]
    vertices = np.concatenate([floor, wall])
    faces = np.array([[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]])
    up = np.tile([0.0, 1.0, 0.0], (8, 1))
    T, _ = transfer(vertices, faces, up, FRONT)
    # A wall that reaches up for ever takes half of what a floor beside it receives.
    np.testing.assert_allclose(T[:4, 0], 0.5, atol=0.03)
    free = Occluder(vertices, faces).is_free(floor, np.tile([1.0, 0, 0], (4, 1)))
    assert not free.any() and Occluder(vertices, faces).is_free(floor, -np.tile([1.0, 0, 0], (4, 1))).all()


def test_gloss_mirrors_what_lies_opposite() -> None:
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0.0]]) * 0.01
    T_world_cam = np.diag([1.0, -1.0, -1.0, 1.0])
    T_world_cam[:3, 3] = np.array([1, 0, 1]) * 1e3
    _, G = transfer(square, np.array([[0, 1, 2], [0, 2, 3]]), np.tile([0.0, 0.0, 1.0], (4, 1)), T_world_cam)
    lamps = fibonacci_sphere(2000)
    brightest = lamps[int((harmonics(lamps) @ G[0]).argmax())]
    assert brightest @ np.array([-1, 0, 1]) / np.sqrt(2) > 0.9
    # Straight on, a rough surface under an even sky mirrors about what a smooth one does.
    T_world_cam[:3, 3] = [0, 0, 1e3]
    _, G = transfer(square, np.array([[0, 1, 2], [0, 2, 3]]), np.tile([0.0, 0.0, 1.0], (4, 1)), T_world_cam)
    assert G[0, 0] == pytest.approx(0.028, rel=0.25)


def test_light_turns_with_the_camera() -> None:
    """Harmonics of directions in the camera's axes: what lies to its right is 'right', wherever it looks."""
    square = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1.0]]) * 0.01
    faces, normals = np.array([[0, 1, 2], [0, 2, 3]]), np.tile([1.0, 0.0, 0.0], (4, 1))
    # A camera at +x that looks along -x; the surface faces it.
    T_world_cam = np.eye(4)
    T_world_cam[:3, :3] = np.stack([[0, 0, -1.0], [0, -1, 0], [-1, 0, 0]], axis=1)
    T_world_cam[:3, 3] = [1, 0, 0]
    T, _ = transfer(square, faces, normals, T_world_cam)
    np.testing.assert_allclose(T[0], irradiance_of(np.array([[0.0, 0.0, 1.0]]))[0], atol=0.05)


def test_drawn_lights_are_the_renderers() -> None:
    lighting = replace(sample_lighting(np.random.default_rng(3), "city"), area_lights=())
    directions, power = light_cells("city")
    light = coefficients(lighting, harmonics(directions).T @ power / (4 * np.pi))
    normals = fibonacci_sphere(60)
    expected = received_light(lighting.to_json(), "city", np.zeros_like(normals), normals)
    np.testing.assert_allclose(irradiance_of(normals) @ light, expected, atol=0.06 * expected.max())
    prior = light_prior()
    assert exposure(prior.mean).min() > 0.6 and exposure(prior.mean).max() < 1.1
    # From above rather than from below, and not from one side.
    up, side = irradiance_of(np.array([[0, 1.0, 0], [0, -1, 0]])) @ prior.mean, np.array([[1.0, 0, 0], [-1, 0, 0]])
    assert (up[0] > 1.5 * up[1]).all()
    np.testing.assert_allclose(*(irradiance_of(side) @ prior.mean), rtol=1e-6)


@pytest.mark.parametrize("hair", [None, (0.022, 0.013, 0.008), (0.27, 0.18, 0.09)])
@pytest.mark.parametrize("beard", [0.0, 0.6])
def test_light_and_skin_are_told_apart(beard: float, hair: tuple[float, float, float] | None) -> None:
    """Half a ball is a face, its lower part may be under a beard; the top is a scalp."""
    rng = np.random.default_rng(0)
    normals = fibonacci_sphere(4000)
    normals = normals[normals[:, 2] > 0.1]
    T, G = irradiance_of(normals), 0.03 * harmonics(normals)
    pattern = skin_albedo(np.full(len(normals), 0.3, np.float32), np.full(len(normals), 0.5, np.float32))
    pattern = pattern * np.exp(0.1 * rng.standard_normal((len(normals), 3)))
    tone = skin_albedo(np.float32([0.5]), np.float32([0.4]))[0] / skin_albedo(np.float32([0.3]), np.float32([0.5]))[0]
    skin = pattern * tone * np.exp(0.05 * rng.standard_normal((len(normals), 3)))
    scalp, bearded = normals[:, 1] > 0.6, normals[:, 1] < -0.3
    if hair is not None:
        skin[scalp] = np.array(hair) * np.exp(0.2 * rng.standard_normal((scalp.sum(), 1)))
    skin[bearded] = beard * np.array([0.022, 0.013, 0.008]) + (1 - beard) * skin[bearded]
    samples, truth = [], []
    for side in (-1, 1):
        lamp = np.array([[0.6 * side, 0.4, 0.7]])
        light = 0.25 * harmonics(lamp / np.linalg.norm(lamp)).T * np.array([0.55, 0.5, 0.45])
        light[0] += [0.45, 0.5, 0.5]
        samples.append(Sample(skin * (T @ light) + G @ light, np.ones(len(T)), T, G))
        truth.append(light)
    found = estimate_light(samples, SkinModel(pattern, np.where(bearded, 0.05, 1.0), scalp))
    ratios = [T @ ours / (T @ true) for ours, true in zip(found.lights, truth, strict=True)]
    # One gain for all views and places is what exposure leaves open.
    gain = np.median(np.concatenate(ratios), axis=0)
    face = ~scalp & ~bearded
    for ratio in ratios:
        assert np.percentile(np.abs(ratio / gain - 1)[face], 90) < 0.12
        # A beard that were shadow would leave 0.42 of the light; lights are taken to come less from below than these.
        assert np.median((ratio / gain)[bearded]) > 0.7
    np.testing.assert_allclose(found.tone * gain, np.median(pattern * tone, axis=0), rtol=0.2)
    # Pigments have no say in how bright it is, but in its colour.
    assert np.ptp(np.log(gain)) < 0.15
    assert (found.hair is None) == (hair is None)
    if hair is not None and found.hair is not None:
        assert np.abs(np.log(found.hair * gain / np.array(hair))).max() < 0.6


def test_the_division_is_bounded() -> None:
    colour = np.full((3, 3), 0.2)
    albedo = unlit(colour, np.array([[0.0], [1.0], [100.0]]) * np.ones(3), np.zeros((3, 3)))
    np.testing.assert_allclose(albedo[1], 0.2)
    assert (albedo > 0.05).all() and (albedo <= 0.96).all()
    assert (unlit(colour, np.ones((3, 3)), np.ones((3, 3))) > 0.05).all(), "gloss cannot take everything"


def test_a_face_that_is_lit_from_one_side_is_exposed_less() -> None:
    """Its bright side must not be more than white; how bright pictures are does not say how light is spread."""
    even = np.zeros((BASIS, 3))
    even[0] = FACE_EXPOSURE
    np.testing.assert_allclose(exposure(even), 1, rtol=1e-6)
    np.testing.assert_allclose(exposure(0.5 * even), 0.5, rtol=1e-6)
    lamp = harmonics(np.array([[1.0, 0.2, 0.3]]) / np.linalg.norm([1.0, 0.2, 0.3])).T * np.ones(3)
    received = irradiance_of(face_normals()) @ lamp
    sidelong = lamp * BRIGHTEST / received.max()
    assert np.maximum(irradiance_of(face_normals()) @ sidelong, 0).mean() < 0.75 * FACE_EXPOSURE
    np.testing.assert_allclose(exposure(sidelong), 1, rtol=1e-6)
    # A coloured light keeps its colour.
    np.testing.assert_allclose(exposure(even * [1.2, 1.0, 0.8]) @ [0.2126, 0.7152, 0.0722], 1, atol=0.03)
    assert np.ptp(exposure(even * [1.2, 1.0, 0.8])) == pytest.approx(0.4, rel=0.05)


def test_shine_is_taken_from_dark_hair_and_little_from_fair() -> None:
    scalp = np.array([True, True, False])
    black, fair = np.array([0.007, 0.006, 0.005]), np.array([0.27, 0.18, 0.09])
    for hair, expected in ((black, black), (fair, None)):
        seen = np.log(np.stack([hair + 0.05, hair, hair + 0.05]))
        blended = Blended(seen, np.zeros((4, 3), np.float32), np.ones(3), np.ones(4, np.float32))
        result = np.exp(without_shine(blended, scalp, hair).broad)
        np.testing.assert_allclose(result[1:], np.exp(seen[1:]), rtol=1e-9)
        assert (result[0] < np.exp(seen[0])).all() and (result[0] > hair).all()
        if expected is not None:
            np.testing.assert_allclose(result[0], expected, rtol=0.15)
        else:
            assert (result[0] > hair + 0.008).all()
