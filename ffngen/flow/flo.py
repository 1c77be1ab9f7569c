"""Middlebury ``.flo`` files.

``PIEH``, int32 width, int32 height, then little-endian float32 u, v interleaved, row by row from the top
(http://vision.middlebury.edu/flow/code/flow-code/README.txt).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import file_size
from ffngen.errors import InputFileError
from ffngen.flow.values import MAX_PIXELS, Flow, check_size, checked_flow

_HEADER = struct.Struct("<4sii")
_MAGIC = b"PIEH"


def encode_flo(flow: NDArray[Any], valid: NDArray[Any] | None = None) -> bytes:
    """A flow (H, W, 2), pixels, as the bytes of a ``.flo`` file; invalid pixels are written as unknown."""
    flow = checked_flow(flow, valid)
    height, width = flow.shape[:2]
    return _HEADER.pack(_MAGIC, width, height) + flow.astype("<f4", copy=False).tobytes()


def read_flo(path: str | Path, rows: slice | None = None, size: tuple[int, int] | None = None) -> Flow:
    """Read a ``.flo`` file.

    :param rows: read these rows alone, from a start to a stop within the image; all without it.
    :param size: the (height, width) that the whole flow must have; any without it.
    :returns: (H, W, 2) float32, pixels; values above 1e9 in size are unknown (:func:`ffngen.flow.values.known`).
    :raises InputFileError: missing, of another kind, truncated, or longer than its header says.
    """
    path = Path(path)
    length = file_size(path)
    try:
        with path.open("rb") as file:
            width, height = _read_header(file.read(_HEADER.size), length, path)
            if size is not None:
                check_size(path, (height, width), size)
            start, stop, _ = (rows or slice(None)).indices(height)
            file.seek(8 * width * start, 1)
            data = file.read(8 * width * (stop - start))
    except OSError as error:
        raise InputFileError(f"cannot be read: {error.strerror or error}", where=path) from error
    if len(data) != 8 * width * (stop - start):
        raise InputFileError("a truncated .flo file", where=path)
    return np.frombuffer(data, dtype="<f4").reshape(-1, width, 2).astype(np.float32)


def _read_header(header: bytes, size: int, path: Path) -> tuple[int, int]:
    if len(header) < _HEADER.size or header[:4] != _MAGIC:
        raise InputFileError("not a .flo file (it does not begin with PIEH)", where=path)
    _, width, height = _HEADER.unpack(header)
    if width < 1 or height < 1 or width * height > MAX_PIXELS:
        raise InputFileError(f"a .flo file of {width} x {height} pixels", where=path, mend="that is no usable size")
    expected = _HEADER.size + 8 * width * height
    if size != expected:
        what = "truncated" if size < expected else "too long"
        raise InputFileError(f"{what}: {width} x {height} pixels need {expected} bytes, it has {size}", where=path)
    return width, height
