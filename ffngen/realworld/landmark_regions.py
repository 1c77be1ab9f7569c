"""The regions of iBUG's 68 landmarks, in the order of CK+ and of ffngen's heads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ffngen.head.landmarks import LANDMARK_COUNT

#: Region -> its landmarks (Sagonas et al. 2013, the figure of 300-W's annotation).
REGIONS: dict[str, range] = {
    "jaw": range(17),
    "brows": range(17, 27),
    "nose": range(27, 36),
    "eyes": range(36, 48),
    "lips": range(48, 68),
}

#: What expressions hardly move, so that its motion is nearly the head's: the bridge of the nose, the eyes' corners.
STEADY = (27, 28, 29, 30, 36, 39, 42, 45)


def landmark_regions(count: int) -> Mapping[str, NDArray[np.bool_]]:
    """Region -> (N,) bool; none for another number of landmarks than 68, whose order is not known."""
    if count != LANDMARK_COUNT:
        return {}
    return {name: _members(members) for name, members in REGIONS.items()}


def steady_landmarks(count: int) -> NDArray[np.bool_]:
    """(N,) bool: :data:`STEADY` of 68 landmarks; none of another number."""
    return _members(STEADY) if count == LANDMARK_COUNT else np.zeros(count, dtype=bool)


def _members(indices: range | tuple[int, ...]) -> NDArray[np.bool_]:
    result = np.zeros(LANDMARK_COUNT, dtype=bool)
    result[list(indices)] = True
    return result
