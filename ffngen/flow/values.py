"""What a flow array is: its shape, its limits and its unknown pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError

Flow = NDArray[np.float32]

#: Written where a pixel has no motion; every |value| above :data:`UNKNOWN_LIMIT` reads as unknown
#: (Middlebury's flow-code, ``UNKNOWN_FLOW`` and ``UNKNOWN_FLOW_THRESH``).
UNKNOWN_FLOW = np.float32(1e10)
UNKNOWN_LIMIT = 1e9

#: The largest flow or depth file that is read, 8192 x 8192 pixels.
MAX_PIXELS = 1 << 26


def known(flow: NDArray[Any]) -> NDArray[np.bool_]:
    """(H, W) bool: where a flow (H, W, 2) has a motion, that is two finite values within the limit."""
    inside = np.abs(flow) <= UNKNOWN_LIMIT
    # Reducing an axis of two elements would take ten times as long.
    result: NDArray[np.bool_] = inside[..., 0] & inside[..., 1]
    return result


def checked_flow(flow: NDArray[Any], valid: NDArray[Any] | None = None) -> Flow:
    """A flow as it is stored: (H, W, 2) float32, contiguous, unknown where ``valid`` (H, W) is 0.

    :raises ValueError: another shape, or a value that is not finite at a pixel that is not marked invalid.
    """
    if flow.ndim != 3 or flow.shape[2] != 2 or flow.size == 0:
        raise ValueError(f"a flow is (H, W, 2), not {flow.shape}")
    flow = np.array(flow, dtype=np.float32, order="C")
    if valid is not None:
        if valid.shape != flow.shape[:2]:
            raise ValueError(f"valid is (H, W) = {flow.shape[:2]}, not {valid.shape}")
        flow[np.asarray(valid) == 0] = UNKNOWN_FLOW
    if not np.isfinite(flow).all():
        raise ValueError("a flow must be finite wherever it is valid")
    return flow


def check_size(path: str | Path, shape: tuple[int, ...], size: tuple[int, int]) -> None:
    """Refuse a file whose array, (H, W) or (H, W, C), is not of a size (height, width).

    :raises InputFileError: naming both sizes.
    """
    if shape[:2] != size:
        what = f"{shape[1]} x {shape[0]} pixels, where {size[1]} x {size[0]} belong"
        raise InputFileError(what, where=path, mend="all files of a pair have one size")
