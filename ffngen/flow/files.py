"""Flow files by their suffix."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import write_atomic
from ffngen.errors import InputFileError
from ffngen.flow import compact
from ffngen.flow.exr import HALF_ROUNDING, read_flow_exr, write_flow_exr
from ffngen.flow.flo import encode_flo, read_flo
from ffngen.flow.kitti import encode_flow_kitti, read_flow_kitti
from ffngen.flow.npz import encode_flow_npz, read_flow_npz
from ffngen.flow.pfm import encode_flow_pfm, read_flow_pfm
from ffngen.flow.values import Flow, check_size, checked_flow, known

#: Suffixes of files that :func:`read_flow` reads, in the order in which a flow without one is looked for.
READABLE = (".flo", ".cflo", ".exr", ".npz", ".flo5", ".pfm", ".png")


class FlowFormat(StrEnum):
    """The formats that flow is written in."""

    FLO = "flo"
    EXR = "exr"
    EXR_HALF = "exr-half"
    COMPACT = "compact"
    FLO5 = "flo5"
    NPZ = "npz"

    @property
    def suffix(self) -> str:
        """Of its files, with the dot."""
        return {FlowFormat.COMPACT: ".cflo", FlowFormat.EXR_HALF: ".exr"}.get(self, f".{self.value}")

    def rounding(self, flow: Flow) -> NDArray[np.float32]:
        """(H, W), pixels: the largest end-point error that writing a flow (H, W, 2) in this format can cause."""
        match self:
            case FlowFormat.COMPACT:
                return np.full(flow.shape[:2], np.sqrt(2) * compact.MAX_ERROR, np.float32)
            case FlowFormat.EXR_HALF:
                return np.asarray(np.hypot(flow[..., 0], flow[..., 1]) * HALF_ROUNDING)
            case _:
                return np.zeros(flow.shape[:2], np.float32)

    @classmethod
    def of(cls, path: str | Path) -> FlowFormat:
        """The format that a file's suffix names; raises :class:`InputFileError` for another suffix."""
        suffix = Path(path).suffix.lower()
        for member in cls:
            if member.suffix == suffix:
                return member
        names = ", ".join(dict.fromkeys(member.suffix for member in cls))
        raise InputFileError("not the name of a flow file", where=path, mend=f"use one of {names}")


#: Formats of public sets, in which ffngen's own datasets are not kept.
_OTHER_ENCODERS = {
    ".png": lambda flow: encode_flow_kitti(flow, known(flow)),
    ".pfm": encode_flow_pfm,
}


def write_flow(
    path: str | Path, flow: NDArray[Any], valid: NDArray[Any] | None = None, flow_format: FlowFormat | None = None
) -> None:
    """Write a flow.

    Besides the formats of datasets, FlyingThings' ``.pfm`` (which knows no invalid pixels) and KITTI's 16-bit ``.png``
    (which rounds to 1/64 px) are written.

    :param flow: (H, W, 2), pixels, finite wherever it is valid.
    :param valid: (H, W), 0 where a pixel has no motion; without it every pixel has one.
    :param flow_format: the format; the one that the suffix names, and float32 for ``.exr``, when absent.
    :raises ValueError: a flow that the format cannot hold.
    """
    if flow_format is None and Path(path).suffix.lower() in _OTHER_ENCODERS:
        write_atomic(path, _OTHER_ENCODERS[Path(path).suffix.lower()](checked_flow(flow, valid)))
        return
    match flow_format or FlowFormat.of(path):
        case FlowFormat.FLO:
            write_atomic(path, encode_flo(flow, valid))
        case FlowFormat.COMPACT:
            write_atomic(path, compact.encode_compact(flow, valid))
        case FlowFormat.EXR:
            write_flow_exr(path, flow, valid)
        case FlowFormat.EXR_HALF:
            write_flow_exr(path, flow, valid, half=True)
        case FlowFormat.FLO5:
            from ffngen.flow.flo5 import write_flow_flo5  # HDF5 takes longer to import than all the rest

            write_flow_flo5(path, flow, valid)
        case FlowFormat.NPZ:
            write_atomic(path, encode_flow_npz(flow, valid))


def find_flow(folder: Path, name: str) -> Path | None:
    """The flow file of a name without its suffix (which may hold folders), or None where there is none."""
    paths = (folder / f"{name}{suffix}" for suffix in READABLE)
    return next((path for path in paths if path.is_file()), None)


def read_flow(path: str | Path, rows: slice | None = None, size: tuple[int, int] | None = None) -> Flow:
    """Read a flow: (H, W, 2) float32, pixels; :func:`ffngen.flow.values.known` tells where it is defined.

    :param rows: these rows alone, from a start to a stop within the image; all without it.
    :param size: the (height, width) that the whole flow must have; any without it.
    :raises InputFileError: not a flow file, a damaged one, or one of another size.
    """
    match Path(path).suffix.lower():
        case ".flo":
            return read_flo(path, rows, size)
        case ".cflo":
            return compact.read_flow_compact(path, rows, size)
        case ".flo5":
            from ffngen.flow.flo5 import read_flow_flo5  # as above

            return read_flow_flo5(path, rows, size)
        case ".npz":
            flow = read_flow_npz(path)
        case ".pfm":
            flow = read_flow_pfm(path)
        case ".png":
            flow = read_flow_kitti(path)
        case _:
            FlowFormat.of(path)
            flow = read_flow_exr(path)
    if size is not None:
        check_size(path, flow.shape, size)
    return flow if rows is None else flow[rows]
