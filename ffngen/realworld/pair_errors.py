"""The errors of one pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class PairErrors:
    """The error of one method's flow at the points of one pair.

    :param method: whose flow it is.
    :param flow: ``facial``, ``head`` or ``expression``.
    :param pair: which pair, by its name.
    :param sequence: which sequence it belongs to.
    :param subject: whose face it is.
    :param epe: the mean end-point error, pixels: equation 6. None where no point could be measured.
    :param motion: the mean length of the true motion at the same points, pixels.
    :param points: how many there were.
    :param without_flow: how many more the method gave no flow for.
    :param outside: how many more lie outside image 1.
    :param regions: name -> mean error, pixels, of the points there.
    """

    method: str
    flow: str
    pair: str
    sequence: str
    subject: str
    epe: float | None
    motion: float
    points: int
    without_flow: int
    outside: int
    regions: Mapping[str, float]
