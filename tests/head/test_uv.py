"""The generated texture layout, on a closed ball with an open neck and two eyeballs."""

import numpy as np
import pytest

from ffngen.head.uv import cylindrical_uv

#: Rings 3 to 23 of 40 vertices, and the crown.
SKIN_VERTICES = 21 * 40 + 1


def _ball(centre: tuple[float, float, float], radius: float, rings: int, sectors: int, start: int = 1) -> tuple:
    """A ball of rings about z with poles; ``start`` > 1 leaves the rear pole open."""
    latitude = np.pi * np.arange(start, rings) / rings
    longitude = 2 * np.pi * np.arange(sectors) / sectors
    a, b = np.meshgrid(latitude, longitude, indexing="ij")
    points = np.stack([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), -np.cos(a)], axis=-1).reshape(-1, 3)
    faces = []
    for ring in range(len(latitude) - 1):
        for s in range(sectors):
            p, q = ring * sectors + s, ring * sectors + (s + 1) % sectors
            faces += [[p, q, q + sectors], [p, q + sectors, p + sectors]]
    poles = [[0.0, 0.0, 1.0]]
    front = len(points)
    last = (len(latitude) - 1) * sectors
    faces += [[last + s, last + (s + 1) % sectors, front] for s in range(sectors)]
    if start == 1:
        poles.append([0.0, 0.0, -1.0])
        faces += [[(s + 1) % sectors, s, front + 1] for s in range(sectors)]
    return np.concatenate([points, poles]) * radius + centre, np.array(faces)


@pytest.fixture(scope="module")
def head() -> tuple[np.ndarray, np.ndarray]:
    skin, skin_faces = _ball((0.0, 0.0, 0.0), 0.1, 24, 40, start=3)
    skin = skin[:, [0, 2, 1]] * [1.0, 1.0, -1.0]  # the open end down, still turned outwards
    left, left_faces = _ball((0.03, 0.02, 0.07), 0.012, 10, 16)
    right, right_faces = _ball((-0.03, 0.02, 0.07), 0.012, 10, 16)
    faces = [skin_faces, left_faces + len(skin), right_faces + len(skin) + len(left)]
    return np.concatenate([skin, left, right]), np.concatenate(faces).astype(np.int32)


def _areas(corners: np.ndarray) -> np.ndarray:
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2)


def test_layout_uses_the_square_without_overlap_or_reaching_across(head: tuple[np.ndarray, np.ndarray]) -> None:
    template, faces = head
    uv = cylindrical_uv(template, faces)
    corners = uv.per_corner().astype(np.float64)
    assert uv.coordinates.dtype == np.float32
    assert uv.faces.dtype == np.int32
    np.testing.assert_allclose(corners.min(axis=(0, 1)), 0.0, atol=1e-6)
    np.testing.assert_allclose(corners.max(axis=(0, 1)), 1.0, atol=1e-6)
    assert (corners.max(axis=1) - corners.min(axis=1)).max() < 0.12
    areas = _areas(corners)
    assert (areas > 0).all()  # nothing folded: with no face outside the square, nothing overlaps within a part
    assert 0.8 < areas.sum() < 1.0


def test_every_texture_vertex_is_of_one_vertex_and_only_seams_have_several(head: tuple) -> None:
    template, faces = head
    uv = cylindrical_uv(template, faces)
    owner = np.full(len(uv.coordinates), -1)
    owner[uv.faces.ravel()] = faces.ravel()
    assert (owner[uv.faces] == faces).all()
    counts = np.bincount(owner, minlength=len(template))
    several = np.flatnonzero(counts > 1)
    x, z = template[several, 0], template[several, 2]
    behind = (np.abs(x) < 0.02) & (z < 0.0)
    assert len(several) > 10
    assert (behind | (np.hypot(x, z) < 1e-6) | (several >= SKIN_VERTICES)).all()


def test_left_is_right_up_is_up_and_pupils_are_in_the_middle_of_their_tiles(head: tuple) -> None:
    template, faces = head
    uv = cylindrical_uv(template, faces)
    place = np.empty((len(template), 2))
    place[faces.ravel()] = uv.coordinates[uv.faces.ravel()]

    def at(point: tuple[float, float, float]) -> np.ndarray:
        return np.asarray(place[np.argmin(np.linalg.norm(template - point, axis=1))])

    assert at((0.09, 0.0, 0.02))[0] > at((0.0, 0.0, 0.1))[0] > at((-0.09, 0.0, 0.02))[0]
    assert at((0.0, 0.05, 0.09))[1] > at((0.0, 0.0, 0.1))[1] > at((0.0, -0.05, 0.09))[1]
    np.testing.assert_allclose(at((0.0, 0.0, 0.1))[0], 0.5, atol=0.02)
    for pupil in ((0.03, 0.02, 0.082), (-0.03, 0.02, 0.082)):
        assert np.abs(at(pupil)[0] % 0.5 - 0.25) < 0.01
        assert abs(at(pupil)[1] - 0.9) < 0.01


def test_one_part_uses_the_whole_square() -> None:
    template, faces = _ball((0.0, 0.0, 0.0), 0.1, 12, 16, start=2)
    uv = cylindrical_uv(template[:, [0, 2, 1]] * [1.0, 1.0, -1.0], faces.astype(np.int32))
    np.testing.assert_allclose(uv.coordinates.min(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(uv.coordinates.max(axis=0), 1.0, atol=1e-6)


def test_a_mesh_in_a_thousand_pieces_still_has_a_layout_inside_the_square() -> None:
    rng = np.random.default_rng(0)
    template = rng.normal(size=(3000, 3))
    uv = cylindrical_uv(template, np.arange(3000, dtype=np.int32).reshape(1000, 3))
    assert np.isfinite(uv.coordinates).all()
    assert uv.coordinates.min() >= 0.0
    assert uv.coordinates.max() <= 1.0
