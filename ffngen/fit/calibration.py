"""Where the detector sees a head model's landmarks, and how surely.

MediaPipe's points are not quite where the open head's landmarks are (the brows' outer ends by 14 mm, the contour of
the jaw by 30 mm, mostly backwards). Offsets and deviations were measured on renders of known faces, those of
``tests/bench/fit.py --calibrate``; other models have none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml

from ffngen.head.landmarks import JAW_COUNT, LANDMARK_COUNT
from ffngen.head.skinning import Array64
from ffngen.resources import resource

#: Of an average face, metres.
INTER_OCULAR = 0.09

#: Without a calibration: shares of the inter-ocular distance, of inner landmarks, brows and contour.
_INNER, _BROWS, _CONTOUR = 0.025, 0.05, 0.12
_BROW_LANDMARKS = slice(17, 27)


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is known of a detector on a head model.

    :param offsets: (68, 3) metres, in the head frame of the face at rest.
    :param deviations: (68,) of each picture, shares of the inter-ocular distance.
    :param bias: (68,) of a person, in the same way in all pictures, metres.
    """

    offsets: Array64
    deviations: Array64
    bias: Array64


def calibration(family: str) -> Calibration:
    """The calibration of a family of head models."""
    if family == "open":
        text = resource("assets", "fit", "open.yaml").read_text(encoding="utf-8")
        table: dict[str, Any] = yaml.safe_load(text)
        return Calibration(
            np.array(table["offsets_mm"]) * 1e-3, np.array(table["deviations"]), INTER_OCULAR * np.array(table["bias"])
        )
    deviations = np.full(LANDMARK_COUNT, _INNER)
    deviations[:JAW_COUNT], deviations[_BROW_LANDMARKS] = _CONTOUR, _BROWS
    return Calibration(np.zeros((LANDMARK_COUNT, 3)), deviations, INTER_OCULAR * deviations)
