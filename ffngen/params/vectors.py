"""Numbers from a tracker's files, which nobody vouches for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.head.npz import read_npy

#: Bytes; a header of the largest size that NumPy reads, and more data than any tracker's vector.
_MAX_BYTES = 64 * 1024

#: No coefficient (in standard deviations), angle (in radians) or distance (in metres) of a face comes near it.
_MAX_MAGNITUDE = 1000.0

Array64 = NDArray[np.float64]


def read_vector(path: Path, size: int) -> Array64:
    """One vector of floats from a .npy file of shape (size,) or (1, size).

    :returns: (size,) float64.
    :raises InputFileError: for a file that is missing, damaged, too large, of another shape or type, or
        that holds a value that is not finite or is beyond 1000.
    """
    array = read_npy(path, max_bytes=_MAX_BYTES)
    mend = f"give {size} floats as numpy.save writes them"
    if array.dtype.kind != "f":
        raise InputFileError(f"holds {array.dtype}, not floats", where=path, mend=mend)
    if array.shape not in ((size,), (1, size)):
        raise InputFileError(f"has the shape {array.shape}, not ({size},)", where=path, mend=mend)
    vector = array.reshape(size).astype(np.float64)
    _refuse_faulty(vector, "", where=path, mend="track that image again, or remove its folder")
    return vector


def checked_array(
    array: NDArray[Any], shape: tuple[int, ...], name: str, where: Path, *, limit: float = _MAX_MAGNITUDE
) -> Array64:
    """Floats of one shape, which may have axes of length 1 before it.

    :param array: whatever a file holds under ``name``.
    :returns: of the shape, float64.
    :raises InputFileError: for another shape or type, or a value that is not finite or is beyond ``limit``.
    """
    rows = checked_rows(array, shape, name, where, limit=limit)
    if len(rows) != 1:
        raise InputFileError(f"{name!r} has the shape {array.shape}, not {shape}", where=where)
    row: Array64 = rows[0]
    return row


def checked_rows(
    array: NDArray[Any], shape: tuple[int, ...], name: str, where: Path, *, limit: float = _MAX_MAGNITUDE
) -> Array64:
    """Floats of one shape for each of T frames; as :func:`checked_array`, with the axis of frames before the shape.

    :returns: (T, *shape) float64, T at least 1.
    """
    if array.dtype.kind != "f":
        raise InputFileError(f"{name!r} holds {array.dtype}, not floats", where=where)
    leading = array.shape[: max(array.ndim - len(shape), 0)]
    frames = math.prod(leading)
    one_axis = sum(length != 1 for length in leading) <= 1
    if array.shape[len(leading) :] != shape or not one_axis or frames < 1:
        raise InputFileError(f"{name!r} has the shape {array.shape}, not {shape}", where=where)
    rows = array.reshape(frames, *shape)
    _refuse_faulty(rows, f"{name!r}: ", where=where, mend="track that image again, or remove the file", limit=limit)
    return rows.astype(np.float64)


def _refuse_faulty(array: NDArray[Any], name: str, *, where: Path, mend: str, limit: float = _MAX_MAGNITUDE) -> None:
    # Written so that a NaN is at fault too.
    faulty = np.flatnonzero(~(np.abs(array) <= limit))
    if faulty.size:
        what = f"{name}value {faulty[0]} is {array.ravel()[faulty[0]]:.4g}, which no face has"
        raise InputFileError(what, where=where, mend=mend)
