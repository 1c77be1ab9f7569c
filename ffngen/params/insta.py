"""Parameter sets from INSTA's datasets, which ``scripts/transforms.py`` makes of metrical-tracker's output.

A folder has transforms.json (or its parts), whose cameras are OpenCV's, images/, meshes/ and flame/exp/00001.txt, ...:
the expression, and neither the identity nor the jaw. These come from

- ``checkpoint/00001.frame`` beside transforms.json, metrical-tracker's own files, or
- ``flame/shape/`` or MICA's ``identity.npy`` (300), ``flame/jaw/`` (6D) and, where they are there, ``flame/eyes/``
  (two 6D) and ``flame/eyelids/`` (2), as text like the expressions.

As in metrical-tracker the head stays in its own frame, and its motion is in the cameras.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.places import emotion_of, file_inside, find_files, identity_of, refuse_link_out, text
from ffngen.params.rotations import axis_angle_from_6d
from ffngen.params.tracker_frame import read_tracker_frame
from ffngen.params.transforms import camera_of, choose_files, is_transforms, read_frames
from ffngen.params.vectors import checked_array, read_vector

Array64 = NDArray[np.float64]

_MAX_TEXT_BYTES = 64 * 1024
_FRAME = re.compile(r"[0-9]{1,9}")
_MEND = "copy metrical-tracker's checkpoint folder beside transforms.json"


def read_insta(path: Path) -> list[ParameterSet]:
    """The frames of all INSTA datasets at or below a folder; one track for each dataset.

    The identity is the dataset's folder below ``path``.

    :returns: sorted by dataset and frame; empty where there is no transforms.json.
    :raises InputFileError: for a file that is damaged or missing, or that lacks what makes a face.
    """
    base = path if path.is_dir() else path.parent
    sets: list[ParameterSet] = []
    for folder, files in sorted(find_files(path, is_transforms)):
        frames: dict[int, tuple[str, dict[str, Any], Path]] = {}
        for file in choose_files(files):
            for frame in read_frames(file):
                stem = _stem(frame, file)
                frames.setdefault(int(stem), (stem, frame, file))
        for number in sorted(frames):
            sets.append(_set(number, *frames[number], folder=folder, root=path, base=base))
    return sets


def _stem(frame: dict[str, Any], file: Path) -> str:
    """A frame's number as its files are named."""
    for key in ("exp_path", "file_path"):
        name = frame.get(key)
        if isinstance(name, str):
            stem = Path(name).stem
            if _FRAME.fullmatch(stem):
                return stem
    mend = "give --params-format gaussian-avatars if VHAP or GaussianAvatars wrote it"
    raise InputFileError(
        "a frame has no 'exp_path' or 'file_path' that is named after its number", where=file, mend=mend
    )


def _set(
    number: int, stem: str, frame: dict[str, Any], file: Path, *, folder: Path, root: Path, base: Path
) -> ParameterSet:
    checkpoint = _beside(folder, f"checkpoint/{stem}.frame", base)
    if checkpoint is not None:
        tracked = read_tracker_frame(checkpoint)
        betas, expression, pose, eyelids = tracked.betas, tracked.expression, tracked.pose, tracked.eyelids
    else:
        betas, expression, pose, eyelids = _from_texts(folder, stem, base)
    identity = identity_of(folder, root)
    image = file_inside(folder, frame.get("file_path"), base)
    return ParameterSet(
        betas=betas,
        expression=expression,
        pose=pose,
        family="flame2020",
        identity=identity,
        emotion=emotion_of(folder, root if root.is_dir() else folder),
        source=text(checkpoint if checkpoint is not None else folder / f"flame/exp/{stem}.txt"),
        eyelids=eyelids,
        camera=camera_of(frame, file, opengl=False),
        track=identity,
        frame=number,
        image=None if image is None else text(image),
    )


def _from_texts(folder: Path, stem: str, base: Path) -> tuple[Array64, Array64, Array64, Array64]:
    expression = _vector(folder, "exp", stem, 100, base)
    jaw = _vector(folder, "jaw", stem, 6, base)
    betas = _vector(folder, "shape", stem, 300, base)
    identity = _beside(folder, "identity.npy", base)
    if betas is None and identity is not None:
        betas = read_vector(identity, 300)
    missing = {"expression (flame/exp)": expression, "jaw (flame/jaw)": jaw, "identity (identity.npy)": betas}
    if expression is None or jaw is None or betas is None:
        lacking = " and no ".join(name for name, value in missing.items() if value is None)
        raise InputFileError(f"frame {stem} has no {lacking}", where=folder, mend=_MEND)
    eyes = _vector(folder, "eyes", stem, 12, base)
    eyelids = _vector(folder, "eyelids", stem, 2, base)
    pose = np.zeros(15)
    try:
        pose[6:9] = axis_angle_from_6d(jaw)
        if eyes is not None:
            pose[9:15] = axis_angle_from_6d(eyes.reshape(2, 6)).ravel()
    except ValueError as error:
        raise InputFileError(f"frame {stem} has {error}", where=folder / "flame") from error
    return betas, expression, pose, np.zeros(2) if eyelids is None else eyelids


def _beside(folder: Path, name: str, base: Path) -> Path | None:
    path = folder / name
    if not path.exists() and not path.is_symlink():
        return None
    refuse_link_out(path, base.resolve())
    return path


def _vector(folder: Path, name: str, stem: str, size: int, base: Path) -> Array64 | None:
    """Numbers of one text file, as ``numpy.savetxt`` writes them, or None where there is no such file."""
    path = _beside(folder, f"flame/{name}/{stem}.txt", base)
    if path is None:
        return None
    data = read_bounded(path, _MAX_TEXT_BYTES)
    try:
        numbers = np.array(list(_numbers(data)))
    except ValueError as error:
        raise InputFileError(f"is no list of numbers ({str(error)[:80]})", where=path) from error
    return checked_array(numbers, (size,), name, path)


def _numbers(data: bytes) -> Iterator[float]:
    for word in data.decode("ascii").split():
        value = float(word)
        yield value if len(word) < 64 else math.nan
