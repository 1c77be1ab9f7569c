"""What is seen of a face in one picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffngen.head.landmarks import JAW_COUNT, LANDMARK_COUNT
from ffngen.head.skinning import Array64

#: From the head frame to the camera's axes.
FLIP = np.array([1.0, -1.0, -1.0])
#: The landmarks without the jaw's contour.
INNER = slice(JAW_COUNT, LANDMARK_COUNT)

_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)
_EYE_CORNERS, _NOSE_ROOT, _CHIN = (36, 45), 27, 8
#: The inter-ocular distance over the distance of the nose's root to the chin, on an average face turned to a side.
_HEIGHT_RATIO = 0.6


@dataclass(frozen=True, eq=False)
class Observation:
    """A frame's landmarks.

    :param points: (68, 2) pixels.
    :param focal: pixels.
    :param centre: (2,) the principal point, pixels.
    :param deviation: (68,) how surely each landmark is known, in proportions, where the picture was looked at again
        (:mod:`ffngen.fit.refine`); None where they are the detector's.
    """

    points: Array64
    focal: float
    centre: Array64
    deviation: Array64 | None = None

    @property
    def scale(self) -> float:
        """The size of the face, pixels: the inter-ocular distance, or what it would be if the face were not turned."""
        left, right = (self.points[i] for i in _EYE_CORNERS)
        height = np.linalg.norm(self.points[_NOSE_ROOT] - self.points[_CHIN])
        return max(float(np.linalg.norm(left - right)), _HEIGHT_RATIO * float(height), 1.0)

    @property
    def level(self) -> Array64:
        """(2, 2): turns pixels so that the eyes are level."""
        across = self.points[_LEFT_EYE].mean(axis=0) - self.points[_RIGHT_EYE].mean(axis=0)
        cosine, sine = across / max(float(np.linalg.norm(across)), 1e-9)
        return np.array([[cosine, sine], [-sine, cosine]])
