"""Spring's ``.flo5`` files: HDF5 with one data set, ``flow``, of (H, W, 2) floats (https://spring-benchmark.org).

Unknown pixels are NaN, as Spring has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import file_size, write_atomic
from ffngen.errors import FfngenError, InputFileError
from ffngen.flow.values import MAX_PIXELS, UNKNOWN_FLOW, Flow, check_size, checked_flow, known

_NAME = "flow"
_ROWS_PER_CHUNK = 64
#: gzip, byte shuffling, checksums: HDF5 loads any other filter from a library that the system may have.
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


def write_flow_flo5(path: str | Path, flow: NDArray[Any], valid: NDArray[Any] | None = None) -> None:
    """Write a flow (H, W, 2), pixels, losslessly; the same bytes every time."""
    flow = checked_flow(flow, valid)
    flow[~known(flow)] = np.nan
    chunks = (min(_ROWS_PER_CHUNK, len(flow)), *flow.shape[1:])

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file.create_dataset(_NAME, data=flow, chunks=chunks, compression="gzip", compression_opts=5, shuffle=True)

    write_atomic(path, write)


def read_flow_flo5(path: str | Path, rows: slice | None = None, size: tuple[int, int] | None = None) -> Flow:
    """Read a flow; parameters and result as of :func:`ffngen.flow.files.read_flow`.

    The file may name no other file and no filter but HDF5's own.

    :raises InputFileError: not such a file, or damaged.
    """
    path = Path(path)
    if file_size(path) > 8 * MAX_PIXELS + (1 << 20):
        raise InputFileError("too large for a flow file", where=path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            data = _checked(file, path)
            if size is not None:
                check_size(path, data.shape, size)
            flow = np.asarray(data[rows or slice(None)], dtype=np.float32)
    except FfngenError:
        raise
    except Exception as error:  # a damaged file leads h5py to raise nearly anything
        raise InputFileError(f"not a readable .flo5 file ({type(error).__name__})", where=path) from error
    flow[~known(flow)] = UNKNOWN_FLOW
    return flow


def _checked(file: h5py.File, path: Path) -> h5py.Dataset:
    link = file.get(_NAME, getlink=True)
    if not isinstance(link, h5py.HardLink) or not isinstance(file[_NAME], h5py.Dataset):
        raise InputFileError(f"has no data set {_NAME!r} of its own", where=path)
    data = file[_NAME]
    if data.ndim != 3 or data.shape[2] != 2 or data.dtype.kind != "f":
        raise InputFileError(f"not a flow: {_NAME!r} is {data.shape} {data.dtype}, not (H, W, 2) floats", where=path)
    height, width = data.shape[:2]
    if not 0 < height * width <= MAX_PIXELS:
        raise InputFileError(f"a flow of {width} x {height} pixels", where=path)
    creation = data.id.get_create_plist()
    filters = {creation.get_filter(i)[0] for i in range(creation.get_nfilters())}
    chunk = 8 * int(np.prod(data.chunks or (1,)))
    if data.is_virtual or data.external or not filters <= _FILTERS or chunk > 16 * MAX_PIXELS:
        raise InputFileError("stores its flow in a way that is not read", where=path, mend="write it anew with gzip")
    return data
