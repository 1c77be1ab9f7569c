"""Compact flow files, ``.cflo``: a twentieth of ``.flo``'s bytes on rendered faces, right to a 4096th of a pixel.

Values are rounded to multiples of 1/2048 px, so that no error exceeds 0.00025 px, which is about what the renderer's
own flow is off by. What is kept of each is its difference from what a plane through its left, upper, and upper left
neighbours predicts (Ibarria et al. 2003, "Out-of-core compression and decompression of large n-dimensional scalar
fields"), nearly always a few steps, and Zstandard shrinks that. Bands of rows are compressed one by one, so that a
crop decodes the rows that it needs.

All numbers are little-endian::

    header   "CFLO", uint8 version (1), uint8 b: a step is 2^-b px, uint16 rows in a band, uint32 width, uint32 height
    table    for each band: uint32 bytes compressed, uint32 bytes when decompressed
    bands    Zstandard frames, one after another

A band holds a byte that is 1 where all its pixels are valid, or 0 and then the validity bits (row by row, the highest
bit first); then u, then v: a byte n, and the n lowest bytes of all differences, lowest bytes first. A difference d is
stored as 2d, or as -2d - 1 where it is negative. A band's predictions know nothing outside it: there all is 0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.flow.values import MAX_PIXELS, UNKNOWN_FLOW, Flow, check_size, checked_flow, known

#: Pixels: values are multiples of 2^-STEP_BITS.
STEP_BITS = 11
#: Pixels: no decoded value is further from the encoded one, but for the last bit of float32.
MAX_ERROR = 2.0 ** -(STEP_BITS + 1)

_MAGIC = b"CFLO"
_VERSION = 1
_HEADER = struct.Struct("<4sBBHII")
_BAND = struct.Struct("<II")
_ROWS = 64
_LEVEL = 9
#: Pixels, the longest motion: beyond it, steps would not fit into 31 bits.
LONGEST = float(1 << (30 - STEP_BITS))
_MAX_BYTES = 10 * MAX_PIXELS


def encode_compact(flow: NDArray[Any], valid: NDArray[Any] | None = None) -> bytes:
    """A flow (H, W, 2), pixels, as the bytes of a ``.cflo`` file; invalid pixels are read as unknown.

    :raises ValueError: another shape, or a motion that is not finite or longer than half a million pixels.
    """
    flow = checked_flow(flow, valid)
    there = known(flow)
    flow[~there] = 0
    if np.abs(flow).max() > LONGEST:
        raise ValueError(f"a motion of more than {LONGEST:.0f} pixels")
    steps = np.rint(flow * np.float32(1 << STEP_BITS)).astype(np.int32)
    codec = pa.Codec("zstd", compression_level=_LEVEL)
    raw = [_encode_band(steps[y : y + _ROWS], there[y : y + _ROWS]) for y in range(0, len(flow), _ROWS)]
    bands = [codec.compress(band, asbytes=True) for band in raw]
    table = b"".join(_BAND.pack(len(band), len(content)) for band, content in zip(bands, raw, strict=True))
    height, width = there.shape
    return b"".join([_HEADER.pack(_MAGIC, _VERSION, STEP_BITS, _ROWS, width, height), table, *bands])


def read_flow_compact(path: str | Path, rows: slice | None = None, size: tuple[int, int] | None = None) -> Flow:
    """Read a ``.cflo`` file: :func:`decode_compact` of its bytes."""
    return decode_compact(read_bounded(path, _MAX_BYTES), path, rows, size)


def decode_compact(
    data: bytes, where: str | Path, rows: slice | None = None, size: tuple[int, int] | None = None
) -> Flow:
    """The flow in the bytes of a ``.cflo`` file, which nobody has checked.

    :param where: what a message calls the file.
    :param rows: these rows alone, from a start to a stop within the image; all without it.
    :param size: the (height, width) that the whole flow must have; any without it.
    :returns: (H, W, 2) float32, pixels; unknown (1e10) where not valid.
    :raises InputFileError: of another kind, damaged, or of another size.
    """
    try:
        magic, version, bits, band_rows, width, height = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise InputFileError("not a .cflo file (it does not begin with CFLO)", where=where)
        if version != _VERSION:
            mend = "install a newer ffngen"
            raise InputFileError(f"a .cflo file of version {version}, which is not known", where=where, mend=mend)
        if not (bits < 32 and band_rows and width and height and width * height <= MAX_PIXELS):
            raise _DamagedError
        if size is not None:
            check_size(where, (height, width), size)
        start, stop, _ = (rows or slice(None)).indices(height)
        flow = np.empty((max(stop - start, 0), width, 2), np.float32)
        for y, band in _bands(data, band_rows, width, height, start, stop):
            part = slice(max(start - y, 0), stop - y)
            target = flow[y + part.start - start :][: len(band[part])]
            np.multiply(band[part], np.float32(0.5**bits), out=target)
            target[_invalid(band[part])] = UNKNOWN_FLOW
    except (_DamagedError, struct.error, pa.ArrowException, OSError, ValueError) as error:
        raise InputFileError("a damaged or truncated .cflo file", where=where) from error
    return flow


class _DamagedError(Exception):
    """The bytes contradict each other."""


#: Steps of a pixel that is not valid; no valid one has so many.
_INVALID = np.int32(-(1 << 31))


def _invalid(steps: NDArray[np.int32]) -> NDArray[np.bool_]:
    result: NDArray[np.bool_] = steps[..., 0] == _INVALID
    return result


def _encode_band(steps: NDArray[np.int32], there: NDArray[np.bool_]) -> bytes:
    parts = [b"\1" if there.all() else b"\0" + np.packbits(there).tobytes()]
    for channel in (steps[..., 0], steps[..., 1]):
        # Sums of int32 wrap around, and wrap back when they are decoded.
        differences = np.diff(np.diff(channel, axis=0, prepend=np.int32(0)), axis=1, prepend=np.int32(0))
        folded = ((differences << 1) ^ (differences >> 31)).view(np.uint32)
        count = max(1, (int(folded.max()).bit_length() + 7) // 8)
        planes = folded.astype("<u4").view(np.uint8).reshape(-1, 4)[:, :count]
        parts += [bytes([count]), np.ascontiguousarray(planes.T).tobytes()]
    return b"".join(parts)


def _bands(
    data: bytes, band_rows: int, width: int, height: int, start: int, stop: int
) -> Iterator[tuple[int, NDArray[np.int32]]]:
    """The first row, and the steps (rows, W, 2), of each band that holds a row from ``start`` to ``stop - 1``."""
    count = -(-height // band_rows)
    offset = _HEADER.size + _BAND.size * count
    if offset > len(data):
        raise _DamagedError
    view = memoryview(data)
    for i in range(count):
        packed, unpacked = _BAND.unpack_from(data, _HEADER.size + _BAND.size * i)
        y = i * band_rows
        rows = min(band_rows, height - y)
        if offset + packed > len(data) or unpacked > _largest_band(rows, width):
            raise _DamagedError
        if y < stop and start < y + rows:
            content = pa.Codec("zstd").decompress(view[offset : offset + packed], unpacked, asbytes=True)
            yield y, _decode_band(content, rows, width)
        offset += packed
    if offset != len(data):
        raise _DamagedError


def _largest_band(rows: int, width: int) -> int:
    pixels = rows * width
    return 1 + -(-pixels // 8) + 2 * (1 + 4 * pixels)


def _decode_band(content: bytes, rows: int, width: int) -> NDArray[np.int32]:
    """(rows, W, 2) steps, :data:`_INVALID` where a pixel is not valid."""
    pixels = rows * width
    values = np.frombuffer(content, np.uint8)
    if not len(values):
        raise _DamagedError
    position = 1
    there = None
    if values[0] == 0:
        position += -(-pixels // 8)
        there = np.unpackbits(values[1:position], count=pixels).reshape(rows, width).astype(bool)
    steps = np.empty((rows, width, 2), np.int32)
    for channel in range(2):
        count = int(values[position]) if position < len(values) else 0
        end = position + 1 + count * pixels
        if not 1 <= count <= 4 or end > len(values):
            raise _DamagedError
        folded = _joined(values[position + 1 : end].reshape(count, rows, width))
        differences = (folded >> 1).view(np.int32)
        differences ^= -(folded & 1).view(np.int32)
        np.cumsum(differences, axis=1, out=differences)
        # Whole rows at a time: NumPy's sum down the columns takes several times as long.
        for above, row in pairwise(differences):
            row += above
        steps[..., channel] = differences
        position = end
    if position != len(values):
        raise _DamagedError
    if there is not None:
        steps[~there] = _INVALID
    return steps


def _joined(planes: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Numbers from the planes of their bytes, the lowest first."""
    numbers: NDArray[np.uint32] = planes[0].astype(np.uint32)
    for i in range(1, len(planes)):
        numbers |= planes[i].astype(np.uint32) << np.uint32(8 * i)
    return numbers
