"""What flow is compared with: points of image 1 whose motion to image 2 is known.

CK+'s landmarks, lists of image pairs, tracked vertices and ffngen's datasets all become a :class:`PointSet`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: The flows that points can tell of; all sets tell facial flow.
FLOWS = ("facial", "head", "expression")


@dataclass(frozen=True, eq=False)
class PairPoints:
    """The points of one pair of images.

    :param start: (P, 2) float64, pixels of image 1; the centre of the top-left pixel is (0, 0).
    :param motion: flow -> (P, 2) float64, pixels: the true motion of each point.
    :param counted: flow -> (P,) bool: which points are measured.
    :param regions: name -> (P,) bool; they may leave points out, and do not overlap.
    :param size: (width, height) that the images must have; any where None.
    """

    start: Array64
    motion: Mapping[str, Array64]
    counted: Mapping[str, Bools]
    regions: Mapping[str, Bools]
    size: tuple[int, int] | None = None


@dataclass(frozen=True, eq=False)
class PairEntry:
    """One pair of images; its points are read when it comes to its turn.

    :param name: as a relative path without suffix, which a flow file of the pair has under ``--flows``.
    :param sequence: which sequence it belongs to.
    :param subject: whose face it is.
    :param images: image 1 and image 2.
    :param load: reads its points.
    """

    name: str
    sequence: str
    subject: str
    images: tuple[Path, Path]
    load: Callable[[], PairPoints]


@dataclass
class PointSet:
    """Pairs of one set.

    :param pairs: in a fixed order.
    :param left_out: a line for each sequence, pair or file that is not measured, with the reason.
    :param notes: what a reader of the figures must know.
    :param facts: what else to record, JSON-ready.
    """

    pairs: list[PairEntry]
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
