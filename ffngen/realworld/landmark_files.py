"""Files of landmarks: ``.txt``, ``.csv``, ``.pts``, ``.npy``, and the labels of ffngen's datasets.

| suffix | content |
| --- | --- |
| ``.txt`` | a line per landmark, ``x y``, as CK+ has them |
| ``.csv`` | a row per landmark, ``x,y``; a heading may come first |
| ``.pts`` | iBUG's: ``version: 1``, ``n_points: 68``, then the lines between braces |
| ``.npy`` | (N, 2) numbers |
| ``.npz`` | a frame of ``DATASET/landmarks/facial`` (``ffngen label --add landmarks``), whose pixels count from 0 |
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import read_bounded
from ffngen.dataset.labels.files import read_points
from ffngen.errors import InputFileError
from ffngen.head.npz import read_npy

Array64 = NDArray[np.float64]

SUFFIXES = (".txt", ".pts", ".csv", ".npy", ".npz")

_MAX_BYTES = 1 << 20
#: No image is as wide.
_LONGEST = 1e6


def read_landmarks(path: Path, count: int | None = None, *, origin: float = 0.0) -> Array64:
    """The landmarks of one image.

    :param count: how many there must be; any number from 3 where None.
    :param origin: what the file calls the centre of the top-left pixel: 0, 0.5 or 1.
    :returns: (N, 2) float64, pixels, x right, y down; the centre of the top-left pixel is (0, 0).
    :raises InputFileError: missing, damaged, or of another number of landmarks; it names the line.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputFileError("not a file of landmarks", where=path, mend=f"use one of {', '.join(SUFFIXES)}")
    if suffix == ".npz":
        points = read_points(path).landmarks.astype(np.float64) + origin
    elif suffix == ".npy":
        points = _checked_array(read_npy(path, max_bytes=_MAX_BYTES), path)
    else:
        points = _read_text(path)
    if count is not None and len(points) != count:
        raise InputFileError(f"holds {len(points)} landmarks, not {count}", where=path)
    if len(points) < 3:
        raise InputFileError(f"holds {len(points)} landmarks, and at least 3 are needed", where=path)
    return points - origin


def _read_text(path: Path) -> Array64:
    lines = read_bounded(path, _MAX_BYTES).decode("utf-8-sig", "replace").splitlines()
    numbered = [(number, line.strip()) for number, line in enumerate(lines, 1) if line.strip()]
    if path.suffix.lower() == ".pts":
        numbered = _between_braces(numbered, path)
    comma = path.suffix.lower() == ".csv"
    if comma and numbered and not any(_number(word) is not None for word in numbered[0][1].split(",")):
        numbered = numbered[1:]  # a heading
    points = [_point(number, line.split(",") if comma else line.split(), path) for number, line in numbered]
    return np.array(points, dtype=np.float64).reshape(-1, 2)


def _between_braces(numbered: list[tuple[int, str]], path: Path) -> list[tuple[int, str]]:
    words = [line for _, line in numbered]
    if "{" not in words or "}" not in words[words.index("{") :]:
        raise InputFileError("has no braces around its landmarks", where=path, mend="give a .pts file as iBUG has them")
    return numbered[words.index("{") + 1 : words.index("}")]


def _point(number: int, words: list[str], path: Path) -> tuple[float, float]:
    values = [_number(word) for word in words]
    if len(values) != 2 or None in values:
        raise InputFileError(f"line {number} is not a landmark's x and y", where=path)
    return values[0], values[1]  # type: ignore[return-value]


def _number(word: str) -> float | None:
    """A coordinate, or None for what is none."""
    try:
        value = float(word)
    except ValueError:
        return None
    return value if abs(value) <= _LONGEST else None


def _checked_array(array: NDArray[np.generic], path: Path) -> Array64:
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iuf":
        raise InputFileError(f"is {array.shape} {array.dtype}, and landmarks are (N, 2) numbers", where=path)
    points = array.astype(np.float64)
    odd = ~(np.abs(points) <= _LONGEST).all(axis=1)
    if odd.any():
        raise InputFileError(f"row {int(np.flatnonzero(odd)[0])} is not a landmark's x and y", where=path)
    return points
