"""FlyingThings' flow files: Portable Float Maps of three channels, of which u and v are the first two.

``PF``, then width and height, then a scale whose sign is the byte order (negative: little-endian), then float32
rows from the bottom up (http://www.pauldebevec.com/Research/HDR/PFM/).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.flow.values import MAX_PIXELS, Flow, checked_flow, known

_HEADER = re.compile(rb"PF\s+(\d{1,6})\s+(\d{1,6})\s+([+-]?[0-9.eE+-]{1,20})\s", re.ASCII)


def encode_flow_pfm(flow: NDArray[Any]) -> bytes:
    """A flow (H, W, 2), pixels, as the bytes of a little-endian .pfm with a third channel of zeros.

    :raises ValueError: another shape, or a motion that is not finite: the format has no unknown pixels.
    """
    flow = checked_flow(flow)
    if not known(flow).all():
        raise ValueError("a pixel without a motion cannot be written as PFM")
    height, width = flow.shape[:2]
    values = np.concatenate([flow, np.zeros((height, width, 1), np.float32)], axis=-1)[::-1]
    return f"PF\n{width} {height}\n-1.0\n".encode() + values.astype("<f4").tobytes()


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
