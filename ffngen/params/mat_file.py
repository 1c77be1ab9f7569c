"""Matrices of numbers from MATLAB's version 5 files, as ``scipy.io.savemat`` writes them.

Read by hand, for SciPy's reader allocates what a file claims and unpacks without a limit. Of the format (MathWorks,
MAT-File Level 5 File Format) only full matrices of real numbers are read; anything else is passed over.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError

MAX_BYTES = 1 << 26

_HEADER_BYTES = 128
_COMPRESSED, _MATRIX = 15, 14
#: Types of elements: 1 to 13, but for those that are reserved.
_DTYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
#: Classes of matrices, 6 to 15, and their numbers' type, however small the numbers are stored.
_CLASSES = dict(enumerate(("f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"), start=6))
_COMPLEX = 0x0800
#: Bytes of a matrix that tell its name: flags, dimensions, name.
_PREFIX_BYTES = 1024


def read_mat(path: Path, names: Collection[str]) -> tuple[set[str], dict[str, NDArray[Any]]]:
    """The matrices of the given names, and the names of all that the file holds.

    :raises InputFileError: for a file that is missing, damaged, too large, or of another version of the format.
    """
    data = read_bounded(path, MAX_BYTES)
    present: set[str] = set()
    arrays: dict[str, NDArray[Any]] = {}
    left = MAX_BYTES
    try:
        order = _byte_order(data)
        for kind, content in _elements(data, _HEADER_BYTES, order):
            prefix = _unpacked(content, _PREFIX_BYTES) if kind == _COMPRESSED else content[:_PREFIX_BYTES]
            if kind == _COMPRESSED:
                inner, size = struct.unpack_from(order + "II", prefix)
                prefix = prefix[8:]
            else:
                inner, size = kind, len(content)
            if inner != _MATRIX:
                continue
            name = _name(prefix, order)
            present.add(name)
            if name in names:
                left -= size
                if left < 0:
                    raise ValueError(f"matrices of more than {MAX_BYTES} bytes")
                whole = _unpacked(content, size + 8)[8:] if kind == _COMPRESSED else content
                if len(whole) < size:
                    raise ValueError("truncated")
                matrix = _matrix(whole, order)
                if matrix is not None:
                    arrays[name] = matrix
    except Exception as error:  # damaged files raise nearly anything
        what = f"not a readable MATLAB file ({(str(error) or type(error).__name__)[:200]})"
        raise InputFileError(what, where=path, mend="save it with scipy.io.savemat") from error
    return present, arrays


def _byte_order(data: bytes) -> str:
    if data[:8] == b"\x89HDF\r\n\x1a\n" or data[:10] == b"MATLAB 7.3":
        raise ValueError("its version 7.3 is not read")
    mark = data[126:128]
    if mark not in (b"IM", b"MI"):
        raise ValueError("only version 5 is read")
    return "<" if mark == b"IM" else ">"


def _elements(data: bytes, start: int, order: str) -> Iterator[tuple[int, bytes]]:
    while start < len(data):
        kind, size = struct.unpack_from(order + "II", data, start)
        start += 8
        if kind >> 16:  # at most four bytes, in the tag itself
            kind, size, start = kind & 0xFFFF, kind >> 16, start - 4
            padded = 4
        else:
            # Only a compressed element is not padded.
            padded = size if kind == _COMPRESSED else size + -size % 8
        if size > len(data) - start or (padded == 4 and size > 4):
            raise ValueError("truncated: an element claims more data than there is")
        yield kind, data[start : start + size]
        start += padded


def _unpacked(data: bytes, limit: int) -> bytes:
    return zlib.decompressobj().decompress(data, limit)


def _name(prefix: bytes, order: str) -> str:
    parts = []
    # The numbers themselves may lie beyond the prefix.
    try:
        for part in _elements(prefix, 0, order):
            parts.append(part)
            if len(parts) == 3:
                break
    except (ValueError, struct.error):
        pass
    return parts[2][1].decode("latin-1") if len(parts) == 3 else ""


def _matrix(content: bytes, order: str) -> NDArray[Any] | None:
    parts = []
    for part in _elements(content, 0, order):
        parts.append(part)
        if len(parts) == 4:
            break
    (flags,) = struct.unpack_from(order + "I", parts[0][1])
    target = _CLASSES.get(flags & 0xFF)
    if target is None or flags & _COMPLEX:
        return None
    shape = tuple(int(n) for n in np.frombuffer(parts[1][1], dtype=order + "i4"))
    if not 1 <= len(shape) <= 8 or any(n < 0 for n in shape):
        raise ValueError("a matrix with an impossible shape")
    if math.prod(shape) == 0:
        return np.empty(shape, dtype=target)
    kind, raw = parts[3]
    numbers = np.frombuffer(raw, dtype=np.dtype(order + _DTYPES[kind]))
    if numbers.size != math.prod(shape):
        raise ValueError("a matrix whose shape does not fit its numbers")
    return numbers.astype(target).reshape(shape, order="F")
