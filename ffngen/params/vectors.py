"""Vectors of coefficients from a tracker's files, which nobody vouches for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.head.npz import read_npy

#: Bytes; a header of the largest size that NumPy reads, and more data than any tracker's vector.
_MAX_BYTES = 64 * 1024

#: No coefficient (in standard deviations) or angle (in radians) of a face comes near it.
_MAX_MAGNITUDE = 1000.0


def read_vector(path: Path, size: int) -> NDArray[np.float64]:
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
    # Written so that a NaN is at fault too.
    faulty = np.flatnonzero(~(np.abs(vector) <= _MAX_MAGNITUDE))
    if faulty.size:
        what = f"value {faulty[0]} is {vector[faulty[0]]:.4g}, which no face has"
        raise InputFileError(what, where=path, mend="track that image again, or remove its folder")
    return vector
