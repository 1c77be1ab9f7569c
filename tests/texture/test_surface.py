"""Functions on a surface: constants stay, gaps are filled, mirror images are found, views join."""

from __future__ import annotations

import numpy as np
import trimesh

from ffngen.texture.blend import blend
from ffngen.texture.complete import mirror_of
from ffngen.texture.surface import Surface


def sheet(cells: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """A square sheet of unit size in the plane z = 0."""
    u, v = np.meshgrid(np.linspace(0, 1, cells + 1), np.linspace(0, 1, cells + 1), indexing="ij")
    vertices = np.stack([u.ravel(), v.ravel(), np.zeros(u.size)], axis=1)
    corner = (np.arange(cells)[:, None] * (cells + 1) + np.arange(cells)).ravel()
    lower = np.stack([corner, corner + cells + 1, corner + 1], axis=1)
    upper = np.stack([corner + cells + 1, corner + cells + 2, corner + 1], axis=1)
    return vertices, np.concatenate([lower, upper])


def texels(vertices: np.ndarray, faces: np.ndarray, count: int = 20_000) -> tuple[Surface, np.ndarray]:
    rng = np.random.default_rng(0)
    face = rng.integers(len(faces), size=count)
    barycentric = rng.dirichlet(np.ones(3), size=count).astype(np.float32)
    corners = faces[face]
    places = np.einsum("nc,ncx->nx", barycentric, vertices[corners])
    return Surface(len(vertices), faces, corners, barycentric), places


def test_linear_functions_pass_through_and_back() -> None:
    vertices, faces = sheet()
    surface, places = texels(vertices, faces)
    at_vertices = vertices[:, :2] @ np.array([[1.0, -2.0], [0.5, 3.0]])
    at_texels = surface.spread(at_vertices)
    np.testing.assert_allclose(at_texels, places[:, :2] @ np.array([[1.0, -2.0], [0.5, 3.0]]), atol=1e-5)
    mean, total = surface.gather(at_texels, np.ones(len(places), dtype=np.float32))
    inner = ((vertices[:, :2] > 0.1) & (vertices[:, :2] < 0.9)).all(axis=1)
    np.testing.assert_allclose(mean[inner], at_vertices[inner], atol=0.05)
    assert np.isclose(total.sum(), len(places))


def test_a_gap_is_filled_from_one_border_to_the_other() -> None:
    vertices, faces = sheet()
    surface, _ = texels(vertices, faces)
    known = (vertices[:, 0] < 0.11) | (vertices[:, 0] > 0.89)
    values = np.where(known, vertices[:, 0], 77.0)[:, None]
    filled = surface.fitted(values, known * 1e4, 1.0)[:, 0]
    # Beside the sheet's own border, edges pull to one side.
    inner = np.abs(vertices[:, 1] - 0.5) < 0.2
    np.testing.assert_allclose(filled[inner], vertices[inner, 0], atol=0.06)
    assert np.isclose(surface.smallest_near(np.arange(len(vertices), dtype=float))[30], 9)


def test_two_views_of_different_exposure_join_without_a_step() -> None:
    vertices, faces = sheet()
    surface, places = texels(vertices, faces, 60_000)
    pattern = 0.05 * np.sin(200 * places[:, :1]) * np.ones(3)
    left = np.where(places[:, 0] < 0.6, 1.0, 0.0).astype(np.float32)
    right = np.where(places[:, 0] > 0.4, 1.0, 0.0).astype(np.float32)
    logs = [(pattern + gain).astype(np.float32) for gain in (-0.2, 0.2)]
    together = blend(surface, logs, [left, right])
    result = surface.spread(together.broad) + together.fine
    smooth = (result - pattern)[:, 0]
    order = np.argsort(places[:, 0])
    profile = np.convolve(smooth[order], np.ones(600) / 600, mode="valid")
    # 600 texels are a hundredth of the sheet's width; a seam would be a step of 0.4 within one.
    assert np.abs(np.diff(profile[::600])).max() < 0.08
    assert profile[0] < -0.15 and profile[-1] > 0.15
    assert np.abs(smooth[order] - np.interp(np.arange(len(order)), np.arange(len(profile)) + 300, profile)).max() < 0.05


def test_mirror_images() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.1)
    points = np.asarray(ball.vertices, dtype=np.float32) + np.array([0.01, 0, 0], dtype=np.float32)
    normals = np.asarray(ball.vertex_normals, dtype=np.float32)
    images = mirror_of(points, normals, np.arange(len(points)), 0.01)
    assert (images >= 0).all()
    np.testing.assert_allclose(points[images], points * [-1, 1, 1] + [0.02, 0, 0], atol=0.008)
    one_sided = points[:, 0] > 0.03
    assert (mirror_of(points[one_sided], normals[one_sided], np.arange(5), 0.01) == -1).all()
