from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ffngen.appearance.uv_raster import PADDING, rasterise
from ffngen.errors import HeadModelError
from ffngen.head.model import HeadModel
from ffngen.head.uv_map import UvMap

SIZE = 128


def test_agrees_with_a_search_over_all_faces(made_head: HeadModel) -> None:
    raster = rasterise(made_head, SIZE)
    assert made_head.uv is not None
    corners = made_head.uv.per_corner().astype(np.float64)
    found = dict(zip(raster.texels.tolist(), range(len(raster.texels)), strict=True))
    rng = np.random.default_rng(0)
    hits = misses = 0
    for texel in rng.integers(0, SIZE * SIZE, 400).tolist():
        point = np.array([texel % SIZE + 0.5, SIZE - (texel // SIZE + 0.5)]) / SIZE
        edges = np.roll(corners, -1, axis=1) - corners
        to_point = point - corners
        side = edges[..., 0] * to_point[..., 1] - edges[..., 1] * to_point[..., 0]
        containing = np.flatnonzero((side >= 0).all(axis=1) | (side <= 0).all(axis=1))
        index = found.get(texel)
        if len(containing) == 0:
            misses += 1
            assert index is None or not raster.covered[index]
            continue
        hits += 1
        assert index is not None and raster.covered[index]
        # On a shared edge either face is right.
        weights = raster.barycentric[index].astype(np.float64)
        assert weights.min() >= -1e-3
        assert weights @ corners[raster.face[index]] == pytest.approx(point, abs=1e-5)
        vertices = made_head.template[made_head.faces[raster.face[index]]]
        assert weights @ vertices == pytest.approx(raster.position[index], abs=1e-6)
    assert hits > 100 and misses > 20


def test_covered_area_is_that_of_the_faces(made_head: HeadModel) -> None:
    assert made_head.uv is not None
    a, b, c = np.moveaxis(made_head.uv.per_corner().astype(np.float64), 1, 0)
    ab, ac = b - a, c - a
    area = 0.5 * np.abs(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]).sum()
    mask = rasterise(made_head, 512).mask()
    assert mask.mean() == pytest.approx(area, rel=0.01)


def test_padding_surrounds_every_island(made_head: HeadModel) -> None:
    raster = rasterise(made_head, SIZE)
    painted = np.zeros((SIZE, SIZE), dtype=bool)
    painted.ravel()[raster.texels] = True
    rows, columns = np.nonzero(raster.mask())
    for shift in (-PADDING, PADDING):
        assert painted[rows, np.clip(columns + shift, 0, SIZE - 1)].all()
        assert painted[np.clip(rows + shift, 0, SIZE - 1), columns].all()
    assert not painted.all()
    # Padding continues its face: it stays near the surface and is finite.
    assert np.isfinite(raster.position).all()
    assert raster.barycentric.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.abs(raster.position).max() < 0.3


def test_normals_point_out_of_the_head(made_head: HeadModel) -> None:
    raster = rasterise(made_head, SIZE)
    skin = raster.face < 48 * 72 * 2
    outward = raster.position[skin] - np.array([0.0, 0.01, -0.06], dtype=np.float32)
    assert ((raster.normal[skin] * outward).sum(axis=1) > 0).all()
    assert np.linalg.norm(raster.normal, axis=1) == pytest.approx(1, abs=1e-4)


def test_a_face_without_area_in_the_atlas_covers_nothing(made_head: HeadModel) -> None:
    assert made_head.uv is not None
    faces = made_head.uv.faces.copy()
    faces[0] = faces[0, 0]
    faces[1] = faces[1, [0, 1, 1]]
    model = dataclasses.replace(made_head, uv=UvMap(made_head.uv.coordinates, faces))
    raster = rasterise(model, SIZE)
    assert not np.isin(raster.face, [0, 1]).any()
    assert np.isfinite(raster.position).all()


def test_texture_coordinates_outside_the_square_do_no_harm(made_head: HeadModel) -> None:
    assert made_head.uv is not None
    model = dataclasses.replace(made_head, uv=UvMap(made_head.uv.coordinates * 3 - 1, made_head.uv.faces))
    raster = rasterise(model, 64)
    assert raster.texels.min() >= 0 and raster.texels.max() < 64 * 64
    assert np.isfinite(raster.position).all()


def test_is_remembered(made_head: HeadModel) -> None:
    assert rasterise(made_head, SIZE) is rasterise(made_head, SIZE)
    assert rasterise(made_head, SIZE) is not rasterise(made_head, SIZE // 2)


@pytest.mark.parametrize("size", [0, -4, 8, 8193])
def test_refuses_impossible_sizes(made_head: HeadModel, size: int) -> None:
    with pytest.raises(HeadModelError, match="outside 16 to 8192"):
        rasterise(made_head, size)


def test_refuses_a_model_without_texture_coordinates(made_head: HeadModel) -> None:
    with pytest.raises(HeadModelError, match="no texture coordinates"):
        rasterise(dataclasses.replace(made_head, uv=None), SIZE)


def test_refuses_an_atlas_that_covers_no_texel(made_head: HeadModel) -> None:
    assert made_head.uv is not None
    nowhere = UvMap(made_head.uv.coordinates * 0, made_head.uv.faces)
    with pytest.raises(HeadModelError, match="cover no part"):
        rasterise(dataclasses.replace(made_head, uv=nowhere), SIZE)
