"""Ray casting against a search through every triangle."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ffngen.dataset.raycast import EDGE_SHIFT, cast_frame
from ffngen.errors import MissingPackageError
from ffngen.geometry.camera import Camera


def bumpy_sphere(seed: int, bumps: float = 0.03) -> tuple[np.ndarray, np.ndarray]:
    """A closed mesh with folds that hide each other; (V, 3) float32 and (F, 3) int32."""
    rings, sectors = 14, 20
    theta = np.linspace(0.05, np.pi - 0.05, rings)[:, None]
    phi = np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    radius = 0.1 + np.random.default_rng(seed).uniform(-bumps, bumps, (rings, sectors))
    x, y, z = np.sin(theta) * np.cos(phi), np.cos(theta) * np.ones(sectors), np.sin(theta) * np.sin(phi)
    vertices = (radius[..., None] * np.stack([x, y, z], axis=-1)).reshape(-1, 3).astype(np.float32)
    i, j = np.mgrid[: rings - 1, :sectors]
    a, b = i * sectors + j, i * sectors + (j + 1) % sectors
    faces = np.concatenate([np.stack([a, b, a + sectors], -1), np.stack([b, b + sectors, a + sectors], -1)])
    return vertices, faces.reshape(-1, 3).astype(np.int32)


def camera(width: int = 48, height: int = 40) -> Camera:
    T = np.eye(4)
    T[:3, :3] = np.diag([1.0, -1.0, -1.0])
    T[:3, 3] = [0.02, -0.01, 0.6]
    return Camera(np.array([[90.0, 0, 21.3], [0, 110.0, 18.2], [0, 0, 1]]), T, width, height)


def brute_force(vertices: np.ndarray, faces: np.ndarray, cam: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Moeller and Trumbore's test of every ray against every triangle, in world coordinates."""
    origin, rays = cam.pixel_rays()
    a, b, c = (vertices[faces[:, i]].astype(np.float64) for i in range(3))
    edge1, edge2 = b - a, c - a
    best, index = np.full(rays.shape[:2], np.inf), np.full(rays.shape[:2], -1)
    for f in range(len(faces)):
        p = np.cross(rays, edge2[f])
        determinant = p @ edge1[f]
        s = origin - a[f]
        u = p @ s / determinant
        q = np.cross(s, edge1[f])
        v = rays @ q / determinant
        z = edge2[f] @ q / determinant
        closer = (u >= 0) & (v >= 0) & (u + v <= 1) & (z > 0) & (z < best)
        best[closer], index[closer] = z[closer], f
    return best, index


def test_first_hits_are_those_of_brute_force() -> None:
    pytest.importorskip("embreex")
    vertices, faces = bumpy_sphere(0)
    cam = camera()
    cast = cast_frame(vertices, faces, cam)
    depth, index = brute_force(vertices, faces, cam)
    assert 0.2 < cast.hit.mean() < 0.7
    np.testing.assert_array_equal(cast.triangle, index)
    np.testing.assert_allclose(cast.depth[cast.hit], depth[cast.hit], rtol=1e-12)
    assert np.isinf(cast.depth[~cast.hit]).all()
    np.testing.assert_allclose(cast.barycentric[cast.hit].sum(axis=-1), 1)
    points = np.einsum("pc,pcx->px", cast.barycentric[cast.hit], vertices[faces[cast.triangle[cast.hit]]])
    pixels, _ = cam.project(points)
    np.testing.assert_allclose(pixels, np.argwhere(cast.hit)[:, ::-1], atol=1e-9)


def test_flow_is_the_projected_motion() -> None:
    pytest.importorskip("embreex")
    vertices, faces = bumpy_sphere(1)
    moved, _ = bumpy_sphere(2)
    cam = camera()
    cast = cast_frame(vertices, faces, cam)
    flow = cast.flow_to(moved, cam)
    assert (flow[~cast.hit] == 0).all()
    points = np.einsum("pc,pcx->px", cast.barycentric[cast.hit], moved[faces[cast.triangle[cast.hit]]])
    expected = cam.project(points)[0] - np.argwhere(cast.hit)[:, ::-1]
    np.testing.assert_allclose(flow[cast.hit], expected, atol=1e-9)
    np.testing.assert_allclose(cast.flow_to(vertices, cam), 0, atol=1e-9)


def test_mesh_beside_the_image() -> None:
    pytest.importorskip("embreex")
    vertices, faces = bumpy_sphere(0)
    for offset in ([10, 0, 0], [0, -10, 0]):
        cast = cast_frame(vertices + np.float32(offset), faces, camera())
        assert not cast.hit.any()
        assert not cast.silhouette(((vertices, cast.camera),)).any()


def test_a_still_seam_is_no_edge_but_a_parting_one_is() -> None:
    """Two sheets that touch without a common vertex, as closed lips do."""
    pytest.importorskip("embreex")
    upper = np.array([[-0.2, 0, 0], [0.2, 0, 0], [0.2, 0.2, 0], [-0.2, 0.2, 0]], np.float32)
    lower = upper - np.float32([0, 0.2, 0])
    vertices = np.concatenate([upper, lower])
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]], np.int32)
    cast = cast_frame(vertices, faces, camera())
    assert cast.hit.all()
    assert not cast.silhouette(((vertices + np.float32([0.01, 0, 0]), cast.camera),)).any()
    parted = vertices + np.where(np.arange(8)[:, None] < 4, np.float32([0, 0.01, 0]), np.float32(0))
    rows = np.nonzero(cast.silhouette(((vertices, cast.camera), (parted, cast.camera))).all(axis=1))[0]
    # World y = 0 projects to v = 18.2 - 110 * 0.01 / 0.6.
    assert rows.tolist() == [16, 17]


def test_an_edge_that_grazes_a_pixels_centre() -> None:
    """A needle too thin for any neighbour to see, which ends just beside one pixel's centre."""
    pytest.importorskip("embreex")
    cam = camera()
    origin = cam.position
    wall = np.array([[-1, -1, -0.3], [1, -1, -0.3], [0, 2, -0.3]])

    def at(u: float, v: float) -> np.ndarray:
        ray = np.linalg.inv(cam.K) @ [u, v, 1]
        return origin + 0.5 * (cam.T_world_cam[:3, :3] @ ray)

    for gap, expected in ((EDGE_SHIFT / 2, True), (4 * EDGE_SHIFT, False)):
        needle = np.array([at(20 + gap, 20.0), at(20.4, 19.8), at(20.4, 20.2)])
        vertices = np.concatenate([wall, needle]).astype(np.float32)
        cast = cast_frame(vertices, np.array([[0, 1, 2], [3, 4, 5]], np.int32), cam)
        assert cast.hit.all()
        assert not cast.silhouette(((vertices, cast.camera),)).any()
        near = cast.near_edge(np.ones(cast.hit.shape, dtype=bool), ((vertices, cam),))
        assert near[20, 20] == expected
        assert near.sum() == expected


def test_missing_embree_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embreex.rtcore_scene", None)
    monkeypatch.setitem(sys.modules, "embreex.mesh_construction", None)
    with pytest.raises(MissingPackageError, match=r"pip install \"ffngen\[render\]\""):
        cast_frame(*bumpy_sphere(0), camera())
