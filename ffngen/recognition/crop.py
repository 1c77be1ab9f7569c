"""Cutting the face out of a picture: one box for a sample's onset, its apex and its flow."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.images import Rgb
from ffngen.recognition.sample import Sample


class Crop(StrEnum):
    """How: ``none`` keeps the picture, ``box`` cuts a share off each side, ``detect`` keeps the face that is found."""

    NONE = "none"
    BOX = "box"
    DETECT = "detect"


#: Rows and columns that are kept.
Box = tuple[slice, slice]

#: Finds the box of a sample by its onset (H, W, 3) uint8 RGB.
BoxFinder = Callable[[Sample, Rgb], Box]

#: A box keeps at least so many pixels of a side.
_LEAST = 32


def make_box_finder(crop: Crop, margin: float) -> BoxFinder:
    """The way of finding a box.

    :param margin: for ``box``, the share of the picture's sides that is cut off each side; for ``detect``, the share of
        the face's sides that is added to each side.
    :raises MissingPackageError: ``detect`` needs a package that is not installed.
    """
    if crop is Crop.NONE:
        return lambda sample, image: _box(image, 0, 0, image.shape[1], image.shape[0])
    if crop is Crop.BOX:
        return lambda sample, image: _inner(image, margin)
    return _detected(margin)


def cut(array: NDArray[Any], box: Box) -> NDArray[Any]:
    """What lies in a box, (H, W, ...)."""
    return np.ascontiguousarray(array[box])


def _inner(image: Rgb, margin: float) -> Box:
    height, width = image.shape[:2]
    return _box(image, width * margin, height * margin, width * (1 - margin), height * (1 - margin))


def _detected(margin: float) -> BoxFinder:
    from ffngen.fit.detect import FaceDetector

    detector = FaceDetector()

    def find(sample: Sample, image: Rgb) -> Box:
        face = detector(image, None)
        if face is None:
            mend = "use --crop none or box"
            raise InputFileError(f"no face is found in {sample.onset}", where=sample.place, mend=mend)
        low, high = face.points.min(axis=0), face.points.max(axis=0)
        low, high = low - margin * (high - low), high + margin * (high - low)
        return _box(image, low[0], low[1], high[0], high[1])

    return find


def _box(image: Rgb, left: float, top: float, right: float, bottom: float) -> Box:
    height, width = image.shape[:2]
    return _span(top, bottom, height), _span(left, right, width)


def _span(start: float, stop: float, length: int) -> slice:
    """Whole pixels of 0..length about a span, at least :data:`_LEAST` of them where there are so many."""
    first, last = max(0, int(np.floor(start))), min(length, int(np.ceil(stop)))
    short = min(_LEAST, length) - (last - first)
    if short > 0:
        first = min(max(0, first - short // 2), length - min(_LEAST, length))
        last = first + min(_LEAST, length)
    return slice(first, last)
