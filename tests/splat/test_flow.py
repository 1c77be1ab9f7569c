"""The three ways to flow against closed forms on a panel, and against rays on a head."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_dataset import HEIGHT, WIDTH, camera, camera_of, rotation
from made_gaussians import one_person
from scipy import ndimage

from ffngen.geometry.camera import Camera
from ffngen.head.load import load_head
from ffngen.head.uv_map import UvMap
from ffngen.splat.binding import pose, triangle_motion
from ffngen.splat.flow import FlowMode, ray_depth, splat_motion
from ffngen.splat.image import SplatImage
from ffngen.splat.projection import project
from ffngen.splat.rasterise import rasterise
from ffngen.splat.surface import surface_avatar

pytest.importorskip("numba", reason="numba is not installed")
MODES: tuple[FlowMode, ...] = ("mean", "gaussianflow", "affine")

GRID = 9
CORNER = (np.arange(GRID - 1)[:, None] * GRID + np.arange(GRID - 1)).ravel()
FACES = np.concatenate(
    [
        np.stack([CORNER, CORNER + 1, CORNER + GRID], axis=1),
        np.stack([CORNER + 1, CORNER + GRID + 1, CORNER + GRID], axis=1),
    ]
).astype(np.int32)
#: A parallelogram that leans away from the camera: centre and half-sides.
PANEL = np.array([[0.0, 0, 0], [0.2, 0.02, 0.05], [0.01, 0.2, -0.08]])


def panel_mesh(panel: np.ndarray) -> np.ndarray:
    a, b = np.meshgrid(np.linspace(-1, 1, GRID), np.linspace(-1, 1, GRID))
    return panel[0] + a.reshape(-1, 1) * panel[1] + b.reshape(-1, 1) * panel[2]


def panel_model() -> Any:
    a, b = np.meshgrid(np.linspace(0, 1, GRID), np.linspace(0, 1, GRID))
    coordinates = np.stack([a.ravel(), b.ravel()], axis=1).astype(np.float32)
    return SimpleNamespace(faces=FACES, uv=UvMap(coordinates, FACES), path=Path("made"))


def splatted(
    model: Any,
    neutral: np.ndarray,
    now: np.ndarray,
    laters: list[np.ndarray],
    mode: FlowMode,
    *cameras: Camera,
    count: int,
) -> SplatImage:
    texture = np.full((8, 8, 3), 128, np.uint8)
    avatar = surface_avatar(model, neutral, texture, count=count)
    splats = project(pose(avatar, now, model.faces), cameras[0])
    motions = [
        splat_motion(
            mode,
            splats,
            pose(avatar, later, model.faces),
            triangle_motion(now, later, model.faces[avatar.triangles]),
            cameras[-1],
        )
        for later in laters
    ]
    return rasterise(splats, ray_depth(splats), motions)


def closed_form(panel: np.ndarray, later: np.ndarray, cam: Camera, later_cam: Camera) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 2) flow of the panel's plane, and (H, W) its depth there; by one linear system for each pixel."""
    origin, rays = cam.pixel_rays()
    system = np.stack([np.broadcast_to(panel[1], rays.shape), np.broadcast_to(panel[2], rays.shape), -rays], axis=-1)
    a, b, _ = np.moveaxis(
        np.linalg.solve(system, np.broadcast_to(origin - panel[0], rays.shape)[..., None])[..., 0], -1, 0
    )
    pixels, depth = later_cam.project(later[0] + a[..., None] * later[1] + b[..., None] * later[2])
    u, v = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    return pixels - np.stack([u, v], axis=-1), depth


def turned(x: float, y: float, z: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda panel: panel @ rotation(x, y, z).T


def shifted(x: float, y: float, z: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda panel: panel + np.array([[x, y, z], [0, 0, 0], [0, 0, 0]])


MOTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "in-plane rotation": turned(0, 0, 0.17),
    "out-of-plane rotation": turned(0.2, -0.25, 0),
    "translation": shifted(0.03, -0.02, 0),
    "towards the camera": shifted(0, 0, 0.15),
    "scale": lambda panel: 1.15 * panel,
    "shear": lambda panel: panel + np.array([[0, 0, 0], [0.0, 0.04, 0], [0.03, 0, 0]]),
}


@pytest.mark.parametrize("name", MOTIONS)
def test_affine_flow_of_a_panel_is_exact(name: str) -> None:
    """Wherever alpha is more than a half, by a camera that is off-centre and has unequal focal lengths."""
    later = MOTIONS[name](PANEL)
    true, depth = closed_form(PANEL, later, camera(), camera())
    errors = {}
    for mode in MODES:
        now, then = panel_mesh(PANEL), panel_mesh(later)
        image = splatted(panel_model(), now, now, [then], mode, camera(), count=3000)
        assert image.mask.sum() > 3000
        errors[mode] = np.hypot(*(image.flows[0] - true)[image.mask].T)
        if mode == "affine":
            assert np.abs(image.depths_after[0] - depth)[image.mask].max() < 1e-3
    assert np.abs(true[image.mask]).max() > 3
    assert errors["affine"].max() <= 0.01
    if name != "translation":
        assert np.mean(errors["mean"]) > 10 * np.mean(errors["affine"])


def test_a_camera_that_moves() -> None:
    first, second = camera_of(1, moves=True), camera_of(5, moves=True)
    later = turned(0.1, 0.05, -0.1)(PANEL)
    true, _ = closed_form(PANEL, later, first, second)
    now, then = panel_mesh(PANEL), panel_mesh(later)
    image = splatted(panel_model(), now, now, [then], "affine", first, second, count=3000)
    assert np.hypot(*(image.flows[0] - true)[image.mask].T).max() <= 0.01
    assert np.abs(true[image.mask]).max(axis=0).min() > 1


def test_flow_of_a_head_is_that_of_its_mesh() -> None:
    """A person turns, opens the jaw and smiles: facial, head-only and expression flow against rays at the triangles."""
    pytest.importorskip("embreex", reason="embreex is not installed")
    from ffngen.dataset.raycast import cast_frame

    model = load_head("open")
    vertices = one_person(model)
    neutral, now = vertices(0, 0, 0, 0), vertices(0.3, 0, 0.1, 0)
    facial, head = vertices(0.55, 0.5, 0.18, 0.05), vertices(0.3, 0, 0.18, 0.05)
    size = 256
    T = np.diag([1.0, -1, -1, 1])
    T[:3, 3] = [0.02, 0, 0.55]
    cam = Camera(np.array([[1.2 * size, 0, size * 0.48], [0, 1.25 * size, size * 0.5], [0, 0, 1]]), T, size, size)
    cast = cast_frame(now, model.faces, cam)
    edge = cast.silhouette(((facial, cam), (head, cam)))
    inside = ndimage.binary_erosion(cast.hit & ~edge, iterations=2)
    true = [cast.flow_to(later, cam)[inside] for later in (facial, head)]
    medians = {}
    for mode in MODES:
        image = splatted(model, neutral, now, [facial, head], mode, cam, count=50_000)
        assert image.mask[inside].mean() > 0.999
        found = [flow[inside] for flow in image.flows]
        wrong = [found[0] - true[0], found[1] - true[1], (found[0] - found[1]) - (true[0] - true[1])]
        medians[mode] = [float(np.median(np.hypot(*error.T))) for error in wrong]
        if mode == "affine":
            assert np.median(np.abs(image.depth[inside] - cast.depth[inside])) < 1e-3
    assert max(medians["affine"]) <= 0.05
    assert medians["mean"][0] > 2 * medians["affine"][0]
    assert np.median(np.hypot(*true[0].T)) > 3
