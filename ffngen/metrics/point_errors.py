"""Errors of a flow at points whose motion is known: landmarks, or the projected vertices of a tracked head."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.flow.values import known

Array64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


def inside_picture(points: Array64, width: int, height: int) -> Bools:
    """(P,) bool: which points (P, 2), pixels, lie in a picture, whose edge is that of its outermost pixels."""
    result: Bools = ((points >= -0.5) & (points <= np.array([width, height]) - 0.5)).all(axis=-1)
    return result


def sample_flow(flow: NDArray[Any], points: Array64) -> tuple[Array64, Bools]:
    """A flow between its pixels' centres, bilinear; beyond the outermost centres it is continued as it is there.

    :param flow: (H, W, 2), pixels.
    :param points: (P, 2) float64, pixels, u right, v down; the centre of the top-left pixel is (0, 0).
    :returns: (P, 2) float64, 0 where it is undefined; and (P,) bool, true where the point lies in the picture and all
        pixels that bear on it have a known motion.
    """
    height, width = flow.shape[:2]
    inside = np.isfinite(points).all(axis=-1)
    inside[inside] = inside_picture(points[inside], width, height)
    x, y = (np.clip(points[inside, axis], 0, size - 1) for axis, size in ((0, width), (1, height)))
    column, row = (np.floor(values).astype(np.intp) for values in (x, y))
    total = np.zeros((len(x), 2))
    defined = np.ones(len(x), dtype=bool)
    knows = known(flow)
    for right in (0, 1):
        for down in (0, 1):
            weight = np.abs(1 - right - (x - column)) * np.abs(1 - down - (y - row))
            at = np.minimum(row + down, height - 1), np.minimum(column + right, width - 1)
            # A pixel without weight does not bear on the point, whatever it holds.
            there = knows[at]
            defined &= there | (weight == 0)
            total += np.where(there[:, None], weight[:, None] * np.where(there[:, None], flow[at], 0), 0)
    result = np.zeros((len(points), 2))
    result[inside] = np.where(defined[:, None], total, 0)
    valid = np.zeros(len(points), dtype=bool)
    valid[inside] = defined
    return result, valid


def point_errors(flow: NDArray[Any], points: Array64, motion: Array64) -> tuple[Array64, Bools]:
    """The end-point error at each point, as equation 6 of FacialFlowNet averages it: ``|Flow(C1) - (C2 - C1)|``.

    The equation is printed with C1 - C2; flow leads from image 1 to image 2, and so does the motion here.

    :param flow: (H, W, 2), pixels.
    :param points: (P, 2) float64, pixels: C1.
    :param motion: (P, 2) float64, pixels: C2 - C1.
    :returns: (P,) float64, pixels, 0 where it is undefined; and (P,) bool, where it is defined.
    """
    found, valid = sample_flow(flow, points)
    error = np.where(valid, np.hypot(found[:, 0] - motion[:, 0], found[:, 1] - motion[:, 1]), 0)
    return np.asarray(error), valid
