"""Light that reaches the camera past the splats before a point: occlusion by transmittance."""

from __future__ import annotations

import numpy as np
import pytest
from made_dataset import camera
from made_gaussians import cloud

from ffngen.splat.flow import ray_depth
from ffngen.splat.projection import LEAST, MOST, project

pytest.importorskip("numba", reason="numba is not installed")


def test_light_is_what_nearer_splats_leave() -> None:
    from ffngen.splat.fast import light_before

    splats = project(cloud(400, 9), camera())
    rays = ray_depth(splats)
    rng = np.random.default_rng(1)
    places, depths = rng.uniform([0, 0], [159, 119], size=(300, 2)), rng.uniform(0.6, 1.6, size=300)
    found = light_before(splats, rays, places, depths)
    inverse = np.linalg.inv(splats.planar)
    for place, depth, light in zip(places, depths, found, strict=True):
        offset = place - splats.pixels
        weight = np.minimum(splats.opacities * np.exp(-np.einsum("ni,nij,nj->n", offset, inverse, offset) / 2), MOST)
        p = np.append(place, 1)
        squares = np.array([p[0] ** 2, p[0] * p[1], p[0], p[1] ** 2, p[1], 1])
        s = np.clip((rays.n @ p) / (rays.Q @ squares), rays.low, rays.high)
        before = (s < depth) & (weight >= LEAST)
        assert light == pytest.approx(np.prod(1 - weight[before]), abs=1e-9)
    assert found.min() < 0.05 and found.max() > 0.95


def test_beside_the_picture_nothing_is_in_the_way() -> None:
    from ffngen.splat.fast import light_before

    splats = project(cloud(50, 9), camera())
    places = np.array([[-3.0, 10], [10, 400], [np.nan, 5]])
    assert (light_before(splats, ray_depth(splats), places, np.full(3, 9.0)) == 1).all()
