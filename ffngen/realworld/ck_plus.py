"""CK+ as its authors hand it out: the first and the last image of each sequence, and their 68 landmarks.

``cohn-kanade-images/S005/001/S005_001_00000001.png`` and ``Landmarks/S005/001/S005_001_00000001_landmarks.txt``; the
folders may lie below ``PATH`` itself, or twice in folders of their own names, as archives unpack them.

A sequence with fewer than two images, or without the landmarks of its first or its last image, is left out and listed;
so are landmarks that belong to no image. A file of landmarks that is there and is none is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from ffngen.errors import InputFileError
from ffngen.head.landmarks import LANDMARK_COUNT
from ffngen.realworld.landmark_files import read_landmarks
from ffngen.realworld.landmark_regions import landmark_regions, steady_landmarks
from ffngen.realworld.points import PairEntry, PairPoints, PointSet

IMAGES = ("cohn-kanade-images", "extended-cohn-kanade-images")
LANDMARKS = "Landmarks"

_SUBJECT, _SESSION = re.compile(r"S[0-9]{3}"), re.compile(r"[0-9]{3}")
_MEND = "give the folder that holds cohn-kanade-images and Landmarks"
_SUFFIXES = (".png", ".tif", ".tiff", ".jpg")


def open_ck_plus(root: Path, *, origin: float = 0.0) -> PointSet:
    """All sequences of a copy of CK+, by subject and session.

    :param origin: what its landmarks call the centre of the top-left pixel.
    :raises InputFileError: a folder is missing, or holds no sequence that can be measured.
    """
    if not root.is_dir():
        raise InputFileError("no such folder", where=root, mend=_MEND)
    images, landmarks = _folder(root, IMAGES), _folder(root, (LANDMARKS,))
    found = PointSet([])
    sequences = 0
    for subject in _named(images, _SUBJECT):
        for session in _named(subject, _SESSION):
            sequences += 1
            _add(found, session, landmarks / subject.name / session.name, origin)
    _find_orphans(found, images, landmarks)
    if not found.pairs:
        what = f"holds no sequence whose first and last image have landmarks (of {sequences})"
        raise InputFileError(what, where=root, mend=_MEND)
    found.facts = {"sequences": sequences}
    return found


def _folder(root: Path, names: tuple[str, ...]) -> Path:
    """The innermost folder of such names; archives put one into another."""
    here = next((root / name for name in names if (root / name).is_dir()), None)
    if here is None:
        raise InputFileError(f"has no folder {names[0]}", where=root, mend=_MEND)
    while below := next((here / name for name in names if (here / name).is_dir()), None):
        here = below
    return here


def _named(folder: Path, pattern: re.Pattern[str]) -> list[Path]:
    """Folders of such names, sorted; what an operating system leaves beside them is none."""
    return sorted(path for path in folder.iterdir() if pattern.fullmatch(path.name) and path.is_dir())


def _frames(folder: Path, pick: Callable[[Path], str | None]) -> dict[int, Path]:
    """Frame number -> file; the number ends the stem that ``pick`` gives."""
    found = {}
    for path in sorted(folder.iterdir()):
        stem = None if path.name.startswith(".") else pick(path)
        number = None if stem is None else re.fullmatch(r".*_([0-9]{1,8})", stem)
        if number is not None:
            found[int(number[1])] = path
    return found


def _image_stem(path: Path) -> str | None:
    return path.stem if path.suffix.lower() in _SUFFIXES else None


def _landmark_stem(path: Path) -> str | None:
    return path.stem.removesuffix("_landmarks") if path.name.endswith("_landmarks.txt") else None


def _add(found: PointSet, session: Path, landmarks: Path, origin: float) -> None:
    subject, name = session.parent.name, f"{session.parent.name}/{session.name}"
    frames = _frames(session, _image_stem)
    if len(frames) < 2:
        found.left_out.append(f"{name}: {len(frames)} images")
        return
    first, last = min(frames), max(frames)
    files = _frames(landmarks, _landmark_stem) if landmarks.is_dir() else {}
    missing = [frames[number].name for number in (first, last) if number not in files]
    if missing:
        found.left_out.append(f"{name}: no landmarks of {' and '.join(missing)}")
        return
    load = partial(load_landmark_pair, (files[first], files[last]), LANDMARK_COUNT, origin)
    found.pairs.append(PairEntry(name, name, subject, (frames[first], frames[last]), load))


def _find_orphans(found: PointSet, images: Path, landmarks: Path) -> None:
    """List the landmarks whose image is not there."""
    for subject in _named(landmarks, _SUBJECT):
        for session in _named(subject, _SESSION):
            there = images / subject.name / session.name
            frames = _frames(there, _image_stem) if there.is_dir() else {}
            alone = sorted(set(_frames(session, _landmark_stem)) - set(frames))
            if alone:
                found.left_out.append(
                    f"{subject.name}/{session.name}: landmarks of {len(alone)} images that are not there"
                )


def load_landmark_pair(files: tuple[Path, Path], count: int | None, origin: float) -> PairPoints:
    """The points of two files of landmarks.

    :param count: how many each must hold; None takes what the first one has.
    :raises InputFileError: a file is no file of landmarks, or the two differ in how many they have.
    """
    before = read_landmarks(files[0], count, origin=origin)
    after = read_landmarks(files[1], len(before), origin=origin)
    motion = after - before
    everywhere = np.ones(len(before), dtype=bool)
    steady = steady_landmarks(len(before))
    return PairPoints(
        start=before,
        motion={"facial": motion, "head": motion} if steady.any() else {"facial": motion},
        counted={"facial": everywhere, "head": steady} if steady.any() else {"facial": everywhere},
        regions=landmark_regions(len(before)),
    )
