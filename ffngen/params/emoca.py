"""Parameter sets from the folders that EMOCA writes with ``--save_codes``.

One folder per image, ``<stem>00/``, or per video frame, ``%06d_%03d/``, with shape.npy (100), exp.npy (50)
and pose.npy (6: global rotation and jaw, axis-angle). tex.npy (50), the coefficients of the texture, is read where it
is there; detail.npy is not needed. EMOCA decodes with FLAME 2020, with the neck and the eyes at rest.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from ffngen.errors import InputFileError
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.places import emotion_of, file_inside, find_files, identity_of, text
from ffngen.params.vectors import read_vector

CODE_SIZES = {"shape.npy": 100, "exp.npy": 50, "pose.npy": 6}

_TEXTURE = "tex.npy"
_TEXTURE_SIZE = 50

#: A frame of a video: frame number, face number.
_VIDEO_FRAME = re.compile(r"([0-9]{6})_([0-9]{3})")


def read_emoca(path: Path) -> list[ParameterSet]:
    """The parameter sets of one EMOCA folder, or of all EMOCA folders below a folder.

    The identity is the folder's path below ``path``; frames of one video share their video's, so that a
    split by identity never parts them, and the frames of one face in a video are one track. The emotion is the
    nearest folder above whose name is one of AffectNet's class words, else ``none``.

    :returns: sorted by path; empty where there is no EMOCA folder.
    :raises InputFileError: for a folder that cannot be read, lacks one of the first three files, holds a
        damaged one, or holds a link that leads out of ``path``.
    """
    if not path.is_dir():
        return []
    found = find_files(path, CODE_SIZES.__contains__, below_finds=False)
    return [_read_folder(folder, path) for folder in sorted(folder for folder, _ in found)]


def _read_folder(folder: Path, root: Path) -> ParameterSet:
    present = {name for name in CODE_SIZES if os.path.lexists(folder / name)}
    missing = [name for name in CODE_SIZES if name not in present]
    if missing:
        raise InputFileError(
            f"has {', '.join(sorted(present))} but no {' and no '.join(missing)}",
            where=folder,
            mend="run EMOCA with --save_codes, or remove the folder",
        )
    shape, expression, rotations = (read_vector(folder / name, size) for name, size in CODE_SIZES.items())
    pose = np.zeros(15)
    pose[0:3] = rotations[0:3]  # global
    pose[6:9] = rotations[3:6]  # jaw
    # A link that leads out is left alone.
    texture = file_inside(folder, _TEXTURE, root)
    place, face, frame = _place(folder)
    identity = identity_of(place, root)
    return ParameterSet(
        betas=shape,
        expression=expression,
        pose=pose,
        family="flame2020",
        identity=identity,
        emotion=emotion_of(folder, root),
        source=text(folder),
        track=None if face is None else f"{identity}/{face}",
        frame=frame,
        texture=None if texture is None else read_vector(texture, _TEXTURE_SIZE),
    )


def _place(folder: Path) -> tuple[Path, str | None, int | None]:
    """The person's folder, and for a frame of a video the face's name in it and the frame's number."""
    match = _VIDEO_FRAME.fullmatch(folder.name)
    if match is None:
        return folder, None, None
    return folder.parent, match[2], int(match[1])
