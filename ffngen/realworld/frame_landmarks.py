"""The landmarks of a video's frames: a folder with a file for each, or one array."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.head.npz import read_npy
from ffngen.realworld.landmark_files import SUFFIXES, read_landmarks

Array64 = NDArray[np.float64]

_MEND = "give a folder with a file for each frame, NAME.txt of NAME.png, or an array (T, N, 2) in a .npy"


def read_frame_landmarks(
    path: Path, frames: Sequence[str], *, by_name: bool, origin: float = 0.0
) -> list[Array64 | None]:
    """The landmarks of each frame, or None where there is no file for it.

    :param frames: the frames' names without suffix, in order.
    :param by_name: a frame's file is ``NAME.txt`` or ``NAME_landmarks.txt`` (or another suffix); else files are taken
        in the order of the numbers in their names, as many as there are frames.
    :param origin: what the files call the centre of the top-left pixel.
    :raises InputFileError: nothing is found, files are damaged, or differ in how many landmarks they hold.
    """
    if path.is_dir():
        files = _files(path)
        found = _named(files, frames, path) if by_name else _ordered(files, len(frames), path)
        return _read(found, origin)
    if path.suffix.lower() != ".npy":
        raise InputFileError("holds no landmarks of a video", where=path, mend=_MEND)
    array = read_npy(path)
    if array.ndim != 3 or array.shape[2] != 2 or array.shape[1] < 3 or array.dtype.kind not in "iuf":
        raise InputFileError(f"is {array.shape} {array.dtype}, and (T, N, 2) numbers are needed", where=path)
    if len(array) != len(frames):
        raise InputFileError(f"holds landmarks of {len(array)} frames, and there are {len(frames)}", where=path)
    values = array.astype(np.float64) - origin
    # A frame in which a detector found no face is NaN.
    return [points if np.isfinite(points).all() else None for points in values]


def _files(folder: Path) -> list[Path]:
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    if not files:
        raise InputFileError("holds no file of landmarks", where=folder, mend=_MEND)
    return files


def _named(files: Sequence[Path], frames: Sequence[str], folder: Path) -> list[Path | None]:
    by_stem: dict[str, Path] = {}
    for file in sorted(files):
        stem = file.stem.removesuffix("_landmarks")
        other = by_stem.setdefault(stem, file)
        if other is not file:
            raise InputFileError(f"is of the same frame as {other.name}", where=file, mend="remove one of them")
    found = [by_stem.get(name) for name in frames]
    if not any(found):
        what = f"none of its {len(files)} files is named after a frame, such as {frames[0]}.txt"
        raise InputFileError(what, where=folder, mend=_MEND)
    return found


def _ordered(files: Sequence[Path], count: int, folder: Path) -> list[Path | None]:
    if len(files) != count:
        what = f"holds {len(files)} files, and the video has {count} frames"
        raise InputFileError(what, where=folder, mend="a .npy of (T, N, 2) may hold NaN where there is no face")
    ordered = sorted(files, key=lambda path: ([int(part[:18]) for part in re.findall(r"\d+", path.stem)], path.name))
    return list(ordered)


def _read(files: Sequence[Path | None], origin: float) -> list[Array64 | None]:
    count: int | None = None
    found: list[Array64 | None] = []
    for file in files:
        points = None if file is None else read_landmarks(file, count, origin=origin)
        count = count if points is None else len(points)
        found.append(points)
    return found
