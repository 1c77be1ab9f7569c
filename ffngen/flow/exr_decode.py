"""Decoding the EXR files that datasets hold, without trusting them.

One part of scan lines, channels of half, float or uint, uncompressed or with ZIP or ZIPS
(https://openexr.com/en/latest/OpenEXRFileLayout.html). The OpenEXR library reads more, but it prints its
complaints to standard output, where a command's JSON goes, and gives no bound on what a file makes it allocate.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.flow.values import MAX_PIXELS

_MAGIC = 20000630
_LONG_NAMES = 0x400
#: Scan lines per chunk, by the number of the compression: none, ZIPS, ZIP.
_LINES_PER_CHUNK = {0: 1, 2: 1, 3: 16}
_TYPES = (np.dtype("<u4"), np.dtype("<f2"), np.dtype("<f4"))
_MAX_HEADER = 1 << 20
_MAX_CHANNELS = 64
_MAX_BYTES = 20 * MAX_PIXELS
#: Deflate cannot shrink data more than this, so a larger image does not fit into the file.
_MAX_DEFLATE_RATIO = 1032


@dataclass(frozen=True)
class _Header:
    channels: tuple[tuple[str, np.dtype[np.generic]], ...]
    compression: int
    x_min: int
    y_min: int
    width: int
    height: int
    end: int

    @property
    def row_bytes(self) -> int:
        return self.width * sum(dtype.itemsize for _, dtype in self.channels)


def decode_exr(
    path: str | Path, names: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, NDArray[np.float32]]:
    """Read channels of an EXR file.

    :param names: the channels that must be there.
    :param optional: channels that are read where they are there.
    :returns: each channel, (H, W) float32, top row first.
    :raises InputFileError: the file is no EXR of the kinds above, is damaged, or lacks a channel.
    """
    data = read_bounded(path, _MAX_BYTES)
    try:
        header = _parse_header(data)
        found = [name for name, _ in header.channels]
        missing = [name for name in names if name not in found]
        if missing:
            raise _BadExr(f"no channel {', '.join(missing)} (it has {', '.join(found)})")
        pixels = _decode_pixels(data, header)
    except _BadExr as error:
        raise InputFileError(f"not an EXR file that can be read: {error}", where=path) from error
    except (struct.error, IndexError, ValueError, OverflowError, zlib.error) as error:
        raise InputFileError("a damaged or truncated EXR file", where=path) from error
    return {name: pixels[name].astype(np.float32) for name in (*names, *optional) if name in pixels}


class _BadExr(Exception):
    """What is wrong, before the path is known."""


def _parse_header(data: bytes) -> _Header:
    magic, version = struct.unpack_from("<ii", data)
    if magic != _MAGIC:
        raise _BadExr("it does not begin with EXR's magic number")
    if version & ~_LONG_NAMES != 2:
        raise _BadExr("it is tiled, deep or of several parts")
    attributes: dict[str, bytes] = {}
    position = 8
    while data[position] != 0:
        name, position = _string(data, position)
        _, position = _string(data, position)
        (size,) = struct.unpack_from("<i", data, position)
        position += 4
        if size < 0 or position + size > min(len(data), _MAX_HEADER):
            raise _BadExr("its header is damaged")
        attributes[name] = data[position : position + size]
        position += size
    if not {"channels", "compression", "dataWindow"} <= attributes.keys():
        raise _BadExr("its header is incomplete")
    x_min, y_min, x_max, y_max = struct.unpack("<4i", attributes["dataWindow"])
    header = _Header(
        channels=_parse_channels(attributes["channels"]),
        compression=attributes["compression"][0],
        x_min=x_min,
        y_min=y_min,
        width=x_max - x_min + 1,
        height=y_max - y_min + 1,
        end=position + 1,
    )
    _check_header(header, len(data))
    return header


def _parse_channels(data: bytes) -> tuple[tuple[str, np.dtype[np.generic]], ...]:
    channels = []
    position = 0
    while data[position] != 0:
        name, position = _string(data, position)
        pixel_type, x_sampling, y_sampling = struct.unpack_from("<i4xii", data, position)
        if pixel_type not in range(len(_TYPES)) or (x_sampling, y_sampling) != (1, 1):
            raise _BadExr(f"channel {name} has an unknown type or is subsampled")
        channels.append((name, _TYPES[pixel_type]))
        position += 16
    if len(channels) not in range(1, _MAX_CHANNELS + 1) or len(dict(channels)) != len(channels):
        raise _BadExr(f"it has {len(channels)} channels, or two of one name")
    return tuple(channels)


def _check_header(header: _Header, file_bytes: int) -> None:
    if header.compression not in _LINES_PER_CHUNK:
        raise _BadExr("its compression is neither none nor ZIP")
    if header.width < 1 or header.height < 1 or header.width * header.height > MAX_PIXELS:
        raise _BadExr(f"it has {header.width} x {header.height} pixels")
    if header.row_bytes * header.height > _MAX_DEFLATE_RATIO * file_bytes:
        raise _BadExr(f"{header.width} x {header.height} pixels cannot lie in {file_bytes} bytes")


def _string(data: bytes, position: int) -> tuple[str, int]:
    end = data.index(b"\0", position, position + 256)
    return data[position:end].decode("utf-8", errors="replace"), end + 1


def _decode_pixels(data: bytes, header: _Header) -> dict[str, NDArray[np.generic]]:
    lines = _LINES_PER_CHUNK[header.compression]
    count = -(-header.height // lines)
    offsets = struct.unpack_from(f"<{count}Q", data, header.end)
    rows = np.empty((header.height, header.row_bytes), dtype=np.uint8)
    for index, offset in enumerate(offsets):
        block = rows[index * lines : (index + 1) * lines]
        y, size = struct.unpack_from("<ii", data, offset)
        if y != header.y_min + index * lines or not 0 < size <= min(block.size, len(data) - offset - 8):
            raise _BadExr("a block of lines is damaged")
        chunk = memoryview(data)[offset + 8 : offset + 8 + size]
        block[:] = _decode_chunk(chunk, block.size).reshape(block.shape)
    pixels = {}
    start = 0
    for name, dtype in header.channels:
        end = start + header.width * dtype.itemsize
        pixels[name] = np.ascontiguousarray(rows[:, start:end]).view(dtype)
        start = end
    return pixels


def _decode_chunk(chunk: memoryview, size: int) -> NDArray[np.uint8]:
    if len(chunk) == size:  # stored as it is, where deflate would not have shrunk it
        return np.frombuffer(chunk, dtype=np.uint8)
    inflater = zlib.decompressobj()
    inflated = np.frombuffer(inflater.decompress(chunk, size), dtype=np.uint8)
    if inflated.size != size or not inflater.eof:
        raise _BadExr("a block of lines is damaged")
    # Each byte is the difference from the one before, plus 128; then the bytes of even places, then the odd.
    differences = inflated - np.uint8(128)
    differences[0] = inflated[0]
    halves = np.cumsum(differences, dtype=np.uint8)
    result = np.empty(size, dtype=np.uint8)
    result[0::2], result[1::2] = halves[: (size + 1) // 2], halves[(size + 1) // 2 :]
    return result
