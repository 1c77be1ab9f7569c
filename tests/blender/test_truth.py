"""Flow, depth and mask as Blender renders them, against trimesh's first hits and a float64 projection."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ffngen.render.raw import Truth

FLOW_P99, FLOW_MAX, DEPTH_P99 = 1e-3, 0.05, 1e-4


def assert_true(truth: Truth, expected: Any, *, least_motion: float) -> None:
    """The bounds hold on the inside, and there is enough of it that they mean something."""
    inside = expected.inside
    assert inside.sum() > 300
    # A pixel whose centre an outline grazes may fall to either side of it.
    assert (truth.mask != expected.hit).sum() <= 2
    for flow, true in ((truth.facial_flow, expected.facial), (truth.head_flow, expected.head)):
        error = np.hypot(*(flow - true)[inside].T)
        assert np.percentile(error, 99) <= FLOW_P99
        assert error.max() <= FLOW_MAX
        assert (flow[~truth.mask] == 0).all()
    moved = np.hypot(*expected.facial[inside].T)
    assert moved.max() > least_motion
    assert np.percentile(np.abs(truth.depth - expected.depth)[inside], 99) <= DEPTH_P99
    assert (truth.depth[~truth.mask] == np.float32(1.6)).all()


CAMERAS: dict[str, dict[str, Any]] = {
    "plain": {},
    "wide": {"width": 200, "height": 120},
    "tall": {"width": 113, "height": 190},
    "off_centre": {"shift": (31.3, -22.7)},
    "off_centre_tall": {"width": 120, "height": 171, "shift": (-25.2, 30.4)},
    "pixels_wider_than_high": {"fx": 300.0, "fy": 420.0},
    "pixels_higher_than_wide": {"fx": 420.0, "fy": 300.0},
    "everything": {"width": 190, "height": 141, "fx": 310.0, "fy": 371.0, "shift": (-33.6, 19.3)},
    "beside_the_head": {"position": (0.08, -0.05, 0.6), "shift": (55.0, -30.0)},
}


@pytest.mark.parametrize("name", CAMERAS)
def test_truth_of_every_camera(blender: Any, mesh: Any, kit: Any, name: str) -> None:
    """A turn with an expression, seen by each camera."""
    start = mesh.vertices
    turned = kit.turn(start, (0.3, 1, 0.2), 4) + np.array([0.006, -0.009, 0.011])
    request = mesh.request(kit.camera(**CAMERAS[name]), np.stack([start, kit.smile(mesh, turned, 1)]), turned[None])
    rendered = blender.render(request)
    expected = kit.expected(request, 0)
    assert_true(rendered.truth(0), expected, least_motion=5)
    assert_true(rendered.truth(1), kit.expected(request, 1), least_motion=-1)
    # Facial and head flow are told apart.
    assert np.hypot(*(expected.facial - expected.head)[expected.inside].T).max() > 2


@pytest.mark.parametrize("shift", [(0.01, 0.015, 0.0), (-0.02, -0.01, 0.0)], ids=str)
def test_translation_has_its_sign_axis_and_size(
    blender: Any, mesh: Any, kit: Any, shift: tuple[float, float, float]
) -> None:
    """x is to the right in the picture (the subject's left) and u grows; y is up and v falls."""
    moved = mesh.vertices + np.array(shift)
    # The head-only frame goes the other way, so that the two cannot be mistaken for each other.
    request = mesh.request(kit.camera(), np.stack([mesh.vertices, moved]), (mesh.vertices - np.array(shift))[None])
    truth = blender.render(request).truth(0)
    assert_true(truth, kit.expected(request, 0), least_motion=3)
    by_hand = 400 / truth.depth[truth.mask][:, None] * np.array([shift[0], -shift[1]])
    np.testing.assert_allclose(truth.facial_flow[truth.mask], by_hand, atol=2e-3)
    np.testing.assert_allclose(truth.head_flow[truth.mask], -by_hand, atol=2e-3)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_rotation(blender: Any, mesh: Any, kit: Any, axis: tuple[float, float, float]) -> None:
    moved, head = kit.turn(mesh.vertices, axis, 6), kit.turn(mesh.vertices, axis, 3)
    request = mesh.request(kit.camera(shift=(10.0, 5.0)), np.stack([mesh.vertices, moved]), head[None])
    assert_true(blender.render(request).truth(0), kit.expected(request, 0), least_motion=4)


def test_tiny_motion(blender: Any, mesh: Any, kit: Any) -> None:
    """Micro-expressions: hundredths of a pixel are motion, and not rounded away."""
    moved, head = kit.smile(mesh, mesh.vertices, 0.01), kit.smile(mesh, mesh.vertices, -0.01)
    request = mesh.request(kit.camera(), np.stack([mesh.vertices, moved]), head[None])
    truth = blender.render(request).truth(0)
    expected = kit.expected(request, 0)
    assert_true(truth, expected, least_motion=0.05)
    moving = expected.inside & (np.hypot(*np.moveaxis(expected.facial, -1, 0)) > 0.03)
    assert moving.sum() > 100
    assert (np.hypot(*truth.facial_flow[moving].T) > 0.02).all()
    assert (np.einsum("px,px->p", truth.facial_flow[moving], truth.head_flow[moving]) < 0).all()


def test_a_small_head_in_a_large_picture(blender: Any, mesh: Any, kit: Any) -> None:
    """1024 x 1024: the crop is put back where it belongs."""
    moved = kit.turn(mesh.vertices, (0, 1, 0), 5)
    camera = kit.camera(1024, 1024, shift=(260.4, 301.7))
    request = mesh.request(camera, np.stack([mesh.vertices, kit.smile(mesh, moved, 1)]), moved[None])
    assert_true(blender.render(request).truth(0), kit.expected(request, 0), least_motion=4)


@pytest.mark.parametrize("shift", [(-90.0, 0.0), (0.0, 90.3), (70.2, -64.9)], ids=str)
def test_a_head_partly_out_of_the_picture(blender: Any, mesh: Any, kit: Any, shift: tuple[float, float]) -> None:
    moved = kit.turn(mesh.vertices, (1, 1, 0), 5)
    request = mesh.request(kit.camera(shift=shift), np.stack([mesh.vertices, kit.smile(mesh, moved, 1)]), moved[None])
    expected = kit.expected(request, 0)
    border = np.concatenate([expected.hit[0], expected.hit[-1], expected.hit[:, 0], expected.hit[:, -1]])
    assert border.any()
    assert_true(blender.render(request).truth(0), expected, least_motion=1)


def test_a_head_that_leaves_the_picture(blender: Any, mesh: Any, kit: Any) -> None:
    """No file where nothing is seen; the flow of the frame before still leads out of the picture."""
    away = mesh.vertices + np.array([0.9, 0, 0])
    request = mesh.request(kit.camera(), np.stack([mesh.vertices, away]), away[None])
    rendered = blender.render(request)
    assert_true(rendered.truth(0), kit.expected(request, 0), least_motion=300)
    gone = rendered.truth(1)
    assert not gone.mask.any()
    assert (gone.depth == np.float32(1.6)).all()
    assert not gone.facial_flow.any() and not gone.head_flow.any()


def test_sixteen_pixels(blender: Any, mesh: Any, kit: Any) -> None:
    moved = kit.turn(mesh.vertices, (0, 1, 0), 8)
    request = mesh.request(kit.camera(16, 16, fx=44.0), np.stack([mesh.vertices, moved]), moved[None])
    truth, expected = blender.render(request).truth(0), kit.expected(request, 0)
    np.testing.assert_array_equal(truth.mask, expected.hit)
    assert expected.inside.sum() > 40
    np.testing.assert_allclose(truth.facial_flow[expected.inside], expected.facial[expected.inside], atol=1e-3)


def test_a_head_around_the_camera(blender: Any, mesh: Any, kit: Any) -> None:
    """A head that reaches behind the camera is rendered in the whole picture, from within."""
    moved = mesh.vertices + np.array([0.001, 0, 0])
    camera = kit.camera(32, 32, fx=30.0, position=(0.0, 0.0, 0.0))
    request = mesh.request(camera, np.stack([mesh.vertices, moved]), moved[None])
    truth, expected = blender.render(request).truth(0), kit.expected(request, 0)
    assert truth.mask.all() and expected.hit.all()
    np.testing.assert_allclose(truth.facial_flow[expected.inside], expected.facial[expected.inside], atol=5e-3)
