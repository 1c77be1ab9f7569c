"""Parameter sets from the videos that metrical-tracker and Pixel3DMM tracked: ``ACTOR/checkpoint/00001.frame``, ...

The head stays in its own frame, and its motion is in the cameras: see :mod:`ffngen.params.tracker_frame`.
"""

from __future__ import annotations

import re
from pathlib import Path

from ffngen.errors import InputFileError
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.places import emotion_of, file_inside, find_files, identity_of, text
from ffngen.params.tracker_frame import read_tracker_frame

_FRAME = re.compile(r"([0-9]{1,9})\.frame")


def read_metrical_tracker(path: Path) -> list[ParameterSet]:
    """The frames of one .frame file, or of all folders of such files below a folder; one track for each folder.

    The identity is the path of the folder that holds ``checkpoint`` below ``path``. The picture is the tracker's
    own crop, ``ACTOR/input/00001.png``, where it is there.

    :returns: sorted by folder and frame number; empty where there is no .frame file.
    :raises InputFileError: for a file whose name is no number, that is damaged, asks for more than arrays, or is
        neither tracker's.
    """
    sets: list[ParameterSet] = []
    for folder, files in sorted(find_files(path, _is_frame)):
        numbers: dict[int, Path] = {}
        for file in files:
            match = _FRAME.fullmatch(file.name)
            if match is None:
                mend = "name it after its frame, as in 00001.frame"
                raise InputFileError("is named after no frame", where=file, mend=mend)
            other = numbers.setdefault(int(match[1]), file)
            if other is not file:
                raise InputFileError(f"is the same frame as {other.name}", where=file, mend="remove one of them")
        sets += [_set(numbers[number], number, folder, path) for number in sorted(numbers)]
    return sets


def _is_frame(name: str) -> bool:
    return name.endswith(".frame")


def _set(file: Path, number: int, folder: Path, root: Path) -> ParameterSet:
    frame = read_tracker_frame(file)
    actor = folder.parent if folder.name == "checkpoint" else folder
    identity = identity_of(actor, root)
    image = file_inside(actor, f"input/{file.stem}.png", root if root.is_dir() else actor)
    return ParameterSet(
        betas=frame.betas,
        expression=frame.expression,
        pose=frame.pose,
        family="flame2020",
        identity=identity,
        emotion=emotion_of(actor, root if root in (actor, *actor.parents) else actor),
        source=text(file),
        eyelids=frame.eyelids,
        camera=frame.camera,
        track=identity,
        frame=number,
        image=None if image is None else text(image),
    )
