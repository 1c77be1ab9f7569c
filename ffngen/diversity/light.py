"""From where a face is lit, measured on its pixels: what the scene says of its lamps does not matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import luminance
from ffngen.dataset.raycast import CastFrame

#: Fewer pixels of skin tell no direction.
_LEAST_PIXELS = 50


@dataclass(frozen=True)
class SeenLight:
    """The plane ``luminance = a + x nx - y ny`` that fits the skin of a face with normals (nx, ny, nz) best.

    The normals are in camera coordinates; nz is left out, for skin that is seen faces the camera anyway. The slopes are
    shares of the mean luminance: by how much skin that faces sideways is brighter than skin that does not.

    :param from_right: 0 for light from the camera or from everywhere, positive from the picture's right.
    :param from_above: positive from above.
    :param brightness: the mean linear luminance; 1 is white.
    """

    from_right: float
    from_above: float
    brightness: float


def seen_light(
    linear: NDArray[Any], frame: CastFrame, corners: NDArray[Any], skin: NDArray[np.bool_]
) -> SeenLight | None:
    """The light on a face; None where there is too little skin.

    :param linear: (H, W, 3) linear sRGB.
    :param frame: what each pixel sees.
    :param corners: (V, 3), metres, camera coordinates: the frame's vertices.
    :param skin: (H, W) bool: the pixels to use, on the mesh.
    """
    if int(skin.sum()) < _LEAST_PIXELS:
        return None
    triangle = corners[frame.faces[frame.triangle[skin]]]
    normals = np.cross(triangle[:, 1] - triangle[:, 0], triangle[:, 2] - triangle[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-20)
    bright = luminance(np.asarray(linear[skin], dtype=np.float64))
    system = np.column_stack([np.ones(len(normals)), normals[:, :2]])
    x, y = np.linalg.lstsq(system, bright, rcond=None)[0][1:].tolist()
    mean = float(bright.mean())
    return SeenLight(x / max(mean, 1e-6), -y / max(mean, 1e-6), mean)
