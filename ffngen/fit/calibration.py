"""Where the detector sees a head model's landmarks, and how it errs.

MediaPipe's points are not quite where the open head's landmarks are (the contour of the jaw by 30 mm, mostly
backwards), and its errors go together, on all pictures of a person or on one. Landmarks that were looked for again
(:mod:`ffngen.fit.refine`) are known much better. All this was measured on renders of known faces, by
``tests/bench/fit_learn.py``. For other models than the open head nothing is known but the detector's usual error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffngen.head.landmarks import JAW_COUNT, LANDMARK_COUNT
from ffngen.head.skinning import Array64
from ffngen.resources import resource

#: Without a calibration: shares of the inter-ocular distance, of inner landmarks, brows and contour.
_INNER, _BROWS, _CONTOUR = 0.025, 0.05, 0.12
_BROW_LANDMARKS = slice(17, 27)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is known of a detector on a head model.

    Errors are shares of the inter-ocular distance, in a picture in which the eyes are level; (68, 2) in one row.

    :param offsets: (68, 3) metres, in the head frame of the face at rest.
    :param detected: (136, 136) the covariance of the detector's errors.
    :param refined: (136, 136) the covariance of refined landmarks' errors, each divided by the landmark's deviation;
        of what differs between a person's pictures.
    :param biases: (K, 136) modes of what is the same in all of a person's pictures with refined landmarks.
    """

    offsets: Array64
    detected: Array64
    refined: Array64
    biases: Array64


def calibration(family: str) -> Calibration:
    """The calibration of a family of head models."""
    if family == "open":
        with np.load(resource("assets", "fit", "open.npz"), allow_pickle=False) as table:
            return Calibration(*(table[name].astype(np.float64) for name in ARRAYS))
    deviations = np.full(LANDMARK_COUNT, _INNER)
    deviations[:JAW_COUNT], deviations[_BROW_LANDMARKS] = _CONTOUR, _BROWS
    covariance = np.diag(np.repeat(deviations, 2) ** 2)
    return Calibration(np.zeros((LANDMARK_COUNT, 3)), covariance, covariance, np.zeros((0, 2 * LANDMARK_COUNT)))


#: What the file holds.
ARRAYS = ("offsets", "detected", "refined", "biases")
