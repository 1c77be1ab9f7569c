"""Textures of the user's own, in the head model's texture coordinates: a folder of pictures."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.folders import SUFFIXES, choose, image_files
from ffngen.errors import InputFileError
from ffngen.images import MAX_PIXELS, image_header, read_image

#: Texels along a side below which a file is more likely a mistake than a texture.
SMALLEST = 64

#: Pillow's modes of pictures with colours.
_COLOURED = frozenset({"RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV"})


@dataclass(frozen=True)
class Worn:
    """The texture that a person wears.

    :param texture: (S, S, 3) uint8 sRGB; row 0 is at v = 1.
    :param name: what it is called.
    :param record: how it was come by, JSON-ready.
    """

    texture: NDArray[np.uint8]
    name: str
    record: dict[str, Any]


@dataclass(frozen=True)
class TextureFolder:
    """A folder of textures, all of whose headers were looked at.

    A person wears the one that is named as the person; who has none wears one that the person's seed draws from all.

    :param folder: where they lie.
    :param files: by name; those in the folder itself, or where there are none, those anywhere below it.
    :param digest: sha256 of the files' names and sizes: which one a person gets depends on all of them.
    """

    folder: Path
    files: tuple[Path, ...]
    digest: str

    @classmethod
    def open(cls, folder: str | Path) -> TextureFolder:
        """Look at a folder.

        :raises InputFileError: no such folder, no image in it, or one that is not square, grey, too small or too
            large, or that cannot be read.
        """
        folder = Path(folder)
        files = _texture_files(folder)
        digest = hashlib.sha256()
        for path in files:
            _check(path)
            try:
                name = path.relative_to(folder).as_posix().encode()
            except UnicodeEncodeError:
                # Metadata names the file.
                raise InputFileError("a file whose name is not UTF-8", where=path, mend="rename it") from None
            digest.update(name + f"\0{path.stat().st_size}\0".encode())
        return cls(folder, files, digest.hexdigest())

    def worn_by(self, identity: str, rng: np.random.Generator) -> Worn:
        """The texture of a person.

        :param identity: who it is; a path's last part counts as the name too.
        :param rng: of the person's seed.
        :raises InputFileError: a file that is no texture after all.
        """
        own = self._named(identity)
        path = own or choose(self.files, rng)
        name = path.relative_to(self.folder).as_posix()
        return Worn(load_user_texture(path), name, {"texture_from": "seed" if own is None else "name"})

    def _named(self, identity: str) -> Path | None:
        by_place = {path.relative_to(self.folder).with_suffix("").as_posix(): path for path in self.files}
        if identity in by_place:
            return by_place[identity]
        for name in (identity, PurePath(identity).name):
            # Of several folders' files of one name, none is surely the person's.
            found = [path for path in self.files if path.stem == name]
            if len(found) == 1:
                return found[0]
        return None


def load_user_texture(path: str | Path) -> NDArray[np.uint8]:
    """A texture atlas (S, S, 3) uint8 sRGB; row 0 is at v = 1.

    :raises InputFileError: no image, not square, grey, or smaller than 64 texels.
    """
    _check(Path(path))
    return read_image(path)


def _texture_files(folder: Path) -> tuple[Path, ...]:
    """A folder's textures; large sets, such as FFHQ-UV, are often spread over folders in it."""
    if folder.is_dir():
        try:
            below = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES]
        except OSError as error:
            raise InputFileError(f"the folder of textures cannot be read: {error.strerror}", where=folder) from error
        below = [path for path in below if not any(part[0] == "." for part in path.relative_to(folder).parts)]
        if below and not any(path.parent == folder for path in below):
            return tuple(sorted(below, key=lambda path: path.relative_to(folder).as_posix()))
    return image_files(folder, "textures")


def _check(path: Path) -> None:
    width, height, mode = image_header(path)
    if width != height:
        raise InputFileError(f"a UV texture is square, not {width} x {height}", where=path)
    if width < SMALLEST or width * height > MAX_PIXELS:
        size = "small" if width < SMALLEST else "large"
        raise InputFileError(f"a UV texture of {width} x {height} is too {size}", where=path)
    if mode not in _COLOURED:
        mend = "give an image of red, green and blue, or move it elsewhere"
        raise InputFileError("a UV texture has colours, and this image is grey", where=path, mend=mend)
