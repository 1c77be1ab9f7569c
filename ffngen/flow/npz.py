"""NumPy's ``.npz`` as a flow file.

It holds ``flow``, (H, W, 2) float32, pixels, and ``valid``, (H, W) bool, where some pixels have no motion.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.flow.values import MAX_PIXELS, UNKNOWN_FLOW, Flow, checked_flow, known
from ffngen.head.npz import read_npz


def encode_flow_npz(flow: NDArray[Any], valid: NDArray[Any] | None = None) -> bytes:
    """A flow (H, W, 2), pixels, as the bytes of a compressed .npz; 0 where it is not valid."""
    flow = checked_flow(flow, valid)
    there = known(flow)
    buffer = io.BytesIO()
    if there.all():
        np.savez_compressed(buffer, flow=flow)
    else:
        flow[~there] = 0
        np.savez_compressed(buffer, flow=flow, valid=there)
    return buffer.getvalue()


def read_flow_npz(path: str | Path) -> Flow:
    """Read (H, W, 2) float32, pixels, unknown where ``valid`` is false; raises :class:`InputFileError`."""
    path = Path(path)
    arrays = read_npz(path, ("flow", "valid"), max_bytes=17 * MAX_PIXELS)
    flow = arrays.get("flow")
    if flow is None or flow.ndim != 3 or flow.shape[2] != 2 or flow.dtype.kind != "f" or not flow.size:
        raise InputFileError("not a flow: an array 'flow' of (H, W, 2) floats is needed", where=path)
    valid = arrays.get("valid", np.ones(flow.shape[:2], dtype=bool))
    if valid.shape != flow.shape[:2] or valid.dtype.kind not in "bu":
        raise InputFileError(f"'valid' is {valid.shape} {valid.dtype}, not {flow.shape[:2]} bool", where=path)
    with np.errstate(over="ignore"):
        result = flow.astype(np.float32)
    result[(valid == 0) | ~known(result)] = UNKNOWN_FLOW
    return result
