"""Recordings of one face by ARKit's 52 actions: what Live Link Face's and MediaPipe's files have in common.

They drive the open head, whose expression coefficients are these actions. Gaze is among them (eyeLook*: the open
head's actions turn the eyeballs themselves), so the eye joints stay at rest, or the eyes would turn twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.head.npz import checked_size
from ffngen.params.arkit import ARKIT_ACTIONS
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.places import emotion_of, find_files, identity_of, text

#: Bytes; two hours of Live Link Face at 60 frames per second are 350 MB.
MAX_BYTES = 1 << 29
MAX_FRAMES = 500_000

#: An activation is 0 to 1, a little more where a tracker is calibrated; 0 to 100 is another unit.
MAX_ACTIVATION = 10.0

#: The neck's part of the head's rotation; the trunk follows with the rest. The middle of what the sampler draws
#: (:mod:`ffngen.params.head_pose`), for trackers see the head alone and cannot tell.
NECK_SHARE = 0.75

#: name in lower case -> index of the coefficient; files write the names with a capital or without.
ACTION_INDEX = {name.lower(): index for index, name in enumerate(ARKIT_ACTIONS)}


@dataclass(frozen=True, eq=False)
class Recording:
    """The frames of one file in which there is a face.

    :param frames: (T,) their numbers, from 0; rows without a face are counted and left out.
    :param activation: (T, 52) float64, in the order of :data:`ffngen.params.arkit.ARKIT_ACTIONS`.
    :param rotation: (T, 3) float64, radians: the head's, axis-angle, in the head frame (CONVENTIONS.md).
    :param fps: frames per second, or None where the file does not tell.
    """

    frames: NDArray[np.int64]
    activation: NDArray[np.float64]
    rotation: NDArray[np.float64]
    fps: float | None


def _recorded_sets(recording: Recording, path: Path, root: Path) -> list[ParameterSet]:
    """One set for each frame of a recording. Each file is one track and one identity.

    The head's rotation goes to the neck and the global joint in fixed parts; both turn about its own axis, so that
    together they are exactly the rotation.

    :param path: the recording's file.
    :param root: the file or folder that the user named; identity and emotion come from what lies below it.
    """
    poses = np.zeros((len(recording.frames), 15))
    poses[:, 0:3] = (1.0 - NECK_SHARE) * recording.rotation
    poses[:, 3:6] = NECK_SHARE * recording.rotation
    identity, emotion, track = identity_of(path.with_suffix(""), root), emotion_of(path, root), text(path)
    betas = np.zeros(0)
    return [
        ParameterSet(
            betas=betas,
            expression=activation,
            pose=pose,
            family="open",
            identity=identity,
            emotion=emotion,
            source=f"{track}, frame {frame}",
            track=track,
            frame=frame,
            fps=recording.fps,
        )
        for frame, activation, pose in zip(recording.frames.tolist(), recording.activation, poses, strict=True)
    ]


def read_recordings(
    path: Path, suffixes: tuple[str, ...], is_one: Callable[[Path], bool], read: Callable[[Path], Recording]
) -> list[ParameterSet]:
    """The sets of one recording, or of all below a folder; empty where there is none.

    :param suffixes: of the files that are looked at in a folder.
    :param is_one: whether a file is a recording of this kind.
    :param read: reads one.
    :raises InputFileError: as ``is_one`` and ``read``, or a folder that cannot be read.
    """
    sets: list[ParameterSet] = []
    for file in _files_below(path, suffixes):
        if is_one(file):
            checked_size(file, MAX_BYTES)
            sets += _recorded_sets(read(file), file, path)
    return sets


def first_bytes(path: Path, count: int) -> bytes:
    """The beginning of an ordinary file, and nothing of anything else; raises :class:`InputFileError`."""
    try:
        if not path.is_file():
            return b""
        with path.open("rb") as stream:
            return stream.read(count)
    except OSError as error:
        raise InputFileError(f"cannot be read ({error.strerror})", where=path) from error


def _files_below(path: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """``path`` itself where it is a file, else the files below it with one of these suffixes, in a fixed order.

    :raises InputFileError: for a folder that cannot be read, or a link in it that leads nowhere or out of it.
    """
    if not path.is_dir():
        yield path
        return
    found = find_files(path, lambda name: Path(name).suffix.lower() in suffixes)
    yield from sorted(file for _, files in found for file in files)


def checked_activation(value: float) -> float:
    """An activation; raises ValueError with a clause that says what is wrong."""
    # Written so that a NaN is at fault too.
    if not abs(value) <= MAX_ACTIVATION:
        raise ValueError(f"{value:.6g} is no activation, which goes from 0 to 1")
    return value
