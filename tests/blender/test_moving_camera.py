"""A camera that moves: flow of the head and of the plane behind it, depth, and where the pictures show both."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from ffngen.appearance.background import seen_of_plane
from ffngen.geometry.camera import Camera
from ffngen.render.raw import read_colour
from ffngen.render.request import RawPass


def shaken(camera: Camera, turn: tuple[float, float, float], shift: tuple[float, float, float]) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = cv2.Rodrigues(np.array(turn))[0], shift
    return camera.T_world_cam @ T


def moving_request(mesh: Any, kit: Any, camera: Camera, **changes: Any) -> Any:
    """Three frames: a turn with an expression before a camera that turns, rolls, shifts and comes nearer."""
    one, two = kit.turn(mesh.vertices, (0.3, 1, 0.2), 4), kit.turn(mesh.vertices, (0.3, 1, 0.2), 8)
    facial = np.stack([mesh.vertices, kit.smile(mesh, one, 0.5), kit.smile(mesh, two, 1)])
    head = np.stack([one, kit.smile(mesh, two, 0.5)])
    poses = np.stack([
        shaken(camera, (0.004, -0.003, 0.01), (0.002, 0.001, -0.003)),
        shaken(camera, (-0.006, 0.01, -0.02), (-0.006, 0.004, 0.008)),
        shaken(camera, (0.01, 0.004, 0.03), (0.003, -0.007, -0.005)),
    ])  # fmt: skip
    return mesh.request(camera, facial, head, poses=poses, background_margin=(24, 20), **changes)


@pytest.mark.parametrize(
    "view", [{}, {"width": 190, "height": 141, "fx": 310.0, "fy": 371.0, "shift": (-33.6, 19.3)}], ids=["plain", "all"]
)
def test_truth(blender: Any, mesh: Any, kit: Any, view: dict[str, Any]) -> None:
    request = moving_request(mesh, kit, kit.camera(**view))
    rendered = blender.render(request)
    for number in range(3):
        truth, expected = rendered.truth(number), kit.expected(request, number)
        assert (truth.mask != expected.hit).sum() <= 2
        sure = expected.inside
        beside = ~truth.mask & ~expected.hit
        assert sure.sum() > 3000 and beside.sum() > 3000
        assert np.percentile(np.abs(truth.depth - expected.depth)[sure | beside], 99) <= 1e-4
        assert np.abs(truth.depth - expected.depth)[beside].max() <= 1e-5
        if number == 2:
            assert not truth.facial_flow[beside].any()
            continue
        for flow, true in ((truth.facial_flow, expected.facial), (truth.head_flow, expected.head)):
            error = np.hypot(*(flow - true)[sure].T)
            assert np.percentile(error, 99) <= 1e-3 and error.max() <= 0.05
            assert np.hypot(*(flow - true)[beside].T).max() < 1e-4
            assert (np.abs(true[beside]).mean(axis=0) > 0.5).all()
        np.testing.assert_array_equal(truth.facial_flow[beside], truth.head_flow[beside])
        assert np.hypot(*(expected.facial - expected.head)[sure].T).max() > 1


def test_a_pose_that_does_not_change_is_a_still_camera(blender: Any, mesh: Any, kit: Any) -> None:
    camera = kit.camera(64, 64, fx=150.0)
    facial = np.stack([mesh.vertices, kit.turn(mesh.vertices, (0, 1, 0), 3)])
    still = mesh.request(camera, facial, facial[1:])
    posed = replace(still, poses=np.stack([camera.T_world_cam] * 2))
    one, two = (blender.render(request).truth(0) for request in (still, posed))
    for field in ("mask", "depth", "facial_flow", "head_flow"):
        assert getattr(one, field).tobytes() == getattr(two, field).tobytes()


def test_the_pictures_are_where_the_flow_says(blender: Any, mesh: Any, kit: Any) -> None:
    """The head-only head is a turned one without light of its own; its picture's outline is the truth's."""
    request = moving_request(mesh, kit, kit.camera())
    rendered = blender.render(request)
    black = np.zeros_like(rendered.background)
    for number in range(3):
        frame = next(f for f in rendered.frames if (f.kind, f.frame) == (RawPass.FACIAL_COLOUR, number))
        shown = read_colour(frame.kind.path(rendered.folder, number), frame.crop, black).any(axis=-1)
        hit = kit.expected(request, number).hit
        grown = cv2.dilate(hit.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert not (shown & ~grown).any()
        assert (shown & hit).sum() > 0.97 * hit.sum()


def test_the_background_moves_as_its_flow_says(mesh: Any, kit: Any) -> None:
    """A smooth picture on the plane, seen by two places of the camera: the one warped by the flow is the other."""
    request = moving_request(mesh, kit, kit.camera())
    rows, columns = np.mgrid[: 160 + 40, : 160 + 48]
    smooth = np.stack([np.sin(columns / 9), np.cos(rows / 8), np.sin((rows + columns) / 11)], axis=-1)
    picture = np.round(127 + 100 * smooth).astype(np.uint8)
    first, second = (
        seen_of_plane(picture, (24, 20), request.background, [request.camera_of(i)]).astype(np.float32) for i in (0, 1)
    )
    flow = request.background.flow(request.camera_of(0), request.camera_of(1))
    u, v = np.meshgrid(np.arange(160, dtype=np.float32), np.arange(160, dtype=np.float32))
    warped = cv2.remap(second, u + flow[..., 0], v + flow[..., 1], cv2.INTER_CUBIC)
    inside = (u + flow[..., 0] > 2) & (u + flow[..., 0] < 157) & (v + flow[..., 1] > 2) & (v + flow[..., 1] < 157)
    assert inside.mean() > 0.8 and np.abs(first - second)[inside].mean() > 10
    assert np.abs(first - warped)[inside].max() < 3
