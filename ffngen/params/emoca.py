"""Parameter sets from the folders that EMOCA writes with ``--save_codes``.

One folder per image, ``<stem>00/``, or per video frame, ``%06d_%03d/``, with shape.npy (100), exp.npy (50)
and pose.npy (6: global rotation and jaw, axis-angle); tex.npy and detail.npy are not needed. EMOCA
decodes with FLAME 2020, with the neck and the eyes at rest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ffngen.errors import InputFileError
from ffngen.job import EMOTIONS
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.vectors import read_vector

CODE_SIZES = {"shape.npy": 100, "exp.npy": 50, "pose.npy": 6}

#: A frame of a video: frame number, face number.
_VIDEO_FRAME = re.compile(r"\d{6}_\d{3}")


def read_emoca(path: Path) -> list[ParameterSet]:
    """The parameter sets of one EMOCA folder, or of all EMOCA folders below a folder.

    The identity is the folder's path below ``path``; frames of one video share their video's, so that a
    split by identity never parts them. The emotion is the nearest folder above whose name is one of
    AffectNet's class words, else ``none``.

    :returns: sorted by path; empty where there is no EMOCA folder.
    :raises InputFileError: for a folder that cannot be read, lacks one of the three files, holds a
        damaged one, or holds a link that leads out of ``path``.
    """
    return [_read_folder(folder, path) for folder in sorted(_find_folders(path))] if path.is_dir() else []


def _find_folders(root: Path) -> Iterator[Path]:
    real_root = root.resolve()
    pending = [root]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(folder))
            below = [Path(entry.path) for entry in entries if _is_folder(entry)]
        except OSError as error:
            raise InputFileError(f"cannot be read ({error.strerror})", where=folder) from error
        codes = [Path(entry.path) for entry in entries if entry.name in CODE_SIZES]
        for link in (path for path in codes or below if path.is_symlink()):
            _refuse_link_out(link, real_root)
        if codes:
            yield folder
        else:
            # What a linked folder inside the root points to is found where it really lies.
            pending.extend(path for path in below if not path.is_symlink())


def _is_folder(entry: os.DirEntry[str]) -> bool:
    # DirEntry costs no system call, but raises for a link to itself.
    return Path(entry.path).is_dir() if entry.is_symlink() else entry.is_dir()


def _refuse_link_out(link: Path, real_root: Path) -> None:
    try:
        inside = link.resolve(strict=True).is_relative_to(real_root)
    except (OSError, RuntimeError) as error:
        raise InputFileError("is a link that leads nowhere", where=link) from error
    if not inside:
        raise InputFileError("is a link that leads out of the folder", where=link, mend="copy what it points to")


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
    return ParameterSet(
        betas=shape,
        expression=expression,
        pose=pose,
        family="flame2020",
        identity=_identity(folder, root),
        emotion=_emotion(folder, root),
        source=_text(folder),
    )


def _identity(folder: Path, root: Path) -> str:
    place = folder.parent if _VIDEO_FRAME.fullmatch(folder.name) else folder
    inside = place.relative_to(root) if place.is_relative_to(root) else Path()
    return _text(inside if inside.parts else Path(place.resolve().name))


def _emotion(folder: Path, root: Path) -> str:
    # A single folder may lie in its class's folder; otherwise nothing above the root speaks of the faces in it.
    top = root.resolve().parent if folder == root else root.resolve()
    above = folder.resolve().parent
    for name in (top.name, *above.relative_to(top).parts)[::-1]:
        if name.lower() in EMOTIONS:
            return name.lower()
    return "none"


def _text(path: Path) -> str:
    """The path as valid Unicode, whatever bytes the file system holds."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
