"""How far a face has come from neutral at each moment of an interpolated sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ProfileName = Literal["linear", "ease", "micro"]

Array64 = NDArray[np.float64]

#: The share of an expression that a micro-expression reaches at its apex, where nothing else is said.
MICRO_AMPLITUDE = 0.25


@dataclass(frozen=True)
class MotionProfile:
    """The way of pose and expression over a sequence.

    ============ =================================== ================================================
    name         pose                                expression
    ============ =================================== ================================================
    ``linear``   even steps, as in the paper         the same
    ``ease``     slow at both ends (3 s^2 - 2 s^3)   the same
    ``micro``    even steps                          onset, apex half-way, offset: (1 - cos 2 pi s) / 2
    ============ =================================== ================================================

    :param name: which.
    :param amplitude: the share of the target's expression that is reached; 1, or :data:`MICRO_AMPLITUDE` for
        ``micro``, when absent.
    :param pose_amplitude: the share of the target's pose that is reached.
    """

    name: ProfileName = "linear"
    amplitude: float | None = None
    pose_amplitude: float = 1.0

    @property
    def reached(self) -> float:
        """The amplitude, or its default."""
        if self.amplitude is not None:
            return self.amplitude
        return MICRO_AMPLITUDE if self.name == "micro" else 1.0

    def pose_progress(self, time: Array64) -> Array64:
        """Shares of the target's pose at times of 0 to 1."""
        curve = _eased(time) if self.name == "ease" else time
        return curve if self.pose_amplitude == 1 else self.pose_amplitude * curve

    def expression_progress(self, time: Array64) -> Array64:
        """Shares of the target's expression at times of 0 to 1."""
        match self.name:
            case "micro":
                curve: Array64 = (1 - np.cos(2 * np.pi * time)) / 2
            case "ease":
                curve = _eased(time)
            case "linear":
                curve = time
        return curve if self.reached == 1 else self.reached * curve


def _eased(time: Array64) -> Array64:
    result: Array64 = time * time * (3 - 2 * time)
    return result
