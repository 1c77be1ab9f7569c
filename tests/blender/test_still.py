"""Where nothing moves the flow is 0 in every bit, and equal motions give equal bits."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_zero(flow: np.ndarray) -> None:
    """+0 everywhere, not -0: equal flows have equal bytes."""
    assert not np.ascontiguousarray(flow).view(np.uint32).any()


def test_a_still_head(blender: Any, mesh: Any, kit: Any) -> None:
    request = mesh.request(kit.camera(shift=(7.3, -4.1)), np.stack([mesh.vertices] * 2), mesh.vertices[None])
    truth = blender.render(request).truth(0)
    assert truth.mask.sum() > 5000
    assert_zero(truth.facial_flow)
    assert_zero(truth.head_flow)


def test_still_vertices_in_a_moving_face(blender: Any, mesh: Any, kit: Any) -> None:
    """Faces none of whose vertices move are still; their neighbours are not."""
    smiling = kit.smile(mesh, mesh.vertices, 1)
    request = mesh.request(kit.camera(), np.stack([mesh.vertices, smiling]), mesh.vertices[None])
    truth, expected = blender.render(request).truth(0), kit.expected(request, 0)
    moving = (smiling.astype(np.float32) != mesh.vertices).any(axis=1)
    assert moving.any() and not moving.all()
    still = expected.inside & (np.hypot(*np.moveaxis(expected.facial, -1, 0)) < 1e-9)
    assert still.sum() > 1000
    assert_zero(truth.facial_flow[still])
    assert np.hypot(*truth.facial_flow[truth.mask].T).max() > 5


def test_pose_still_and_expression_moving(blender: Any, mesh: Any, kit: Any) -> None:
    smiling = kit.smile(mesh, mesh.vertices, 1)
    request = mesh.request(kit.camera(), np.stack([mesh.vertices, smiling]), mesh.vertices[None])
    truth = blender.render(request).truth(0)
    assert_zero(truth.head_flow)
    expression = truth.facial_flow - truth.head_flow
    np.testing.assert_array_equal(expression, truth.facial_flow)
    assert_zero(expression[~truth.mask])


def test_head_moving_and_expression_still(blender: Any, mesh: Any, kit: Any) -> None:
    """The head-only frame is the next facial frame: both flows are the same numbers."""
    turned = kit.turn(mesh.vertices, (0.2, 1, 0.1), 5)
    request = mesh.request(kit.camera(fx=410.0, fy=390.0), np.stack([mesh.vertices, turned]), turned[None])
    truth = blender.render(request).truth(0)
    assert np.hypot(*truth.facial_flow[truth.mask].T).mean() > 1
    assert truth.facial_flow.tobytes() == truth.head_flow.tobytes()
    assert_zero(truth.facial_flow - truth.head_flow)


def test_expression_flow_outside_the_mask(blender: Any, mesh: Any, kit: Any) -> None:
    turned = kit.turn(mesh.vertices, (0, 1, 0), 5)
    request = mesh.request(
        kit.camera(shift=(20.5, 8.2)), np.stack([mesh.vertices, kit.smile(mesh, turned, 1)]), turned[None]
    )
    truth = blender.render(request).truth(0)
    assert (~truth.mask).sum() > 5000
    for flow in (truth.facial_flow, truth.head_flow, truth.facial_flow - truth.head_flow):
        assert_zero(flow[~truth.mask])


def test_the_same_request_gives_the_same_bytes(blender: Any, mesh: Any, kit: Any) -> None:
    """Also with another topology rendered in between, and with what that left in the process."""
    turned = kit.turn(mesh.vertices, (1, 1, 0), 5)
    request = mesh.request(
        kit.camera(96, 80, fx=220.0), np.stack([mesh.vertices, kit.smile(mesh, turned, 1)]), turned[None]
    )
    other_mesh = kit.mesh(rings=18, sectors=30)
    other_turned = kit.turn(other_mesh.vertices, (0, 1, 0), 4)
    other = other_mesh.request(
        kit.camera(64, 110, shift=(5.0, 3.0), fx=200.0),
        np.stack([other_mesh.vertices, other_turned]),
        other_turned[None],
    )
    first, between, again = (blender.render(r) for r in (request, other, request))
    for name in ("mask", "depth", "facial_flow", "head_flow"):
        for frame in (0, 1):
            assert getattr(first.truth(frame), name).tobytes() == getattr(again.truth(frame), name).tobytes()
    for frame in first.frames:
        if frame.kind.value.endswith("colour"):
            np.testing.assert_array_equal(first.colour(frame.kind, frame.frame), again.colour(frame.kind, frame.frame))
    truth, expected = between.truth(0), kit.expected(other, 0)
    error = np.hypot(*(truth.facial_flow - expected.facial)[expected.inside].T)
    assert error.size > 300 and np.percentile(error, 99) <= 1e-3
