"""The user's folders of backgrounds and tracked pictures, looked at before any work begins."""

from __future__ import annotations

import hashlib

from ffngen.appearance.folders import image_files
from ffngen.errors import InputFileError
from ffngen.images import MAX_PIXELS, image_size

#: Pixels along the shorter side.
_SMALLEST = 16


def check_images(folder: str, purpose: str) -> str:
    """Check the header of every image in a folder, so that a fault is found now and not hours later.

    :param purpose: ``backgrounds`` or ``source_images``.
    :returns: sha256 of the names and sizes of the files: which one a sequence gets depends on all of them.
    :raises InputFileError: no such folder, no image in it, or a file that cannot be used.
    """
    digest = hashlib.sha256()
    for path in image_files(folder, purpose, below=purpose == "source_images"):
        width, height = image_size(path)
        if min(width, height) < _SMALLEST or width * height > MAX_PIXELS:
            size = "small" if width * height <= MAX_PIXELS else "large"
            raise InputFileError(f"an image of {width} x {height} pixels is too {size}", where=path)
        try:
            name = path.relative_to(folder).as_posix().encode()
        except UnicodeEncodeError:
            # Metadata names the file.
            raise InputFileError("a file whose name is not UTF-8", where=path, mend="rename it") from None
        digest.update(name + f"\0{path.stat().st_size}\0".encode())
    return digest.hexdigest()
