"""Occlusion by transmittance against closed forms on panels, and against rays on a head."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from made_dataset import BACKGROUND, HEIGHT, WIDTH, camera, camera_of, grid_faces, mesh
from made_gaussians import cloud, one_person
from scipy import ndimage

from ffngen.dataset.arrays import SequenceVertices
from ffngen.flow.warp import backward_warp
from ffngen.geometry.camera import Camera
from ffngen.geometry.plane import FacingPlane
from ffngen.head.load import load_head
from ffngen.splat.avatar import Avatar
from ffngen.splat.binding import triangle_frames
from ffngen.splat.projection import LEAST, MOST, project
from ffngen.splat.surface import flat_gaussians, spread, surface_avatar

pytest.importorskip("numba", reason="numba is not installed")

VISIBLE, HIDDEN, OUTSIDE = 0, 1, 2
#: A wall of Gaussians and a board before it, each a centre and two half-sides, in the axes of the camera.
WALL = np.array([[0.1, -0.08, 1.3], [0.4, 0.02, 0.06], [0.01, 0.33, -0.05]])
BOARD = np.array([[-0.03, 0.02, 1.0], [0.11, 0.01, 0.02], [-0.01, 0.1, 0.03]])
#: How far from an outline, in pixels, panels of Gaussians are what closed forms say.
CLEAR = 3.5
COUNT = 30_000


def in_world(panel: np.ndarray) -> np.ndarray:
    R, t = camera().T_world_cam[:3, :3], camera().T_world_cam[:3, 3]
    return np.stack([R @ panel[0] + t, R @ panel[1], R @ panel[2]])


def frames_of(avatar: Any, shots: list[np.ndarray], faces: np.ndarray, cameras: list[Camera]) -> Any:
    from ffngen.dataset.labels.splats import SplatFrames

    vertices = SequenceVertices(np.stack(shots), np.stack(shots[1:]), faces, np.arange(1, len(shots) + 1))
    metadata: Any = SimpleNamespace(
        background=FacingPlane(cameras[0], BACKGROUND),
        get_camera=lambda number: cameras[number - 1],
        splat={"flow_mode": "affine"},
    )
    return SplatFrames(vertices, metadata, avatar)


def panel_frames(shots: list[list[np.ndarray]], cameras: list[Camera], *, hair: bool = False) -> Any:
    faces, first = grid_faces(), mesh([in_world(panel) for panel in shots[0]])
    places = spread(first, faces, COUNT, 0)
    avatar = flat_gaussians(first, faces, places, np.full((COUNT, 3), 0.5))
    avatar = with_hair(avatar, first, faces) if hair else avatar
    return frames_of(avatar, [mesh([in_world(panel) for panel in shot]) for shot in shots], faces, cameras)


def with_hair(avatar: Avatar, vertices: np.ndarray, faces: np.ndarray, count: int = 6000) -> Avatar:
    """Faint, long Gaussians up to 5 cm before the wall's triangles, which come first; it lies between them."""
    rng = np.random.default_rng(3)
    triangles = rng.integers(len(faces) // 2, size=count)
    frames = triangle_frames(vertices, faces[triangles])
    towards = np.sign(np.einsum("nx,nx->n", frames.R[:, :, 1], camera().position - frames.T))
    means = rng.uniform(-0.5, 0.5, size=(count, 3))
    means[:, 1] = towards * rng.uniform(0, 0.05, size=count) / frames.k
    turns = rng.normal(size=(count, 4))
    hair = Avatar(
        means=means,
        rotations=turns / np.linalg.norm(turns, axis=1, keepdims=True),
        scales=np.array([[0.02, 0.002, 0.002]]) / frames.k[:, None],
        opacities=rng.uniform(0.1, 0.5, size=count),
        harmonics=np.zeros((count, 1, 3)),
        triangles=triangles,
    )
    both = {one.name: np.concatenate([getattr(hair, one.name), getattr(avatar, one.name)]) for one in fields(Avatar)}
    return Avatar(**both)


def met(panel: np.ndarray, cam: Camera, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(2, H, W): where on a panel pixels' rays meet it, by the homography from the panel to the picture."""
    c, e1, e2 = in_world(panel)
    H = cam.K @ cam.T_world_cam[:3, :3].T @ np.stack([e1, e2, c - cam.position], axis=1)
    x, y, w = np.moveaxis(np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(H).T, -1, 0)
    return np.stack([x / w, y / w])


def covers(panel: np.ndarray, cam: Camera, u: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether a panel is seen at pixels, and whether that is as clear as :data:`CLEAR` pixels around say."""
    around = [(0, 0), *((CLEAR * np.cos(a), CLEAR * np.sin(a)) for a in np.linspace(0, 2 * np.pi, 16))]
    found = []
    for x, y in around:
        found.append((np.abs(met(panel, cam, u + x, v + y)) <= 1).all(axis=0))
    return found[0], (np.stack(found) == found[0]).all(axis=0)


def fate(
    now: list[np.ndarray], then: list[np.ndarray], cam: Camera, later: Camera
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """What becomes of each pixel's point, where that is clear, its flow and its depth; by each panel's homography."""
    u, v = np.meshgrid(np.arange(WIDTH, dtype=float), np.arange(HEIGHT, dtype=float))
    seen, clear = [], np.ones(u.shape, bool)
    for panel in now:
        on, sure = covers(panel, cam, u, v)
        seen.append(on)
        clear &= sure
    # The board lies before the wall, and both before the surroundings, which stand still.
    axis, (origin, directions) = camera().T_world_cam[:3, 2], cam.pixel_rays()
    reach = (camera().position + BACKGROUND * axis - origin) @ axis
    place, depth = later.project(origin + (reach / (directions @ axis))[..., None] * directions)
    for panel, moved, on in zip(now, then, seen, strict=True):
        a, b = met(panel, cam, u, v)
        c, e1, e2 = in_world(moved)
        there, away = later.project(c + a[..., None] * e1 + b[..., None] * e2)
        place[on], depth[on] = there[on], away[on]
    x, y = place[..., 0], place[..., 1]
    hidden = np.zeros(u.shape, bool)
    for index, panel in enumerate(then):
        on, sure = covers(panel, later, x, y)
        # What lies before: the board before the wall's points, and either before the surroundings.
        before = ~seen[1] & (index == 1) | ~seen[0] & ~seen[1]
        hidden |= on & before
        clear &= sure | ~before
    result = np.where(hidden, HIDDEN, VISIBLE)
    margin = np.minimum(np.minimum(x, WIDTH - 1 - x), np.minimum(y, HEIGHT - 1 - y)) + 0.5
    result[margin < 0] = OUTSIDE
    return result, clear & (np.abs(margin) > 0.05), place - np.stack([u, v], axis=-1), depth


MOVES = {"right": (0.09, 0.0, 0.0), "left": (-0.09, 0.0, 0.0), "down": (0.0, 0.08, 0.0), "up": (0.0, -0.08, 0.0)}


@pytest.mark.parametrize("name", MOVES)
def test_a_board_slides_before_a_wall(name: str) -> None:
    """Off-centre, focal lengths unequal; the wall goes the other way, and partly out of the picture."""
    step = np.array([MOVES[name], (0, 0, 0), (0, 0, 0)])
    now, then = [WALL, BOARD], [WALL - 2 * step, BOARD + step]
    frames = panel_frames([now, then], [camera(), camera()])
    moments, outside = (("facial", 1), ("facial", 2)), 0
    for (one, other), (first, second) in (((now, then), moments), ((then, now), moments[::-1])):
        expected, clear, flow, depth = fate(one, other, camera(), camera())
        found = frames.occlusion(first, second)
        assert found.dtype == np.uint8
        assert clear.mean() > 0.25
        counts = np.bincount(expected[clear], minlength=3)
        assert counts[VISIBLE] > 1000 and counts[HIDDEN] > 200
        outside += counts[OUTSIDE]
        wrong = (found != expected) & clear
        assert not wrong.any(), (wrong.sum(), clear.sum())
        # A thousandth of the light comes through the board from the wall, which goes the other way.
        errors = np.abs(frames.flow(first, second) - flow)[clear]
        assert np.percentile(errors, 99) < 0.02 and errors.max() < 0.15
        assert np.abs(frames.depth_next(first, second) - depth)[clear].max() < 2e-3
    assert outside > 100


def test_the_camera_moves_and_the_panels_do_not() -> None:
    cameras = [camera_of(0, moves=True), camera_of(8, moves=True)]
    frames = panel_frames([[WALL, BOARD]] * 2, cameras)
    expected, clear, flow, depth = fate([WALL, BOARD], [WALL, BOARD], *cameras)
    moments = ("facial", 1), ("facial", 2)
    found = frames.occlusion(*moments)
    assert np.abs(frames.flow(*moments) - flow)[clear].max() < 0.02
    assert np.abs(frames.depth_next(*moments) - depth)[clear].max() < 1e-3
    assert (np.bincount(expected[clear], minlength=3)[[VISIBLE, OUTSIDE]] > 100).all()
    assert ((found != expected) & clear).sum() == 0


def test_nothing_hides_anything_where_nothing_moves() -> None:
    """Of a cloud as well, whose Gaussians hide each other: each shows the one at which half of its light is used up."""
    from ffngen.splat.occlusion import shown_splats

    frames = panel_frames([[WALL, BOARD]] * 2, [camera()] * 2)
    assert (frames.occlusion(("facial", 1), ("facial", 2)) == VISIBLE).sum() > 0.999 * WIDTH * HEIGHT
    assert not frames.flow(("facial", 1), ("facial", 2)).any()
    splats = project(cloud(300, 5), camera())
    found = shown_splats(splats)
    inverse = np.linalg.inv(splats.planar)
    for v, u in np.random.default_rng(2).integers([0, 0], [HEIGHT, WIDTH], size=(300, 2)):
        offset = np.array([u, v]) - splats.pixels
        weight = np.minimum(splats.opacities * np.exp(-np.einsum("ni,nij,nj->n", offset, inverse, offset) / 2), MOST)
        left = np.cumprod(1 - np.where(weight >= LEAST, weight, 0))
        assert found[v, u] == (np.argmax(left <= 0.5) if (left <= 0.5).any() else -1)
    assert 0.1 < (found >= 0).mean() < 0.95


def test_hair_hides_itself_at_all_times() -> None:
    """So it is hidden by what comes before it, and by nothing where nothing does."""
    moments, step = (("facial", 1), ("facial", 2)), np.array([(0.12, 0.05, 0.0), (0, 0, 0), (0, 0, 0)])
    still = panel_frames([[WALL, BOARD]] * 2, [camera()] * 2, hair=True).occlusion(*moments)
    assert (still == VISIBLE).all()
    frames = panel_frames([[WALL, BOARD], [WALL, BOARD + step]], [camera()] * 2, hair=True)
    found = frames.occlusion(*moments)
    expected, clear, _, _ = fate([WALL, BOARD], [WALL, BOARD + step], camera(), camera())
    assert (expected[clear] == HIDDEN).sum() > 200
    assert (found != expected)[clear].mean() < 0.01
    # Before a camera that moves, it hides itself otherwise, and most of it still not by half.
    moved = panel_frames([[WALL, BOARD]] * 2, [camera_of(t, moves=True) for t in (0, 2)], hair=True).occlusion(*moments)
    expected, clear, _, _ = fate([WALL, BOARD], [WALL, BOARD], camera_of(0, moves=True), camera_of(2, moves=True))
    assert (moved == VISIBLE)[clear & (expected == VISIBLE)].mean() > 0.99


def head_frames(count: int, size: int) -> tuple[Any, list[np.ndarray], np.ndarray, Camera]:
    """A person turns far, opens the jaw and smiles: a facial frame, the next one, and the head-only one."""
    model = load_head("open")
    vertices = one_person(model)
    shots = [vertices(0.3, 0, 0.1, 0), vertices(0.9, 0.2, 0.7, -0.1)]
    avatar = surface_avatar(model, vertices(0, 0, 0, 0), np.full((8, 8, 3), 128, np.uint8), count=count)
    T = np.diag([1.0, -1, -1, 1])
    T[:3, 3] = [0.02, 0, 0.6]
    cam = Camera(np.array([[1.9 * size, 0, size * 0.48], [0, 2 * size, size * 0.5], [0, 0, 1]]), T, size, size)
    return frames_of(avatar, shots, model.faces, [cam, cam]), shots, model.faces, cam


def test_labels_of_a_head_are_those_of_its_mesh() -> None:
    """Gaussians on the mesh against rays at it; and there and back leads to where it began."""
    pytest.importorskip("embreex", reason="embreex is not installed")
    from ffngen.dataset.raycast import cast_frame

    size = 192
    frames, shots, faces, cam = head_frames(60_000, size)
    casts = [cast_frame(shot, faces, cam) for shot in shots]
    moments = ("facial", 1), ("facial", 2)
    flows = [frames.flow(*moments), frames.flow(*moments[::-1])]
    reach = 4  # three standard deviations of the Gaussians
    v, u = np.mgrid[:size, :size]
    for i, j in ((0, 1), (1, 0)):
        edges = [casts[k].silhouette(((shots[1 - k], cam),)) for k in (i, j)]
        true = casts[i].flow_to(shots[j], cam)
        inside = casts[i].hit & ~ndimage.binary_dilation(edges[0], iterations=reach)
        assert inside.sum() > 2000
        # It moves by some 60 pixels, in three times the step that verify's bound is for.
        assert np.median(np.hypot(*(flows[i] - true)[inside].T)) < 0.1
        occlusion = frames.occlusion(moments[i], moments[j])
        # Where both frames show it further from edges than Gaussians reach, no pixel is wrong.
        far = backward_warp(ndimage.binary_dilation(edges[1], iterations=reach).astype(float), true)[0] == 0
        hidden = ~casts[i].visible_in(casts[j], shots[j])
        x, y = u + true[..., 0], v + true[..., 1]
        hidden &= (x > -0.5) & (y > -0.5) & (x < size - 0.5) & (y < size - 0.5)
        assert (inside & far).sum() > 1500
        assert ((occlusion == HIDDEN) != hidden)[inside & far].sum() <= 1
        # What the mesh hides is hidden, but for a few pixels along edges, and what it does not is mostly not.
        near = casts[i].hit & ~edges[0]
        assert (hidden & near).sum() > 200
        assert (occlusion == HIDDEN)[hidden & near].mean() > 0.95
        back, within = backward_warp(flows[j], flows[i])
        returned = np.hypot(*np.moveaxis(flows[i] + back, -1, 0))
        seen = inside & far & within & (occlusion == VISIBLE)
        assert np.median(returned[seen]) < 0.05 and np.percentile(returned[seen], 95) < 0.5
        # Beneath what hides it, another surface goes elsewhere.
        assert np.median(returned[hidden & near & within]) > 3
