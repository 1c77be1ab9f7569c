"""KITTI's flow files: 16-bit PNG of u, v and validity (the development kit's readme of KITTI 2015)."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.flow.values import MAX_PIXELS, UNKNOWN_FLOW, Flow

#: A signature, and the length and the name of the header chunk; then width, height, and bits per channel.
_SIGNATURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_RGB = 2


def read_flow_kitti(path: str | Path) -> Flow:
    """Read (H, W, 2) float32, pixels: ``(value - 2^15) / 64`` of red and green; unknown where blue is 0.

    :raises InputFileError: missing, damaged, or not a 16-bit RGB PNG.
    """
    data = read_bounded(path, 8 * MAX_PIXELS)
    width, height = (int.from_bytes(data[i : i + 4], "big") for i in (16, 20))
    if data[:16] != _SIGNATURE or data[24:26] != bytes([16, _RGB]) or width * height > MAX_PIXELS:
        raise InputFileError("not a KITTI flow file: a 16-bit RGB PNG is needed", where=path)
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        bgr = None
    if bgr is None or bgr.shape != (height, width, 3) or bgr.dtype != np.uint16:
        raise InputFileError("a damaged PNG", where=path)
    flow: Flow = (bgr[..., :0:-1].astype(np.float32) - 2**15) / 64
    flow[bgr[..., 0] == 0] = UNKNOWN_FLOW
    return flow
