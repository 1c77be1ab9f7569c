"""KITTI's flow files: 16-bit PNG of u, v and validity (the development kit's readme of KITTI 2015)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.flow.values import MAX_PIXELS, UNKNOWN_FLOW, Flow, checked_flow, known

#: A signature, and the length and the name of the header chunk; then width, height, and bits per channel.
_SIGNATURE = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_RGB = 2


#: Pixels: what ``value / 64`` rounds to, and the longest motion that it holds.
KITTI_STEP, KITTI_LONGEST = 1 / 64, 511.98


def encode_flow_kitti(flow: NDArray[Any], valid: NDArray[Any] | None = None) -> bytes:
    """A flow (H, W, 2), pixels, as the bytes of a KITTI .png: off by up to 1/128 px.

    :param valid: (H, W), 0 where a pixel has no motion; without it every pixel has one.
    :raises ValueError: another shape, or a motion that is not finite or longer than the format holds.
    """
    flow = checked_flow(flow, valid)
    there = known(flow)
    flow[~there] = 0
    if np.abs(flow).max() > KITTI_LONGEST:
        raise ValueError(f"a motion of more than {KITTI_LONGEST:g} pixels does not fit into KITTI's format")
    values = np.rint(flow / np.float32(KITTI_STEP)).astype(np.int32) + 2**15
    bgr = np.dstack([there.astype(np.int32), values[..., ::-1]])
    bgr[~there] = 0
    encoded, data = cv2.imencode(".png", bgr.astype(np.uint16))
    assert encoded
    return bytes(data)


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
