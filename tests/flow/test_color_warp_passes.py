"""Colour coding, warping and the decoding of Blender's passes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ffngen.flow.color import color_wheel, flow_legend, flow_to_rgb
from ffngen.flow.passes import decode_vector_pass, decode_vector_pass_backward
from ffngen.flow.values import UNKNOWN_FLOW, known
from ffngen.flow.warp import backward_warp


def reference_color(u: float, v: float) -> list[int]:
    """``computeColor`` of Middlebury's colorcode.cpp, pixel by pixel, with its integer wheel."""
    wheel = []
    for i in range(15):
        wheel.append((255, 255 * i // 15, 0))
    for i in range(6):
        wheel.append((255 - 255 * i // 6, 255, 0))
    for i in range(4):
        wheel.append((0, 255, 255 * i // 4))
    for i in range(11):
        wheel.append((0, 255 - 255 * i // 11, 255))
    for i in range(13):
        wheel.append((255 * i // 13, 0, 255))
    for i in range(6):
        wheel.append((255, 0, 255 - 255 * i // 6))
    radius = math.hypot(u, v)
    place = (math.atan2(-v, -u) / math.pi + 1) / 2 * (len(wheel) - 1)
    k0 = int(place)
    k1 = (k0 + 1) % len(wheel)
    fraction = place - k0
    color = []
    for channel in range(3):
        value = (1 - fraction) * wheel[k0][channel] / 255 + fraction * wheel[k1][channel] / 255
        value = 1 - radius * (1 - value) if radius <= 1 else value * 0.75
        color.append(int(255 * value))
    return color


def test_colors_are_middleburys() -> None:
    flow = np.random.default_rng(0).uniform(-1.1, 1.1, (40, 30, 2))
    flow[0, :4] = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    expected = np.array([[reference_color(u, v) for u, v in row] for row in flow])
    assert np.abs(flow_to_rgb(flow * 7, 7.0).astype(int) - expected).max() <= 1
    assert color_wheel().shape == (55, 3)


def test_scale_still_and_unknown() -> None:
    flow = np.zeros((2, 3, 2), dtype=np.float32)
    assert (flow_to_rgb(flow) == 255).all()
    flow[0, 0] = [3, 4]
    flow[1, 1] = UNKNOWN_FLOW
    rgb = flow_to_rgb(flow)
    np.testing.assert_array_equal(rgb, flow_to_rgb(flow, 5.0))
    assert not np.array_equal(rgb, flow_to_rgb(flow, 50.0))
    assert (rgb[1, 1] == 0).all()
    assert (rgb[0, 1] == 255).all()


def test_legend() -> None:
    legend = flow_legend(65, background=10)
    assert (legend[32, 32] == 255).all()
    assert (legend[0, 0] == 10).all()
    right = flow_to_rgb(np.array([[[0.9375, 0.0]]]), 1.0)[0, 0]
    np.testing.assert_allclose(legend[32, 62], right, atol=1)


def test_vector_pass_signs() -> None:
    vector = np.zeros((2, 2, 4), dtype=np.float32)
    vector[0, 1] = [1, 2, 3, 4]
    forward, backward = decode_vector_pass(vector), decode_vector_pass_backward(vector)
    np.testing.assert_array_equal(forward[0, 1], [-3, 4])
    np.testing.assert_array_equal(backward[0, 1], [1, -2])
    for flow in (forward, backward):
        assert flow.dtype == np.float32
        assert not np.signbit(flow[1, 1]).any()
    with pytest.raises(ValueError, match="vector pass"):
        decode_vector_pass(vector[..., :3])


def test_warp_of_a_ramp_is_exact() -> None:
    rows, columns = np.mgrid[:20, :30].astype(np.float64)
    image = np.stack([columns, rows, 2 * columns - rows], axis=-1)
    flow = np.random.default_rng(1).uniform(-4, 4, (20, 30, 2)).astype(np.float32)
    flow[5, 5] = UNKNOWN_FLOW
    warped, valid = backward_warp(image, flow)
    x, y = columns + flow[..., 0], rows + flow[..., 1]
    inside = (x >= 0) & (x <= 29) & (y >= 0) & (y <= 19)
    np.testing.assert_array_equal(valid, inside & known(flow))
    expected = np.stack([x, y, 2 * x - y], axis=-1)
    np.testing.assert_allclose(warped[valid], expected[valid], atol=1e-5)
    assert (warped[~valid] == 0).all()
    grey, _ = backward_warp(image[..., 0], flow)
    np.testing.assert_array_equal(grey, warped[..., 0])


def test_warp_reaches_the_last_pixel() -> None:
    image = np.arange(12, dtype=np.uint8).reshape(3, 4)
    flow = np.zeros((3, 4, 2), dtype=np.float32)
    warped, valid = backward_warp(image, flow)
    assert valid.all()
    np.testing.assert_array_equal(warped, image)
