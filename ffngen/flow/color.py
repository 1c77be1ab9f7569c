"""Flow as colour: the Middlebury colour wheel (Baker et al. 2011, ``colorcode.cpp`` of flow-code)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.flow.values import known

# The wheel's six transitions, each from one pure hue to the next: red, yellow, green, cyan, blue, magenta.
_STEPS = (15, 6, 4, 11, 13, 6)
_HUES = ((1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0))


def color_wheel() -> NDArray[np.float64]:
    """(55, 3) float64 in [0, 1]: the hues around the wheel, as many between two hues as the eye tells apart."""
    spans = []
    for step, start, end in zip(_STEPS, _HUES, _HUES[1:], strict=False):
        weight = (np.floor(255 * np.arange(step) / step) / 255)[:, None]
        spans.append((1 - weight) * np.array(start) + weight * np.array(end))
    return np.concatenate(spans)


_WHEEL = color_wheel()


def flow_to_rgb(flow: NDArray[Any], max_magnitude: float | None = None) -> NDArray[np.uint8]:
    """Colour a flow: the hue is the direction, the saturation the length; no motion is white.

    :param flow: (H, W, 2), pixels, u right, v down. Unknown pixels become black.
    :param max_magnitude: the length in pixels that is fully saturated; longer motion is darkened. Without it,
        the longest motion of this flow; give it to compare two pictures.
    :returns: (H, W, 3) uint8 RGB.
    """
    valid = known(flow)
    flow = np.where(valid[..., None], flow, 0).astype(np.float64)
    radius = np.hypot(flow[..., 0], flow[..., 1])
    if max_magnitude is None:
        max_magnitude = float(radius.max(initial=0))
    radius = radius / max(max_magnitude, np.finfo(np.float32).tiny)
    angle = np.arctan2(-flow[..., 1], -flow[..., 0]) / np.pi
    place = (angle + 1) / 2 * (len(_WHEEL) - 1)
    lower = np.floor(place).astype(np.intp)
    weight = (place - lower)[..., None]
    hue = (1 - weight) * _WHEEL[lower] + weight * _WHEEL[(lower + 1) % len(_WHEEL)]
    rgb = np.where(radius[..., None] <= 1, 1 - radius[..., None] * (1 - hue), 0.75 * hue)
    rgb[~valid] = 0
    return np.asarray(np.floor(255 * rgb), dtype=np.uint8)


def flow_legend(size: int, background: int = 255) -> NDArray[np.uint8]:
    """The key to :func:`flow_to_rgb`: a disc whose every point has the colour of the motion from its centre to it.

    :param size: the side of the square, pixels.
    :param background: the grey level around the disc.
    :returns: (size, size, 3) uint8 RGB.
    """
    centre = (size - 1) / 2
    offset = (np.arange(size) - centre) / max(centre, 1)
    flow = np.stack(np.meshgrid(offset, offset), axis=-1)
    rgb = flow_to_rgb(flow, 1.0).astype(np.float64)
    # The rim fades over one pixel, so that the disc is round at small sizes.
    inside = np.clip((1 - np.hypot(flow[..., 0], flow[..., 1])) * centre, 0, 1)[..., None]
    return np.asarray(np.round(inside * rgb + (1 - inside) * background), dtype=np.uint8)


def error_map(error: NDArray[np.float64], white: float) -> NDArray[np.uint8]:
    """Errors (H, W) as colours from black over red and yellow to white, which is reached at ``white`` pixels."""
    level = np.clip(3 * error / max(white, 1e-9), 0, 3)[..., None]
    rgb = np.clip(level - np.array([0, 1, 2]), 0, 1)
    return np.asarray(np.round(255 * rgb), dtype=np.uint8)
