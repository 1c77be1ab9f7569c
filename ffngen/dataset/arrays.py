"""The NumPy files of a dataset: masks (``.npy``) and vertices (``.npz``), read without trusting them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.flow.values import MAX_PIXELS
from ffngen.head.npz import read_npy, read_npz

_MAX_MASK_BYTES = MAX_PIXELS + 4096
_DTYPES = {
    "facial": np.dtype(np.float32),
    "head": np.dtype(np.float32),
    "faces": np.dtype(np.int32),
    "frames": np.dtype(np.int32),
}


@dataclass(frozen=True)
class SequenceVertices:
    """The geometry of one sequence, in the world.

    :param facial: (N, V, 3) float32, metres: the facial frames.
    :param head: (N-1, V, 3) float32, metres: the head-only frames; ``head[i]`` stands for the frame of
        ``facial[i + 1]``.
    :param faces: (F, 3) int32: triangles, as vertex indices.
    :param frames: (N,) int32: the numbers of the facial frames.
    """

    facial: NDArray[np.float32]
    head: NDArray[np.float32]
    faces: NDArray[np.int32]
    frames: NDArray[np.int32]


def encode_vertices(vertices: SequenceVertices) -> bytes:
    """The bytes of ``vertices.npz``, compressed; the same bytes for the same arrays."""
    _check_vertices(vertices)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, facial=vertices.facial, head=vertices.head, faces=vertices.faces, frames=vertices.frames
    )
    return buffer.getvalue()


def read_vertices(path: str | Path) -> SequenceVertices:
    """Read a ``vertices.npz``.

    :raises InputFileError: missing, damaged, too large, or not arrays that fit each other.
    """
    path = Path(path)
    arrays = read_npz(path, _DTYPES.keys())
    try:
        for name, dtype in _DTYPES.items():
            if name not in arrays:
                raise ValueError(f"no array {name}")
            if arrays[name].dtype != dtype:
                raise ValueError(f"{name} is {arrays[name].dtype}, not {dtype}")
        vertices = SequenceVertices(**arrays)
        _check_vertices(vertices)
    except ValueError as error:
        raise InputFileError(f"not the vertices of a sequence: {error}", where=path) from error
    return vertices


def _check_vertices(vertices: SequenceVertices) -> None:
    if vertices.facial.ndim != 3 or len(vertices.facial) < 2:
        raise ValueError(f"facial is (N, V, 3) with at least two frames, not {vertices.facial.shape}")
    frames, count = vertices.facial.shape[:2]
    if vertices.facial.shape != (frames, count, 3) or vertices.head.shape != (frames - 1, count, 3):
        raise ValueError(f"facial {vertices.facial.shape} and head {vertices.head.shape} do not fit each other")
    if vertices.frames.shape != (frames,) or vertices.faces.ndim != 2 or vertices.faces.shape[1] != 3:
        raise ValueError(f"frames {vertices.frames.shape} or faces {vertices.faces.shape} has a wrong shape")
    if vertices.faces.size == 0 or vertices.faces.min() < 0 or vertices.faces.max() >= count:
        raise ValueError("faces name vertices that are not there")
    if not (np.isfinite(vertices.facial).all() and np.isfinite(vertices.head).all()):
        raise ValueError("a vertex is not finite")


def encode_mask(mask: NDArray[np.uint8]) -> bytes:
    """The bytes of a mask's ``.npy`` file; (H, W) uint8, 1 on the head."""
    if mask.dtype != np.uint8 or mask.ndim != 2:
        raise ValueError(f"a mask is (H, W) uint8, not {mask.shape} {mask.dtype}")
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(mask), allow_pickle=False)
    return buffer.getvalue()


def read_mask(path: str | Path) -> NDArray[np.uint8]:
    """Read a mask: (H, W) uint8, 1 on the head, 0 elsewhere.

    :raises InputFileError: missing, damaged, or another kind of array.
    """
    path = Path(path)
    mask = read_npy(path, max_bytes=_MAX_MASK_BYTES)
    if mask.dtype != np.uint8 or mask.ndim != 2 or mask.size == 0:
        raise InputFileError("not a mask: (H, W) uint8 is needed", where=path)
    if mask.max() > 1:
        raise InputFileError("a mask holds a value that is neither 0 nor 1", where=path)
    return mask
