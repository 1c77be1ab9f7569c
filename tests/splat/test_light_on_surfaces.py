"""The light on Gaussians: lamps in closed form, openness on shapes for which it is known, and thin things."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from ffngen.appearance import received
from ffngen.appearance.received import received_light
from ffngen.geometry.normals import vertex_normals
from ffngen.splat.openness import openness
from ffngen.splat.surface import deviations, flat_gaussians, spread

pytest.importorskip("numba")


def test_a_lamp(monkeypatch: pytest.MonkeyPatch) -> None:
    """A surface 2 m below a lamp that shines down, one turned by 60 degrees, and one that faces away."""
    monkeypatch.setattr(received, "irradiance", lambda name, rotation, normals: np.full((len(normals), 3), np.pi))
    lamp = {"position": [0, 2, 0], "target": [0, 0, 0], "size": 0.1, "power": 40.0, "color": [1, 0.5, 0.25]}
    lighting = {"rotation": 0.0, "strength": 0.3, "area_lights": [lamp]}
    normals = np.array([[0, 1, 0], [np.sin(np.pi / 3), 0.5, 0], [0, -1.0, 0]])
    light = received_light(lighting, "none", np.zeros((3, 3)), normals)
    level = 40 / (np.pi**2 * 4)
    assert light == pytest.approx(0.3 + level * np.outer([1, 0.5, 0], [1, 0.5, 0.25]))


def test_a_ball_is_open_and_a_bowl_is_not() -> None:
    ball = trimesh.creation.icosphere(4, radius=0.1)
    assert openness(ball.vertices, ball.faces).min() > 0.9
    inside = ball.faces[:, ::-1]
    assert np.median(openness(ball.vertices, inside)) < 0.15


def test_normals() -> None:
    ball = trimesh.creation.icosphere(3, radius=0.1)
    normals = vertex_normals(np.asarray(ball.vertices), ball.faces)
    assert normals == pytest.approx(ball.vertices / 0.1, abs=0.02)


def test_small_triangles_get_small_gaussians() -> None:
    """A square metre and a strip of 2 mm x 1 m: the strip's are no wider than it, and cover as much."""
    square = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0.0]]
    strip = [[2, y, 0.0] for y in np.linspace(0, 1, 501)] + [[2.002, y, 0.0] for y in np.linspace(0, 1, 501)]
    vertices = np.array([*square, *strip])
    first = np.arange(500) + 4
    left = np.stack([first, first + 501, first + 1], axis=1)
    right = np.stack([first + 1, first + 501, first + 502], axis=1)
    faces = np.concatenate([[[0, 1, 2], [0, 2, 3]], left, right])
    count = 50_000
    widths = deviations(vertices, faces, count)
    assert widths[2:].max() < 0.0011 < 0.003 < widths[:2].min()
    places = spread(vertices, faces, count, seed=1)
    # As many as the widths leave room for: the area in squares of a width.
    on_strip = (places.triangles > 1).mean() * count
    expected = 0.002 / (widths[2] / 0.85) ** 2
    assert on_strip == pytest.approx(expected, rel=0.05)
    avatar = flat_gaussians(vertices, faces, places, np.zeros((count, 3)))
    # The height of the strip's triangles is 1.4 mm, half of which they may be wide.
    assert avatar.opacities.max() == 0.99
    assert avatar.opacities.min() == pytest.approx(0.99 * 0.0005 * np.sqrt(2) / widths[2])
