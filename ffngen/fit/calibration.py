"""Where the detector sees a head model's landmarks, and how it errs.

MediaPipe's points are not quite where the open head's landmarks are (the contour of the jaw by 30 mm, mostly
backwards), and its errors go together, on all pictures of a person or on one. Brows that were looked for in the picture
(:mod:`ffngen.fit.brows`) are known much better than those that the detector draws. All this was measured on renders
of known faces, by ``tests/bench/fit_calibrate.py``. For other models than the open head nothing is known but the
detector's usual error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ffngen.fit.observation import BROWS, Brows
from ffngen.head.landmarks import JAW_COUNT, LANDMARK_COUNT
from ffngen.head.skinning import Array64
from ffngen.resources import resource

#: Without a calibration: shares of the inter-ocular distance, of inner landmarks, brows and contour.
_INNER, _BROWS, _CONTOUR = 0.025, 0.05, 0.12
_BROW_ROWS = slice(2 * BROWS.start, 2 * BROWS.stop)
#: Where nothing is known of the brows.
_ANYWHERE = 1.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is known of a detector on a head model.

    Errors are shares of the inter-ocular distance, in a picture in which the eyes are level; (68, 2) in one row.

    :param offsets: (68, 3) metres, in the head frame of the face at rest.
    :param covariance: (136, 136) of the errors that differ between a person's pictures.
    :param biases: (K, 136) modes of what is the same in all pictures of a person, in deviations.
    :param guessed: (20, 20) the covariance of the brows' errors where they were not found in the picture.
    """

    offsets: Array64
    covariance: Array64
    biases: Array64
    guessed: Array64

    def of(self, brows: Brows) -> Array64:
        """The covariance (136, 136) where the brows are known so well."""
        if brows is Brows.FOUND:
            return self.covariance
        changed = self.covariance.copy()
        changed[_BROW_ROWS], changed[:, _BROW_ROWS] = 0, 0
        unknown = _ANYWHERE**2 * np.eye(len(self.guessed))
        changed[_BROW_ROWS, _BROW_ROWS] = self.guessed if brows is Brows.GUESSED else unknown
        return changed


def calibration(family: str) -> Calibration:
    """The calibration of a family of head models."""
    if family == "open":
        with np.load(resource("assets", "fit", "open.npz"), allow_pickle=False) as table:
            offsets, covariance, biases, guessed = (table[name].astype(np.float64) for name in _ARRAYS)
        return Calibration(offsets, covariance, biases, guessed)
    deviations = np.full(LANDMARK_COUNT, _INNER)
    deviations[:JAW_COUNT], deviations[BROWS] = _CONTOUR, _BROWS
    covariance = np.diag(np.repeat(deviations, 2) ** 2)
    guessed = covariance[_BROW_ROWS, _BROW_ROWS]
    return Calibration(np.zeros((LANDMARK_COUNT, 3)), covariance, np.zeros((0, 2 * LANDMARK_COUNT)), guessed)


_ARRAYS = ("offsets", "covariance", "biases", "guessed")
