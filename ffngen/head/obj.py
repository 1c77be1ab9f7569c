"""Texture coordinates from a Wavefront .obj file of the model's own faces, such as FLAME's head template."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ffngen.errors import InputFileError
from ffngen.head.npz import checked_size
from ffngen.head.uv_map import UvMap

_MAX_BYTES = 64 << 20


def read_obj_uv(path: Path) -> tuple[UvMap, np.ndarray[tuple[int, int], np.dtype[np.int32]]]:
    """The texture coordinates of an .obj file of triangles.

    :returns: the texture coordinates, not yet checked for their range, and the faces (F, 3) int32 of vertices
        that go with them, in the file's order.
    :raises InputFileError: when the file is missing, too large, or no mesh of textured triangles.
    """
    checked_size(path, _MAX_BYTES)
    coordinates: list[list[float]] = []
    faces: list[list[int]] = []
    texture_faces: list[list[int]] = []
    number = 0  # of the line that is read, for the message
    try:
        with path.open(encoding="latin-1") as stream:
            for line in stream:
                number += 1
                words = line.split()
                if not words:
                    continue
                if words[0] == "vt":
                    coordinates.append([float(words[1]), float(words[2])])
                elif words[0] == "f":
                    corners = [word.split("/") for word in words[1:]]
                    if len(corners) != 3:
                        raise ValueError("a face that is not a triangle")
                    faces.append([int(corner[0]) - 1 for corner in corners])
                    texture_faces.append([int(corner[1]) - 1 for corner in corners])
        uv = UvMap(np.array(coordinates, dtype=np.float32), np.array(texture_faces, dtype=np.int32))
        vertex_faces = np.array(faces, dtype=np.int32)
    except (OSError, ValueError, IndexError, OverflowError) as error:
        raise InputFileError(
            f"not an .obj file of textured triangles (line {number}: {str(error)[:100]})", where=path
        ) from error
    return uv, vertex_faces
