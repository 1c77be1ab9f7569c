"""Choosing one of a user's image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ffngen.errors import InputFileError

#: Suffixes of the files that a folder of images is searched for.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm"})


def image_files(folder: str | Path, purpose: str, *, below: bool = False) -> tuple[Path, ...]:
    """The image files directly inside a folder; as :func:`files_in`."""
    return files_in(folder, purpose, SUFFIXES, below=below)


def files_in(folder: str | Path, purpose: str, suffixes: frozenset[str], *, below: bool = False) -> tuple[Path, ...]:
    """The files of some suffixes directly inside a folder, by name; hidden files are left out.

    :param purpose: what they are, for the message.
    :param below: in the folders in it, too; links to folders are not followed.
    :raises InputFileError: no such folder, not readable, or no such file in it.
    """
    folder = Path(folder)
    kind, examples = ("image", ".jpg or .png") if suffixes is SUFFIXES else ("file", " or ".join(sorted(suffixes)))
    if not folder.is_dir():
        what = f"the folder of {purpose} is a file" if folder.exists() else f"no such folder of {purpose}"
        raise InputFileError(what, where=folder, mend=f"give a folder that holds {kind}s")
    try:
        paths = folder.rglob("*") if below else folder.iterdir()
        found = [path for path in paths if path.suffix.lower() in suffixes and path.name[0] != "."]
    except OSError as error:
        raise InputFileError(f"the folder of {purpose} cannot be read: {error.strerror}", where=folder) from error
    if not found:
        raise InputFileError(
            f"the folder of {purpose} holds no {kind}",
            where=folder,
            mend=f"put {examples} files {'' if below else 'directly '}into it",
        )
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def choose(files: tuple[Path, ...], rng: np.random.Generator) -> Path:
    """One of the files; every one is equally likely."""
    return files[int(rng.integers(len(files)))]
