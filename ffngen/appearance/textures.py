"""Textures of the user's own, in the head model's texture coordinates."""

from __future__ import annotations

from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.folders import choose, image_files
from ffngen.errors import InputFileError
from ffngen.images import read_image

#: Texels along a side below which a file is more likely a mistake than a texture.
SMALLEST = 64


def load_user_texture(path: str | Path) -> NDArray[np.uint8]:
    """A texture atlas (S, S, 3) uint8 sRGB; row 0 is at v = 1.

    :raises InputFileError: no image, not square, or smaller than 64 texels.
    """
    texture = read_image(path)
    height, width = texture.shape[:2]
    if height != width:
        raise InputFileError(f"a UV texture is square, not {width} x {height}", where=path)
    if height < SMALLEST:
        raise InputFileError(f"a UV texture of {width} x {height} is too small", where=path)
    return texture


def choose_texture(
    folder: str | Path, rng: np.random.Generator, identity: str | None = None
) -> tuple[Path, NDArray[np.uint8]]:
    """One of the textures in a folder, and its path: the one that is named as the identity is, else any.

    :param identity: whose skin it is; a path's last part counts as its name.
    :raises InputFileError: no such folder, no image in it, or a file that is no texture.
    """
    files = image_files(folder, "textures")
    names = () if identity is None else (identity, PurePath(identity).name)
    own = next((path for name in names for path in files if path.stem == name), None)
    path = own or choose(files, rng)
    return path, load_user_texture(path)
