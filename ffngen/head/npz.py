"""Arrays from .npz and .npy files that nobody vouches for.

Only plain numbers, booleans and text are read, never objects; the sizes that a file claims are checked before
anything is allocated.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ffngen.errors import InputFileError

#: More than any head model needs (FLAME is 50 MB), and little enough to hold in memory.
MAX_BYTES = 1 << 28

_MAX_MEMBERS = 256
#: Characters of a library's message that ours repeats.
_MAX_QUOTED = 200
_READABLE_KINDS = "biufSU"


def read_npz(path: Path, keys: Collection[str], *, max_bytes: int = MAX_BYTES) -> dict[str, NDArray[Any]]:
    """The named arrays of an .npz file.

    :param path: the file.
    :param keys: which arrays to read, where the file has them; others are never unpacked.
    :param max_bytes: the largest total size, unpacked.
    :returns: name -> array.
    :raises InputFileError: when the file is missing, damaged, too large, or holds objects.
    """
    checked_size(path, max_bytes)
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            if len(members) > _MAX_MEMBERS:
                raise InputFileError(f"holds {len(members)} arrays, more than {_MAX_MEMBERS}", where=path)
            wanted = {name: info for name, info in members.items() if name in keys}
            total = sum(info.file_size for info in wanted.values())
            if total > max_bytes:
                raise InputFileError(f"unpacks to {total} bytes, more than {max_bytes}", where=path)
            for name, info in wanted.items():
                with archive.open(info) as stream:
                    arrays[name] = _read_array(stream, info.file_size)
    except InputFileError:
        raise
    except Exception as error:  # damaged archives raise nearly anything
        raise InputFileError(
            f"not a readable .npz file ({_problem(error)})", where=path, mend="copy the file again"
        ) from error
    return arrays


def read_npy(path: Path, *, max_bytes: int = MAX_BYTES) -> NDArray[Any]:
    """The array of an .npy file; raises as :func:`read_npz`."""
    size = checked_size(path, max_bytes)
    try:
        with path.open("rb") as stream:
            return _read_array(stream, size)
    except Exception as error:
        raise InputFileError(
            f"not a readable .npy file ({_problem(error)})", where=path, mend="copy the file again"
        ) from error


def checked_size(path: Path, max_bytes: int) -> int:
    """The size of a regular file in bytes; raises :class:`InputFileError` when it is missing or too large."""
    try:
        # A pipe or a device would be read for ever.
        if not path.is_file():
            raise InputFileError("there is no such file", where=path)
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        raise InputFileError(f"cannot be read ({error})", where=path) from error
    if size > max_bytes:
        raise InputFileError(f"is {size} bytes, more than the {max_bytes} that are read", where=path)
    return size


def _problem(error: Exception) -> str:
    # Such messages repeat what the file says, of any length.
    return f"{type(error).__name__}: {str(error)[:_MAX_QUOTED]}"


def _read_array(stream: IO[bytes], size: int) -> NDArray[Any]:
    """One .npy stream of ``size`` bytes. The data must be exactly as long as the header says."""
    # NumPy's stubs leave these three without types.
    version = npy.read_magic(stream)  # type: ignore[no-untyped-call]
    if version == (1, 0):
        shape, fortran, dtype = npy.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
    elif version == (2, 0):
        shape, fortran, dtype = npy.read_array_header_2_0(stream)  # type: ignore[no-untyped-call]
    else:
        raise ValueError(f"unknown .npy version {version}")
    if dtype.kind not in _READABLE_KINDS:
        raise ValueError(f"holds {dtype}, not plain numbers")
    if any(length < 0 for length in shape):
        raise ValueError("negative length")
    if math.prod(shape) * dtype.itemsize > size:
        raise ValueError("truncated: the header promises more data than there is")
    data = stream.read(math.prod(shape) * dtype.itemsize)
    if len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError("truncated")
    array = np.frombuffer(data, dtype=dtype) if data else np.empty(0, dtype=dtype)
    return array.reshape(shape, order="F" if fortran else "C")
