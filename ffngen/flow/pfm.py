"""FlyingThings' flow files: Portable Float Maps of three channels, of which u and v are the first two.

``PF``, then width and height, then a scale whose sign is the byte order (negative: little-endian), then float32
rows from the bottom up (http://www.pauldebevec.com/Research/HDR/PFM/).
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.flow.values import MAX_PIXELS, Flow

_HEADER = re.compile(rb"PF\s+(\d{1,6})\s+(\d{1,6})\s+([+-]?[0-9.eE+-]{1,20})\s", re.ASCII)


def read_flow_pfm(path: str | Path) -> Flow:
    """Read (H, W, 2) float32, pixels; raises :class:`InputFileError` for anything else."""
    data = read_bounded(path, 12 * MAX_PIXELS + 100)
    match = _HEADER.match(data)
    if match is None:
        raise InputFileError("not a PFM file of three channels", where=path)
    width, height = int(match[1]), int(match[2])
    if not 0 < width * height <= MAX_PIXELS or len(data) - match.end() != 12 * width * height:
        raise InputFileError(f"{width} x {height} pixels do not fit its length", where=path)
    order = "<f4" if match[3].startswith(b"-") else ">f4"
    values = np.frombuffer(data, order, offset=match.end()).reshape(height, width, 3)
    return values[::-1, :, :2].astype(np.float32)
