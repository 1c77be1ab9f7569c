"""What is known of a face before it is seen: limits, and how likely each value is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ffngen.head.model import HeadModel
from ffngen.head.skinning import Array64
from ffngen.params.arkit import ARKIT_ACTIONS, side_of

#: The unknowns of a frame before its expression: head rotation, translation, jaw rotation.
HEAD, TRANSLATION, JAW = slice(0, 3), slice(3, 6), slice(6, 9)
RIGID = 9

#: Components that are fitted. FLAME's later expression moves landmarks by less than a detector's error. Of the identity
#: those are needed that raise a person's brows, which one picture does not tell from a face that raises them.
N_BETAS, N_EXPRESSION = 150, 50

#: Actions that 68 landmarks do not show: gaze and tongue.
_UNSEEN = ("eyeLook", "tongueOut")
#: Actions that look much like another one to the landmarks and are rarer: the likelier one explains what is seen.
_RARE = {
    "eyeSquint": 0.5,
    "cheekSquint": 0.5,
    "cheekPuff": 0.3,
    "jawForward": 0.4,
    "mouthClose": 0.5,
    "mouthRoll": 0.7,
    "mouthShrug": 0.7,
}
#: What a face does one of at a time.
_OPPOSITES = (
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
    ("eyeBlinkLeft", "eyeWideLeft"),
    ("eyeBlinkRight", "eyeWideRight"),
    ("mouthSmileLeft", "mouthFrownLeft"),
    ("mouthSmileRight", "mouthFrownRight"),
    ("browDownLeft", "browOuterUpLeft"),
    ("browDownRight", "browOuterUpRight"),
    ("mouthFunnel", "mouthRollLower"),
    ("mouthFunnel", "mouthRollUpper"),
    ("mouthPucker", "mouthStretchLeft"),
    ("mouthPucker", "mouthStretchRight"),
)

#: Deviation of an action, the mean of its exponential part, and the deviation between the two sides of one.
ACTION_DEVIATION, ACTION_MEAN, ASYMMETRY = 1.5, 1.0, 0.12
#: Radians: the head about its middle; FLAME's jaw about its hinge, and about the other axes.
_HEAD_DEVIATION, _JAW_DEVIATION, _JAW_ASIDE = 0.6, 0.2, 0.03
#: How fast a face moves at most times, per second: radians, metres, units. A blink closes in a tenth of a second.
_HEAD_PACE, _PLACE_PACE, _JAW_PACE, _EXPRESSION_PACE, _BLINK_PACE = 0.4, 0.08, 0.6, 2.5, 10.0
_JAW_LIMITS = (-0.05, 0.7)


@dataclass(frozen=True, eq=False)
class FramePrior:
    """Half of ``x' precision x`` plus ``slope x``, within limits; x is a frame's unknowns (N,).

    :param columns: (E',) the expression components that are fitted.
    :param precision: (N, N).
    :param slope: (N,).
    :param low: (N,).
    :param high: (N,).
    :param pace: (N,) how fast each unknown changes at most times, units per second, for smoothing.
    """

    columns: tuple[int, ...]
    precision: Array64
    slope: Array64
    low: Array64
    high: Array64
    pace: Array64

    def cost(self, x: Array64) -> float:
        """The cost of unknowns (N,)."""
        return float(0.5 * x @ self.precision @ x + self.slope @ x)


def frame_prior(model: HeadModel) -> FramePrior:
    """The prior of a head model's frames: of facial actions where its expression basis is ARKit's, else of FLAME's."""
    actions = set(model.expression_names) >= set(ARKIT_ACTIONS)
    names = list(model.expression_names) if actions else []
    if actions:
        columns = tuple(i for i, name in enumerate(names) if name in ARKIT_ACTIONS and not name.startswith(_UNSEEN))
    else:
        columns = tuple(range(min(N_EXPRESSION, model.expression_count)))
    size = RIGID + len(columns)
    precision, slope = np.zeros((size, size)), np.zeros(size)
    low, high = np.full(size, -np.inf), np.full(size, np.inf)
    pace = np.ones(size)
    precision[HEAD, HEAD] = np.eye(3) / _HEAD_DEVIATION**2
    # The open head's jaw is an action of its expression.
    jaw = np.array([_JAW_DEVIATION, _JAW_ASIDE, _JAW_ASIDE]) if not actions else np.full(3, 1e-6)
    precision[JAW, JAW] = np.diag(1 / jaw**2)
    low[JAW.start], high[JAW.start] = _JAW_LIMITS
    pace[HEAD], pace[TRANSLATION], pace[JAW] = _HEAD_PACE, _PLACE_PACE, _JAW_PACE
    pace[RIGID:] = _EXPRESSION_PACE
    if actions:
        where = {names[column]: RIGID + i for i, column in enumerate(columns)}
        low[RIGID:], high[RIGID:] = 0.0, 1.0
        for name, i in where.items():
            factor = next((rare for start, rare in _RARE.items() if name.startswith(start)), 1.0)
            precision[i, i] += 1 / (ACTION_DEVIATION * factor) ** 2
            slope[i] = 1 / (ACTION_MEAN * factor)
            if name.startswith("eyeBlink"):
                pace[i] = _BLINK_PACE
        for left, right in _pairs(where):
            difference = np.zeros(size)
            difference[left], difference[right] = 1, -1
            precision += np.outer(difference, difference) / ASYMMETRY**2
        for one, other in _OPPOSITES:
            precision[where[one], where[other]] += 1 / ACTION_DEVIATION**2
            precision[where[other], where[one]] += 1 / ACTION_DEVIATION**2
    else:
        precision[RIGID:, RIGID:] = np.eye(len(columns))
    return FramePrior(columns, precision, slope, low, high, pace)


def _pairs(where: dict[str, int]) -> Iterator[tuple[int, int]]:
    for name, i in where.items():
        other = name.removesuffix("Left") + "Right"
        if side_of(name) == "left" and other in where:
            yield i, where[other]
