"""Label files. Flows have the sequence's own flow format; the others are:

| file | content |
| --- | --- |
| ``occlusion*``, ``segmentation``, ``coverage`` | 8-bit grey PNG |
| ``depth_next`` | EXR, float channel ``Z``, metres along the optical axis |
| ``normals`` | EXR, half channels ``normal.X``, ``normal.Y``, ``normal.Z``, camera axes; NaN beside the head |
| ``uv`` | EXR, float channels ``uv.U`` (right), ``uv.V`` (up), in [0, 1]; NaN where there are none |
| ``landmarks`` | NPZ, the arrays of :class:`ffngen.dataset.labels.compute.Points` |
"""

from __future__ import annotations

import io
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ffngen.atomic import write_atomic
from ffngen.dataset.labels.compute import OUTSIDE, Points
from ffngen.errors import InputFileError
from ffngen.flow.exr import write_exr
from ffngen.flow.exr_decode import decode_exr
from ffngen.head.npz import read_npz
from ffngen.images import read_image

NORMAL = ("normal.X", "normal.Y", "normal.Z")
UV = ("uv.U", "uv.V")

_MAX_POINTS_BYTES = 64 << 20


def write_grey(path: Path, values: NDArray[np.uint8]) -> None:
    """Write (H, W) uint8 as a grey PNG."""
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG", compress_level=9)
    write_atomic(path, buffer.getvalue())


def read_grey(path: Path) -> NDArray[np.uint8]:
    """Read (H, W) uint8; raises :class:`InputFileError` for what is no image."""
    return np.ascontiguousarray(read_image(path)[..., 0])


def read_occlusion(path: Path) -> NDArray[np.uint8]:
    """Read an occlusion map, (H, W) uint8; raises :class:`InputFileError` for what is none."""
    occlusion = read_grey(path)
    if occlusion.max() > OUTSIDE:
        raise InputFileError("an occlusion map holds 0, 1 and 2", where=path)
    return occlusion


def write_normals(path: Path, normals: NDArray[np.float32]) -> None:
    """Write (H, W, 3)."""
    channels = {name: normals[..., axis] for axis, name in enumerate(NORMAL)}
    write_exr(path, channels, np.dtype(np.float16))


def write_uv(path: Path, uv: NDArray[np.float32]) -> None:
    """Write (H, W, 2)."""
    write_exr(path, {name: uv[..., axis] for axis, name in enumerate(UV)})


def read_channels(path: Path, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Read the channels of :func:`write_normals` or :func:`write_uv`: (H, W, C) float32."""
    channels = decode_exr(path, names)
    return np.stack([channels[name] for name in names], axis=-1)


def write_points(path: Path, points: Points) -> None:
    """Write the landmarks and vertices of a frame."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{field.name: getattr(points, field.name) for field in fields(points)})
    write_atomic(path, buffer.getvalue())


def read_points(path: Path) -> Points:
    """Read the landmarks and vertices of a frame; raises :class:`InputFileError` for anything else."""
    arrays = read_npz(path, [field.name for field in fields(Points)], max_bytes=_MAX_POINTS_BYTES)
    try:
        points = Points(**arrays)
    except TypeError as error:
        raise InputFileError("not the landmarks of a frame: an array is missing", where=path) from error
    for pixels, depth, visible in (
        (points.landmarks, points.landmark_depth, points.landmarks_visible),
        (points.vertices, points.vertex_depth, points.vertices_visible),
    ):
        count = len(visible) if visible.ndim else 0
        shapes = pixels.shape == (count, 2) and depth.shape == visible.shape == (count,)
        if not shapes or not (pixels.dtype == depth.dtype == np.float32 and visible.dtype == np.bool_):
            raise InputFileError("not the landmarks of a frame: an array has a wrong shape or type", where=path)
    return points
