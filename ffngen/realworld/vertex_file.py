"""Tracked vertices of one video in an ``.npz``, whatever tracked them.

| array | content |
| --- | --- |
| ``images`` | (T,) text: the frames' files, relative to the .npz |
| ``vertices_2d`` | (T, V, 2): where each vertex is seen, pixels; or instead |
| ``vertices`` | (T, V, 3), metres, world, with |
| ``K``, ``T_cam_world`` | (3, 3) and (4, 4), or one for each frame; pixels, OpenCV's axes |
| ``faces`` | (F, 3): triangles, for ``--visible`` |
| ``region_names``, ``region_vertices`` | (R,) text and (R, V) bool: regions, lips, eyes and cheeks among them |
| ``subject`` | text: whose face it is |
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import FfngenError, InputFileError
from ffngen.geometry.camera import Camera
from ffngen.head.arrays import FieldReader
from ffngen.head.npz import read_npz
from ffngen.images import image_size

Array64 = NDArray[np.float64]

_KEYS = ("images", "vertices_2d", "vertices", "K", "T_cam_world", "faces", "region_names", "region_vertices", "subject")
#: Some 8,900 frames of FLAME in float32.
_MAX_BYTES = 512 << 20
_MEND = "it needs images (T,) and vertices_2d (T, V, 2), or vertices (T, V, 3) with K and T_cam_world"


@dataclass(frozen=True, eq=False)
class VertexFile:
    """The tracked vertices of T frames.

    :param images: the frames' files.
    :param pixels: (T, V, 2) float64; the centre of the top-left pixel is (0, 0).
    :param vertices: (T, V, 3) float64, metres, world; None where the file has pixels alone.
    :param cameras: one for each frame, where there are ``vertices``.
    :param faces: (F, 3) int32, or None.
    :param regions: names (R,) and members (R, V) bool, or None.
    :param subject: "" where the file does not say.
    """

    images: tuple[Path, ...]
    pixels: Array64
    vertices: Array64 | None
    cameras: tuple[Camera, ...]
    faces: NDArray[np.int32] | None
    regions: tuple[NDArray[np.str_], NDArray[np.bool_]] | None
    subject: str


@lru_cache(maxsize=2)
def read_vertex_file(path: Path, origin: float = 0.0) -> VertexFile:
    """The tracked vertices of a file; the last ones are remembered, as each pair asks for them.

    :param origin: what its pixels and its ``K`` call the centre of the top-left pixel.
    :raises FfngenError: damaged, an array is missing or has another shape, or an image is not there.
    """
    fields = FieldReader(path, read_npz(path, _KEYS, max_bytes=_MAX_BYTES))
    if "images" not in fields or ("vertices_2d" not in fields and "vertices" not in fields):
        raise InputFileError("holds no tracked vertices", where=path, mend=_MEND)
    images = _images(fields)
    count = len(images)
    if "vertices_2d" in fields:
        pixels = fields.numbers("vertices_2d", (count, None, 2)) - origin
        vertices, cameras = None, tuple[Camera, ...]()
    else:
        vertices = fields.numbers("vertices", (count, None, 3))
        cameras = _cameras(fields, images, origin)
        pixels = _project(vertices, cameras, path)
    of_file = pixels.shape[1]
    regions = None
    if "region_names" in fields and "region_vertices" in fields:
        names = fields.texts("region_names", (None,))
        regions = names, fields.flags("region_vertices", (len(names), of_file))
    faces = fields.indices("faces", (None, 3), of_file) if "faces" in fields else None
    subject = str(fields.texts("subject", ())) if "subject" in fields else ""
    return VertexFile(images, pixels, vertices, cameras, faces, regions, subject)


def _images(fields: FieldReader) -> tuple[Path, ...]:
    images = []
    for number, name in enumerate(fields.texts("images", (None,))):
        image = fields.path.parent / str(name)
        try:
            there = image.is_file()
        except (OSError, ValueError):
            there = False
        if not there:
            raise InputFileError(f"the image of its frame {number} is not there: {str(name)[:200]}", where=fields.path)
        images.append(image)
    if len(images) < 2:
        raise InputFileError("one frame has no motion", where=fields.path, mend="give two or more")
    return tuple(images)


def _cameras(fields: FieldReader, images: tuple[Path, ...], origin: float) -> tuple[Camera, ...]:
    if "K" not in fields or "T_cam_world" not in fields:
        raise InputFileError("has vertices, and no K and T_cam_world", where=fields.path, mend=_MEND)
    count = len(images)
    K, T = (_per_frame(fields, name, count, size) for name, size in (("K", 3), ("T_cam_world", 4)))
    width, height = image_size(images[0])
    K = K.copy()
    K[:, :2, 2] -= origin
    try:
        return tuple(Camera(K[i], np.linalg.inv(T[i]), width, height) for i in range(count))
    except (FfngenError, np.linalg.LinAlgError) as error:
        what = error.what if isinstance(error, FfngenError) else "a T_cam_world is singular"
        raise InputFileError(what, where=fields.path) from error


def _per_frame(fields: FieldReader, name: str, count: int, size: int) -> Array64:
    one = fields.raw(name).ndim == 2
    array = fields.numbers(name, (size, size) if one else (count, size, size))
    return np.broadcast_to(array, (count, size, size))


def _project(vertices: Array64, cameras: tuple[Camera, ...], path: Path) -> Array64:
    pixels = np.empty((*vertices.shape[:2], 2))
    for number, camera in enumerate(cameras):
        pixels[number], depth = camera.project(vertices[number])
        if depth.min() <= 0:
            what = f"vertices of frame {number} lie behind the camera"
            raise InputFileError(what, where=path, mend="T_cam_world maps the world to OpenCV's camera axes, z forward")
    return pixels
