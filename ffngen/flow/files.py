"""Flow files by their suffix."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ffngen.atomic import write_atomic
from ffngen.errors import InputFileError
from ffngen.flow.exr import read_flow_exr, write_flow_exr
from ffngen.flow.flo import encode_flo, read_flo
from ffngen.flow.kitti import read_flow_kitti
from ffngen.flow.pfm import read_flow_pfm
from ffngen.flow.values import Flow, check_size


class FlowFormat(StrEnum):
    """The formats that flow is written in; the value is the suffix without its dot."""

    FLO = "flo"
    EXR = "exr"

    @classmethod
    def of(cls, path: str | Path) -> FlowFormat:
        """The format that a file's suffix names; raises :class:`InputFileError` for another suffix."""
        suffix = Path(path).suffix.lower().removeprefix(".")
        try:
            return cls(suffix)
        except ValueError:
            known = " or ".join(f".{member.value}" for member in cls)
            raise InputFileError("not the name of a flow file", where=path, mend=f"use {known}") from None


def write_flow(path: str | Path, flow: NDArray[Any], valid: NDArray[Any] | None = None) -> None:
    """Write a flow in the format that the suffix names.

    :param flow: (H, W, 2), pixels, finite wherever it is valid.
    :param valid: (H, W), 0 where a pixel has no motion; without it every pixel has one.
    """
    if FlowFormat.of(path) is FlowFormat.FLO:
        write_atomic(path, encode_flo(flow, valid))
    else:
        write_flow_exr(path, flow, valid)


def read_flow(path: str | Path, rows: slice | None = None, size: tuple[int, int] | None = None) -> Flow:
    """Read a flow: (H, W, 2) float32, pixels; :func:`ffngen.flow.values.known` tells where it is defined.

    Besides the formats that are written, FlyingThings' ``.pfm`` and KITTI's 16-bit ``.png`` are read.

    :param rows: these rows alone, from a start to a stop within the image; all without it.
    :param size: the (height, width) that the whole flow must have; any without it.
    :raises InputFileError: not a flow file, a damaged one, or one of another size.
    """
    match Path(path).suffix.lower():
        case ".flo":
            return read_flo(path, rows, size)
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
