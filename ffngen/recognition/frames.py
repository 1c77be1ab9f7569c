"""The frames of a clip, by number, and where its apex is when no table tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.images import read_image

#: Of frames' files, in lower case.
SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")

_NUMBER = re.compile(r"(\d+)\D*$")


class ApexRule(StrEnum):
    """Where the apex is taken to be when a set does not say.

    ``middle`` is the frame in the middle between onset and offset; ``difference`` the frame that differs most from the
    onset, in the mean of absolute differences of grey; ``drop`` leaves the clip out.
    """

    MIDDLE = "middle"
    DIFFERENCE = "difference"
    DROP = "drop"


def frames_of(folder: Path) -> dict[int, Path]:
    """The images of a clip's folder by their number, the last one in their name: ``reg_img46.jpg`` is frame 46.

    :raises InputFileError: there is no such folder, it holds no frames, or two images have one number.
    """
    try:
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and not f.name.startswith("."))
    except OSError as error:
        raise InputFileError(f"cannot be read: {error.strerror}", where=folder, mend="check --frames") from error
    frames: dict[int, Path] = {}
    for file in files:
        match = _NUMBER.search(file.stem)
        if match is None:
            continue
        number = int(match[1])
        if number in frames:
            raise InputFileError(f"{frames[number].name} and {file.name} are both frame {number}", where=folder)
        frames[number] = file
    if not frames:
        raise InputFileError("holds no frames", where=folder, mend="check --frames")
    return dict(sorted(frames.items()))


def choose_apex(frames: dict[int, Path], onset: int, offset: int, rule: ApexRule) -> int | None:
    """The number of the frame that a rule takes for the apex, after the onset and up to the offset.

    :returns: None where the rule drops the clip, or there is no such frame.
    :raises InputFileError: a frame cannot be read, or is of another size than the onset.
    """
    between = [number for number in frames if onset < number <= offset]
    if not between or rule is ApexRule.DROP:
        return None
    if rule is ApexRule.MIDDLE:
        middle = (onset + offset) / 2
        return min(between, key=lambda number: (abs(number - middle), number))
    return between[_most_different(frames[onset], [frames[number] for number in between])]


def _most_different(onset: Path, others: Sequence[Path]) -> int:
    first = _grey(onset)
    differences = []
    for path in others:
        grey = _grey(path)
        if grey.shape != first.shape:
            raise InputFileError(f"is of another size than {onset.name}", where=path)
        differences.append(float(np.abs(grey - first).mean()))
    return int(np.argmax(differences))


def _grey(path: Path) -> NDArray[np.float32]:
    return read_image(path).mean(axis=-1, dtype=np.float32)
