"""Flow and depth as EXR files: channels of float32, or of half for flow that may be rounded, compressed with ZIP.

| file | channels |
| --- | --- |
| flow | ``forward.u`` (right), ``forward.v`` (down), pixels; ``valid``, 1 or 0, where some pixels have no motion |
| depth | ``Z``, metres along the optical axis |
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from numpy.typing import NDArray

from ffngen.atomic import write_atomic
from ffngen.flow.exr_decode import decode_exr
from ffngen.flow.values import UNKNOWN_FLOW, Flow, checked_flow

U, V, VALID, Z = "forward.u", "forward.v", "valid", "Z"

#: Half keeps eleven bits: the largest error is this share of a value (and smaller ones are no fuller than 2^-24).
HALF_ROUNDING = 2.0**-11
_HALF_MAX = 65504.0
_FLOAT: np.dtype[Any] = np.dtype(np.float32)


def write_flow_exr(
    path: str | Path, flow: NDArray[Any], valid: NDArray[Any] | None = None, *, half: bool = False
) -> None:
    """Write a flow (H, W, 2), pixels; with ``valid`` (H, W) also that channel, and 0 flow where it is 0.

    :param half: round to half, which is off by up to a 2048th of a value.
    :raises ValueError: another shape, or a motion that is not finite, or too long for half.
    """
    flow = checked_flow(flow, valid)
    channels = {U: flow[..., 0], V: flow[..., 1]}
    if valid is not None:
        invalid = np.asarray(valid) == 0
        channels = {name: np.where(invalid, np.float32(0), channel) for name, channel in channels.items()}
        channels[VALID] = 1 - invalid.astype(np.float32)
    if half and max(np.abs(channels[name]).max() for name in (U, V)) > _HALF_MAX:
        raise ValueError(f"a motion of more than {_HALF_MAX:.0f} pixels does not fit into half")
    write_exr(path, channels, np.dtype(np.float16 if half else np.float32))


def read_flow_exr(path: str | Path) -> Flow:
    """Read a flow: (H, W, 2) float32, pixels, unknown (1e10) where the file says that it is not valid.

    :raises InputFileError: not such a file, or damaged.
    """
    channels = decode_exr(path, (U, V), (VALID,))
    flow = np.stack([channels[U], channels[V]], axis=-1)
    if VALID in channels:
        flow[channels[VALID] == 0] = UNKNOWN_FLOW
    return flow


def write_depth_exr(path: str | Path, depth: NDArray[Any]) -> None:
    """Write a depth map (H, W), metres along the optical axis."""
    if depth.ndim != 2 or depth.size == 0:
        raise ValueError(f"a depth map is (H, W), not {depth.shape}")
    write_exr(path, {Z: depth})


def read_depth_exr(path: str | Path) -> NDArray[np.float32]:
    """Read a depth map: (H, W) float32, metres; raises :class:`InputFileError` for anything else."""
    return decode_exr(path, (Z,))[Z]


def write_exr(path: str | Path, channels: dict[str, NDArray[Any]], dtype: np.dtype[Any] = _FLOAT) -> None:
    """Write channels (H, W), of float32 or float16, with ZIP; :func:`ffngen.flow.exr_decode.decode_exr` reads them."""
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    arrays = {name: np.ascontiguousarray(channel, dtype=dtype) for name, channel in channels.items()}
    write_atomic(path, lambda temporary: OpenEXR.File(header, arrays).write(str(temporary)))
