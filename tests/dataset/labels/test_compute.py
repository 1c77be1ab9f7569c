"""Labels of planes and balls, whose truth is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from made_dataset import (
    BACKGROUND,
    HEIGHT,
    WIDTH,
    camera,
    camera_of,
    cast_panels,
    closed_form,
    grid_faces,
    mesh,
    panels,
    wall,
)

from ffngen.dataset.labels import compute
from ffngen.dataset.labels.compute import HIDDEN, OUTSIDE, VISIBLE
from ffngen.dataset.labels.read import disparity, scene_flow
from ffngen.dataset.labels.zbuffer import ProjectedMesh, SeenFrame
from ffngen.errors import DatasetError
from ffngen.geometry.camera import Camera
from ffngen.geometry.plane import FacingPlane

NOW, LATER = panels(1, 1), panels(2, 2)
PLANE = FacingPlane(camera(), BACKGROUND)


def seen(shape: list[np.ndarray], cam: Camera | None = None) -> SeenFrame:
    return SeenFrame.of(ProjectedMesh.of(mesh(shape), grid_faces(), cam or camera()))


def rays(pixels: np.ndarray) -> np.ndarray:
    """(..., 3), world, of depth 1."""
    K, R = camera().K, camera().T_world_cam[:3, :3]
    u, v = pixels[..., 0], pixels[..., 1]
    return np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], axis=-1) @ R.T


def panel_depth(panel: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The depth of a panel on the rays of pixels (P, 2), infinite beside it."""
    c, e1, e2 = panel
    direction = rays(pixels)
    system = np.stack([np.broadcast_to(e1, direction.shape), np.broadcast_to(e2, direction.shape), -direction], -1)
    target = np.broadcast_to(camera().T_world_cam[:3, 3] - c, direction.shape)[..., None]
    a, b, z = np.linalg.solve(system, target)[..., 0].T
    return np.where((np.abs(a) <= 1) & (np.abs(b) <= 1) & (z > 0), z, np.inf)


def interior(mask: np.ndarray) -> np.ndarray:
    """Pixels all of whose neighbours are the same."""
    padded = np.pad(mask, 1, mode="edge")
    around = [padded[i : i + HEIGHT, j : j + WIDTH] for i in range(3) for j in range(3)]
    return np.logical_and.reduce([other == mask for other in around])


def test_mask_depth_and_flow_there_and_back() -> None:
    flow, depth, mask = closed_form(NOW, LATER)
    first, second = seen(NOW), seen(LATER)
    assert (first.hit != mask).sum() <= 3
    same = first.hit & (mask == 1)
    error = np.hypot(*(compute.flow(first, second.mesh, PLANE) - flow)[same].T)
    assert np.percentile(error, 99) < 1e-4
    there = np.full(first.hit.shape, np.inf)
    there[first.hit] = first.mesh.surface_points(first.seen, first.weights)[:, 2]
    assert np.percentile(np.abs(there - depth)[same], 99) < 1e-6

    back, _, back_mask = closed_form(LATER, NOW)
    backward = compute.flow(second, first.mesh, PLANE)
    inside = interior(back_mask) & second.hit
    assert np.percentile(np.hypot(*(backward - back)[inside].T), 99) < 1e-4
    # Both axes, both signs, and not the forward flow turned about.
    assert np.abs(back[inside]).max(axis=0).min() > 2
    assert np.hypot(*(backward + flow)[inside & same].T).max() > 0.2
    assert (backward[~second.hit] == 0).all()


def test_still_parts_do_not_move_at_all() -> None:
    moved = [NOW[0], panels(1, 2)[1]]
    first, second = seen(NOW), seen(moved)
    flow = compute.flow(first, second.mesh, PLANE)
    _, _, _, places = cast_panels(NOW)
    nose = places[1][2]
    still = interior(nose) & ~nose
    assert (flow[still] == 0).all() and np.abs(flow[interior(nose) & nose]).min() > 0


def test_depth_next_and_scene_flow() -> None:
    flow, depth, mask = closed_form(NOW, LATER)
    first, second = seen(NOW), seen(LATER)
    after = compute.depth_next(first, second.mesh, PLANE)
    assert (after[~first.hit] == np.float32(BACKGROUND)).all()
    motion = scene_flow(depth, flow, after, camera())
    R = camera().T_world_cam[:3, :3]
    _, _, _, places = cast_panels(NOW)
    for (a, b, on), before, later in zip(places[:2], NOW, LATER, strict=True):
        weights = np.stack([np.ones_like(a), a, b], axis=-1)
        expected = (weights @ later - weights @ before) @ R
        on_top = interior(places[1][2]) & (places[1][2] == (before is NOW[1]))
        inside = interior(on) & on & interior(mask) & on_top
        assert np.abs(motion - expected)[inside].max() < 1e-5
        assert np.abs(expected[inside]).max() > 0.003


def test_disparity_is_what_a_second_camera_sees() -> None:
    """Both frames of a point that moves, each by a camera 6 cm to the right of ours."""
    _, depth, mask = closed_form(NOW, LATER)
    first, second = seen(NOW), seen(LATER)
    T = camera().T_world_cam.copy()
    T[:3, 3] += 0.06 * T[:3, 0]
    right = camera().moved(T)
    after = compute.depth_next(first, second.mesh, PLANE)
    points = first.mesh.surface_points(first.seen, first.weights), second.mesh.surface_points(first.seen, first.weights)
    for where, far in zip(points, (depth, after), strict=True):
        world = camera().T_world_cam[:3, :3] @ where.T + camera().T_world_cam[:3, 3:]
        left_u, right_u = (cam.project(world.T)[0][:, 0] for cam in (camera(), right))
        found = disparity(far, camera(), 0.06)[first.hit]
        same = (mask == 1)[first.hit]
        assert np.percentile(np.abs(found - (left_u - right_u))[same], 99) < 1e-3
    change = (disparity(after, camera(), 0.06) - disparity(depth, camera(), 0.06))[first.hit]
    assert np.abs(change).max() > 0.1


@pytest.mark.parametrize("order", [(NOW, LATER), (LATER, NOW)], ids=["forward", "backward"])
def test_occlusion(order: tuple[list[np.ndarray], list[np.ndarray]]) -> None:
    """The nose hides a part of the face, other than before, and both cover and uncover what is behind."""
    before, after = order
    found = compute.occlusion(seen(before), seen(after), PLANE)
    _, mask, _, places = cast_panels(before)
    expected = np.full((HEIGHT, WIDTH), VISIBLE)
    expected[~mask & cast_panels(after)[1]] = HIDDEN
    for k, (a, b, on) in enumerate(places[:2]):
        points = np.stack([np.ones_like(a), a, b], axis=-1)[on] @ after[k]
        place, depth = camera().project(points)
        other = panel_depth(after[1 - k], place)
        expected[on] = np.where(other < depth - 5e-4, HIDDEN, VISIBLE)
    away = interior(mask) & interior(places[1][2]) & interior(expected)
    assert (found == expected)[away].mean() >= 0.999
    assert ((expected == HIDDEN) & mask).sum() > 20 and ((expected == HIDDEN) & ~mask).sum() > 20
    assert ((found == HIDDEN) & (expected == HIDDEN)).sum() > 0.95 * (expected == HIDDEN).sum()


def test_a_moving_camera_moves_what_is_behind() -> None:
    """Flow, depth and occlusion of the head and of the wall, forward and backward, in closed form."""
    one, other = camera_of(1, moves=True), camera_of(6, moves=True)
    for (before, cam), (after, later) in (((NOW, one), (LATER, other)), ((LATER, other), (NOW, one))):
        flow, _, mask = closed_form(before, after, 0.0, cam, later)
        first, second = seen(before, cam), seen(after, later)
        inside = interior(mask) & interior(cast_panels(before, cam=cam)[3][1][2])
        assert inside[mask == 0].sum() > 4000 and np.abs(flow[inside & (mask == 0)]).max(axis=0).min() > 3
        error = np.abs(compute.flow(first, second.mesh, PLANE) - flow)[inside]
        assert np.percentile(error, 99.9) < 1e-4

        # The wall's depth there, by where on the wall each pixel looks.
        _, _, _, places = cast_panels(before, cam=cam)
        a, b, on_wall = places[-1]
        points = np.stack([np.ones_like(a), a, b], axis=-1)[on_wall] @ wall()
        place, depth = later.project(points)
        found = compute.depth_next(first, second.mesh, PLANE)[on_wall]
        assert np.abs(found - depth)[inside[on_wall]].max() < 1e-5

        # What it becomes there: beside the picture, or behind a panel, by the closed form at that place.
        column, row = np.rint(place).astype(int).T
        within = ((place >= -0.5) & (place <= [WIDTH - 0.5, HEIGHT - 0.5])).all(axis=1)
        later_mask = cast_panels(after, cam=later)[1]
        expected = np.full(len(place), OUTSIDE)
        clipped = row.clip(0, HEIGHT - 1), column.clip(0, WIDTH - 1)
        expected[within] = np.where(later_mask[clipped], HIDDEN, VISIBLE)[within]
        # Beyond the outermost pixels' centres, the mask does not tell.
        told = ((place >= 0) & (place <= [WIDTH - 1, HEIGHT - 1])).all(axis=1)
        sure = ~within | (told & interior(later_mask)[clipped])
        fate = compute.occlusion(first, second, PLANE)[on_wall]
        assert (fate == expected)[sure & inside[on_wall]].all()
        assert all((expected[sure] == kind).sum() > 100 for kind in (HIDDEN, OUTSIDE, VISIBLE))


def frontal(width: int = 60, height: int = 40) -> Camera:
    """One pixel is a millimetre at a metre."""
    T = np.diag([1.0, -1.0, -1.0, 1.0])
    K = np.array([[1000.0, 0, (width - 1) / 2], [0, 1000.0, (height - 1) / 2], [0, 0, 1]])
    return Camera(K, T, width, height)


def rectangle(left: float, right: float, top: float, bottom: float, depth: float = 1.0) -> np.ndarray:
    """(4, 3) float32: corners that are seen at those pixels."""
    cam = frontal()
    u, v = np.array([left, right, right, left]), np.array([top, top, bottom, bottom])
    pixels = np.stack([(u - cam.K[0, 2]) / 1000, -(v - cam.K[1, 2]) / 1000, -np.ones(4)], axis=-1)
    return (pixels * depth).astype(np.float32)


QUAD = np.array([[0, 2, 1], [0, 3, 2]], dtype=np.int32)


def quad(*edges: float) -> SeenFrame:
    return SeenFrame.of(ProjectedMesh.of(rectangle(*edges), QUAD, frontal()))


def test_what_leaves_the_picture_is_outside() -> None:
    """A rectangle moves 20 pixels right, of which 12 lie beyond the edge."""
    first, second = quad(20.2, 47.4, 5.2, 30.7), quad(40.2, 67.4, 5.2, 30.7)
    found = compute.occlusion(first, second, FacingPlane(frontal(), 2.0))
    inside = np.zeros((40, 60), dtype=bool)
    inside[6:31, 21:48] = True
    expected = np.full((40, 60), VISIBLE)
    expected[6:31, 41:60] = np.where(inside[6:31, 41:60], VISIBLE, HIDDEN)
    expected[6:31, 40:48] = OUTSIDE
    assert np.array_equal(found, expected)
    assert np.allclose(compute.flow(first, second.mesh, FacingPlane(frontal(), 2.0))[first.hit], [20, 0], atol=1e-3)


def test_coverage_of_a_rectangle_is_its_area() -> None:
    found = compute.coverage(quad(10.3, 30.6, 5.25, 20.0)) / 255.0
    across = np.clip(np.minimum(np.arange(60) + 0.5, 30.6) - np.maximum(np.arange(60) - 0.5, 10.3), 0, 1)
    down = np.clip(np.minimum(np.arange(40) + 0.5, 20.0) - np.maximum(np.arange(40) - 0.5, 5.25), 0, 1)
    assert np.abs(found - down[:, None] * across).max() <= 1 / 8
    assert found.sum() == pytest.approx((30.6 - 10.3) * (20 - 5.25), rel=0.01)


def test_coverage_finds_what_passes_between_the_pixels_centres() -> None:
    thin = quad(10.2, 10.6, 5.0, 30.0)
    assert not thin.hit.any()
    found = compute.coverage(thin) / 255.0
    assert np.allclose(found[7:29, 10], 0.3, atol=0.1) and np.allclose(found[7:29, 11], 0.1, atol=0.1)


def ball(rings: int = 90, sectors: int = 120) -> tuple[np.ndarray, np.ndarray]:
    theta, phi = np.linspace(0, np.pi, rings + 1)[1:-1, None], np.linspace(0, 2 * np.pi, sectors, endpoint=False)
    grid = np.stack([np.sin(theta) * np.sin(phi), np.cos(theta) + 0 * phi, np.sin(theta) * np.cos(phi)], axis=-1)
    i, j = np.mgrid[: rings - 2, :sectors]
    a, b = (i * sectors + j).ravel(), (i * sectors + (j + 1) % sectors).ravel()
    faces = np.concatenate([np.stack([a, a + sectors, b], -1), np.stack([b, a + sectors, b + sectors], -1)])
    return grid.reshape(-1, 3), faces.astype(np.int32)


@pytest.mark.parametrize("inside_out", [False, True])
def test_normals_of_a_ball_point_away_from_its_centre(inside_out: bool) -> None:
    unit, faces = ball()
    centre = np.array([0.004, -0.003, -1.0])
    frame = SeenFrame.of(
        ProjectedMesh.of((0.015 * unit + centre).astype(np.float32), faces[:, ::-1] if inside_out else faces, frontal())
    )
    normals = compute.normals(frame)
    assert np.isnan(normals[~frame.hit]).all()
    points = frame.mesh.surface_points(frame.seen, frame.weights)
    expected = points - frontal().to_camera(centre)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    angle = np.degrees(np.arccos(np.clip((normals[frame.hit] * expected).sum(axis=1), -1, 1)))
    assert np.median(angle) < 0.2 and np.percentile(angle, 99) < 1.5
    assert np.median((normals[frame.hit] * points).sum(axis=1)) < 0


def test_a_head_behind_the_camera_is_refused() -> None:
    with pytest.raises(DatasetError, match="behind the camera"):
        ProjectedMesh.of(-rectangle(0, 50, 0, 30), QUAD, frontal())


def test_the_nearest_of_many_surfaces_at_any_place() -> None:
    """At random places, against every triangle one after the other."""
    rng = np.random.default_rng(0)
    vertices = (rng.uniform(-0.04, 0.04, (90, 3)) - np.eye(3)[2]).astype(np.float32)
    faces = np.arange(90, dtype=np.int32).reshape(-1, 3)
    cam = frontal()
    projected = ProjectedMesh.of(vertices, faces, cam)
    places = rng.uniform(-3, 63, (500, 2))
    triangle, depth = projected.first(places)
    directions = np.concatenate([places, np.ones((500, 1))], axis=1) @ np.linalg.inv(cam.K).T
    corners = cam.to_camera(vertices)[faces]
    best = np.full(500, np.inf)
    for a, b, c in corners:
        weights = np.linalg.solve(np.stack([a, b, c], axis=1), directions.T).T  # weights of a ray of depth 1
        hit = (weights >= 0).all(axis=1)
        best = np.where(hit, np.minimum(best, 1 / weights.sum(axis=1)), best)
    inside = ((places >= -0.5) & (places < [59.5, 39.5])).all(axis=1)
    assert np.allclose(depth[inside], best[inside], rtol=1e-9)
    assert np.array_equal(triangle[inside] >= 0, np.isfinite(best[inside]))
    assert (triangle[~inside] == -1).all()
    assert np.isfinite(best[inside]).mean() > 0.3
