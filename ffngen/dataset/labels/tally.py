"""Gathering the errors of a sequence's labels, and their bounds."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.check_truth import DEPTH_P99, FLOW_MAX, FLOW_P99
from ffngen.dataset.report import Fault, Figure

Statistic = Literal["median", "p99", "max", "mean", "share"]

#: What is judged: the fault, the statistic, its unit, its bound. Shares are of pixels or points that are wrong.
_BOUNDS: tuple[tuple[Fault, Statistic, str, float], ...] = (
    (Fault.BACKWARD_FLOW, "p99", "px", FLOW_P99),
    (Fault.BACKWARD_FLOW, "max", "px", FLOW_MAX),
    # Backward flow is interpolated between pixels there, which is off by its second derivative.
    (Fault.FORWARD_BACKWARD, "median", "px", 0.02),
    (Fault.FORWARD_BACKWARD, "p99", "px", 0.5),
    (Fault.OCCLUSION, "share", "", 0.005),
    (Fault.HIDDEN, "share", "", 0.05),
    (Fault.SCENE_FLOW, "p99", "m", DEPTH_P99),
    (Fault.NORMALS, "median", "degrees", 0.5),
    (Fault.NORMALS, "p99", "degrees", 1.0),
    (Fault.SEGMENTATION, "share", "", 0.005),
    (Fault.UV, "share", "", 0.005),
    (Fault.LANDMARKS, "max", "px", 0.05),
    (Fault.LANDMARK_VISIBILITY, "share", "", 0.005),
    # As above: of texture coordinates.
    (Fault.LANDMARKS_ON_UV, "median", "px", 0.2),
    (Fault.LANDMARKS_ON_UV, "p99", "px", 3.0),
    (Fault.COVERAGE, "mean", "", 0.02),
    (Fault.PAIR_FLOW, "p99", "px", FLOW_P99),
    (Fault.PAIR_FLOW, "max", "px", FLOW_MAX),
)

#: Where labels, which are the mesh's, are compared with flow and depth that are blends of Gaussians.
_BLENDED: dict[tuple[Fault, Statistic], float] = {
    (Fault.FORWARD_BACKWARD, "median"): 0.1,
    (Fault.FORWARD_BACKWARD, "p99"): 2.0,
    (Fault.SCENE_FLOW, "p99"): 0.01,
}


class Tally:
    """The errors of one sequence's labels; a value that is not a number counts as infinite."""

    def __init__(self) -> None:
        self._parts: dict[Fault, list[NDArray[np.float64]]] = defaultdict(list)

    def add(self, fault: Fault, errors: NDArray[Any]) -> None:
        """Add errors of any shape; for a share, whether each is wrong."""
        values = np.abs(np.asarray(errors, dtype=np.float64).ravel())
        self._parts[fault].append(np.where(np.isnan(values), np.inf, values))

    def figures(self, *, blended: bool) -> list[Figure]:
        """The figures of what was added.

        :param blended: whether the dataset's flow and depth are Gaussians'.
        """
        result = []
        for fault, statistic, unit, bound in _BOUNDS:
            if fault not in self._parts:
                continue
            errors = np.concatenate(self._parts[fault])
            what = f"{statistic} {unit}".strip()
            bound = _BLENDED.get((fault, statistic), bound) if blended else bound
            result.append(Figure(fault, what, _value(statistic, errors), bound, errors.size))
        return result


def _value(statistic: Statistic, errors: NDArray[np.float64]) -> float:
    if errors.size == 0:
        return 0.0
    match statistic:
        case "median" | "p99":
            # The higher neighbour, so that one infinite error does not turn into "not a number" by interpolation.
            return float(np.percentile(errors, 50 if statistic == "median" else 99, method="higher"))
        case "max":
            return float(errors.max())
        case _:
            return float(errors.mean())
