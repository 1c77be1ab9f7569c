"""Light against closed forms: convex bodies, and a body that hides half of the sky."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from ffngen.appearance.uv_raster import vertex_normals
from ffngen.geometry.camera import Camera
from ffngen.geometry.sphere import fibonacci_sphere
from ffngen.texture.light import BASIS, DEGREES, gloss, harmonics, transfer
from ffngen.texture.occlusion import Occluder
from ffngen.texture.shading import Sample, estimate_light, unlit


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
    T = transfer(np.asarray(ball.vertices), np.asarray(ball.faces), normals)
    cosine = np.array([1.0, 2 / 3, 1 / 4, 0.0, -1 / 24])[DEGREES]
    assert np.abs(T - harmonics(normals) * cosine).max() < 0.09
    assert np.abs(T - harmonics(normals) * cosine).mean() < 0.01


def test_a_wall_hides_half_of_the_sky() -> None:
    floor = np.array([[-1, 0, -1], [1, 0, -1], [1, 0, 1], [-1, 0, 1.0]]) * 0.02
    wall = np.array([[0, -1, -1], [0, 1, -1], [0, 1, 1], [0, -1, 1.0]]) * 50 + [0.03, 0, 0]
    vertices = np.concatenate([floor, wall])
    faces = np.array([[0, 2, 1], [0, 3, 2], [4, 5, 6], [4, 6, 7]])
    up = np.tile([0.0, 1.0, 0.0], (8, 1))
    T = transfer(vertices, faces, up)
    # A wall that reaches up for ever takes half of what a floor beside it receives.
    np.testing.assert_allclose(T[:4, 0], 0.5, atol=0.03)
    free = Occluder(vertices, faces).is_free(floor, np.tile([1.0, 0, 0], (4, 1)))
    assert not free.any() and Occluder(vertices, faces).is_free(floor, -np.tile([1.0, 0, 0], (4, 1))).all()


def test_gloss_mirrors_what_lies_opposite() -> None:
    points, normals = np.zeros((1, 3)), np.array([[0, 0, 1.0]])
    G = gloss(points, normals, np.ones(1), np.array([1.0, 0, 1.0]) * 1e3)
    lamps = fibonacci_sphere(2000)
    brightest = lamps[int((harmonics(lamps) @ G[0]).argmax())]
    np.testing.assert_allclose(brightest, np.array([-1, 0, 1]) / np.sqrt(2), atol=0.1)
    straight = gloss(points, normals, np.ones(1), np.array([0, 0, 1e3]))[0, 0]
    assert straight == pytest.approx(0.028)
    assert gloss(points, normals, np.zeros(1), np.array([0, 0, 1e3]))[0, 0] == 0


def camera() -> Camera:
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    T[2, 3] = 1.0
    return Camera(np.array([[500.0, 0, 50], [0, 500, 50], [0, 0, 1]]), T, 101, 101)


@pytest.mark.parametrize("beard", [0.0, 0.25])
def test_light_and_skin_are_told_apart(beard: float) -> None:
    rng = np.random.default_rng(0)
    normals = fibonacci_sphere(4000)
    normals = normals[normals[:, 2] > 0.1]
    cosine = np.array([1.0, 2 / 3, 1 / 4, 0.0, -1 / 24])[DEGREES]
    T, G = harmonics(normals) * cosine, 0.03 * harmonics(normals)
    mean_skin = 0.3 * np.exp(0.1 * rng.standard_normal((len(normals), 3)))
    skin = mean_skin * [1.4, 1.0, 0.7] * np.exp(0.1 * rng.standard_normal((len(normals), 3)))
    skin[rng.random(len(skin)) < beard] = 0.02
    samples, truth = [], []
    for side in (-1, 1):
        light = np.zeros((BASIS, 3))
        light[0] = 0.7
        light[1:4] = side * np.array([[0.1, 0.12, 0.15], [0.0, 0.1, 0.1], [0.15, 0.1, 0.1]])
        # The front is exposed as it is taken to be.
        samples.append(Sample(skin * (T @ light) + G @ light, np.ones(len(T)), T, G))
        truth.append(light)
    lights, tone = estimate_light(samples, mean_skin, [camera(), camera()])
    ratios = [T @ ours / (T @ true) for ours, true in zip(lights, truth, strict=True)]
    # One gain for all views and places is what exposure and white balance leave open.
    gain = np.median(np.concatenate(ratios), axis=0)
    for ratio in ratios:
        assert np.percentile(np.abs(ratio / gain - 1), 95) < 0.08
    np.testing.assert_allclose(tone * gain, np.median(mean_skin * [1.4, 1.0, 0.7], axis=0), rtol=0.12)


def test_the_division_is_bounded() -> None:
    colour = np.full((3, 3), 0.2)
    albedo = unlit(colour, np.array([[0.0], [1.0], [100.0]]) * np.ones(3), np.zeros((3, 3)))
    np.testing.assert_allclose(albedo[1], 0.2)
    assert (albedo > 0.05).all() and (albedo <= 0.96).all()
    assert (unlit(colour, np.ones((3, 3)), np.ones((3, 3))) > 0.05).all(), "gloss cannot take everything"
