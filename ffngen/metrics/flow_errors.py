"""Errors of an estimated flow over some pixels."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: WAUC: so many thresholds, up to 5 px, whose weights fall from 1 to 0.01 (Richter et al. 2017, VIPER).
_WAUC_STEPS, _WAUC_LIMIT = 100, 5.0


@dataclass(frozen=True)
class FlowErrors:
    """Errors over the pixels of an area.

    :param epe: mean end-point error, pixels.
    :param px1: share of pixels whose error is above 1 px, in 0..1.
    :param px3: above 3 px.
    :param px5: above 5 px.
    :param fl_all: KITTI's outliers: above 3 px and above 5% of the true motion (Menze and Geiger 2015).
    :param wauc: weighted area under the curve of inliers over thresholds to 5 px, in 0..1; 1 is best.
    :param magnitude: mean length of the true motion, pixels.
    :param pixels: how many.
    """

    epe: float
    px1: float
    px3: float
    px5: float
    fl_all: float
    wauc: float
    magnitude: float
    pixels: int


#: The names of the errors, in the order in which tables show them.
ERROR_NAMES = tuple(field.name for field in fields(FlowErrors))


def endpoint_error(flow: NDArray[Any], true: NDArray[Any]) -> NDArray[np.float64]:
    """(H, W) float64: the length of the difference of two flows (H, W, 2), pixels."""
    difference = flow.astype(np.float64) - true
    return np.asarray(np.hypot(difference[..., 0], difference[..., 1]), dtype=np.float64)


def flow_errors(flow: NDArray[Any], true: NDArray[Any], where: NDArray[np.bool_]) -> FlowErrors | None:
    """The errors over an area; None where it has no pixel.

    :param flow: (H, W, 2), the estimate, pixels. A value that is not finite is infinitely wrong.
    :param true: (H, W, 2).
    :param where: (H, W) bool: pixels whose true motion is known.
    """
    if not where.any():
        return None
    error = np.nan_to_num(endpoint_error(flow[where], true[where]), nan=np.inf)
    length = np.hypot(true[where][..., 0].astype(np.float64), true[where][..., 1])
    return FlowErrors(
        epe=float(error.mean()),
        px1=float((error > 1).mean()),
        px3=float((error > 3).mean()),
        px5=float((error > 5).mean()),
        fl_all=float(((error > 3) & (error > 0.05 * length)).mean()),
        wauc=wauc(error),
        magnitude=float(length.mean()),
        pixels=int(where.sum()),
    )


def wauc(error: NDArray[np.float64]) -> float:
    """Weighted area under the curve: sum_i w_i share(error <= i/20 px) / sum_i w_i, w_i = 1 - (i - 1)/100, i = 1..100.

    :param error: end-point errors, pixels.
    :returns: 0 (all errors above 5 px) to 1 (all at most 0.05 px).
    """
    thresholds = np.arange(1, _WAUC_STEPS + 1) * (_WAUC_LIMIT / _WAUC_STEPS)
    weights = 1 - np.arange(_WAUC_STEPS) / _WAUC_STEPS
    inliers = np.searchsorted(np.sort(error, axis=None), thresholds, side="right") / error.size
    return float((weights * inliers).sum() / weights.sum())
