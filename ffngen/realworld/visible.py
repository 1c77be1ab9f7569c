"""Which vertices of a head rays from the camera see."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.raycast import HIDDEN_BEHIND, cast_frame
from ffngen.geometry.camera import Camera

#: The four pixels around a point show its surface where their depths differ from its own by no more than so many
#: times what a pixel spans there, as they do on a surface that is seen at up to some 70 degrees.
_SLOPE = 3.0


def visible_points(
    points: NDArray[Any], vertices: NDArray[Any], faces: NDArray[np.int32], camera: Camera
) -> NDArray[np.bool_]:
    """(P,) bool: which points on a mesh the camera sees, and with them the pixels around.

    A point is seen where the ray to it meets nothing more than 0.5 mm before it. The four pixels whose flow is
    interpolated there must show the point's surface, too: at an outline they show two motions, and what lies between
    is neither.

    :param points: (P, 3), metres, world, on the mesh.
    :param vertices: (V, 3), metres, world.
    :param faces: (F, 3).
    :raises MissingPackageError: embreex is not installed.
    """
    frame = cast_frame(vertices, faces, camera)
    pixels, depth = camera.project(points)
    size = np.array([camera.width, camera.height])
    inside = (depth > 0) & ((pixels >= 0) & (pixels <= size - 1)).all(axis=1)
    seen = np.zeros(len(points), dtype=bool)
    rays = camera.to_camera(points)[inside]
    seen[inside] = frame.depth_along(rays / rays[:, 2:]) >= depth[inside] - HIDDEN_BEHIND
    seen[seen] = shows_one_surface(frame.depth, camera, pixels[seen], depth[seen])
    return seen


def shows_one_surface(
    depth: NDArray[Any], camera: Camera, pixels: NDArray[Any], point_depth: NDArray[Any]
) -> NDArray[np.bool_]:
    """(P,) bool: whether the four pixels around points all show the surface that the point lies on.

    :param depth: (H, W), metres: what each pixel shows.
    :param camera: whose picture it is.
    :param pixels: (P, 2): where the points are seen, within the outermost pixels' centres.
    :param point_depth: (P,), metres.
    """
    height, width = depth.shape
    allowed = _SLOPE * point_depth / min(camera.K[0, 0], camera.K[1, 1])
    column, row = np.floor(pixels).astype(np.int64).T
    result = np.ones(len(pixels), dtype=bool)
    for right in (0, 1):
        for down in (0, 1):
            at = np.minimum(row + down, height - 1), np.minimum(column + right, width - 1)
            result &= np.abs(depth[at] - point_depth) <= allowed
    return result
