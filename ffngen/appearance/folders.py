"""Choosing one of a user's image files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ffngen.errors import InputFileError

#: Suffixes of the files that a folder of images is searched for.
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm"})


def image_files(folder: str | Path, purpose: str) -> tuple[Path, ...]:
    """The image files directly inside a folder, by name; hidden files are left out.

    :param purpose: what the images are, for the message.
    :raises InputFileError: no such folder, not readable, or no image in it.
    """
    folder = Path(folder)
    if not folder.is_dir():
        what = f"the folder of {purpose} is a file" if folder.exists() else f"no such folder of {purpose}"
        raise InputFileError(what, where=folder, mend="give a folder that holds images")
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    except OSError as error:
        raise InputFileError(f"the folder of {purpose} cannot be read: {error.strerror}", where=folder) from error
    if not found:
        raise InputFileError(
            f"the folder of {purpose} holds no image", where=folder, mend="put .jpg or .png files directly into it"
        )
    return tuple(sorted(found, key=lambda path: path.name))


def choose(files: tuple[Path, ...], rng: np.random.Generator) -> Path:
    """One of the files; every one is equally likely."""
    return files[int(rng.integers(len(files)))]
