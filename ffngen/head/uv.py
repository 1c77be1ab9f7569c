"""A UV layout of our own, for models that come without one.

The largest connected part, the skin, is unrolled from a cylinder about the vertical axis, closed by a spherical
cap so that the crown is not squeezed; its seam is at the back. Every other part (each eyeball) gets a tile of
its own in a strip along the upper edge, unrolled about its forward direction, so that the pupil is in the middle.
Vertices on the seam have one texture vertex for each of its sides, and no triangle reaches across the square.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse import csgraph

from ffngen.head.uv_map import UvMap

Array64 = NDArray[np.float64]

#: Metres; a vertex this near to an axis is on it.
_ON_AXIS = 1e-9

#: The part of the square's height that the skin takes where there are other parts.
_SKIN_HEIGHT = 0.8
#: How many tiles the strip has at most; what is left of a mesh in pieces shares the last.
_MAX_TILES = 16
#: Space left around each part, so that filtering a texture does not mix parts.
_MARGIN = 0.004


def cylindrical_uv(template: Array64, faces: NDArray[np.int32]) -> UvMap:
    """Texture coordinates from the shape of a head alone.

    :param template: (V, 3) float64, metres, head frame (CONVENTIONS.md).
    :param faces: (F, 3) int32.
    :returns: coordinates that reach all four sides of the square. On the skin u grows to the subject's left and
        v upwards; folds (inside the mouth, behind the ears) lie over each other.
    """
    parts = np.minimum(_face_parts(faces, len(template)), _MAX_TILES)
    corners = np.empty((len(faces), 3, 2))
    others = int(parts.max())
    for part in range(others + 1):
        chosen = parts == part
        points = template[faces[chosen]]
        if part == 0:
            tile = (0.0, 0.0, 1.0, _SKIN_HEIGHT if others else 1.0)
            corners[chosen] = _into_tile(_unroll_skin(points), tile, _MARGIN if others else 0.0)
        else:
            tile = ((part - 1) / others, _SKIN_HEIGHT, part / others, 1.0)
            corners[chosen] = _into_tile(_unroll_ball(points), tile, _MARGIN)
    return _indexed(corners.astype(np.float32), faces)


def _face_parts(faces: NDArray[np.int32], vertex_count: int) -> NDArray[np.int64]:
    """The connected part of each face; parts in order of falling size, so the skin is 0."""
    ones = np.ones(2 * len(faces), dtype=bool)
    edges = (np.repeat(faces[:, 0], 2), faces[:, 1:].ravel())
    graph = scipy.sparse.coo_matrix((ones, edges), shape=(vertex_count, vertex_count))
    labels = csgraph.connected_components(graph, directed=False)[1][faces[:, 0]]
    _, label, counts = np.unique(labels, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), dtype=np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    ranks: NDArray[np.int64] = rank[label]
    return ranks


def _unroll_skin(points: Array64) -> Array64:
    """(N, 3, 2) metres: along the circumference and up the side, of the corners (N, 3, 3)."""
    flat = points.reshape(-1, 3)
    low, high = flat.min(axis=0), flat.max(axis=0)
    middle, radius = (low + high) / 2.0, (high[0] - low[0]) / 2.0
    # The axis meets the crown in a vertex, or the face that it meets would reach around the whole circumference.
    upper = flat[flat[:, 1] >= middle[1]]
    crown = upper[np.argmin(np.hypot(upper[:, 0] - middle[0], upper[:, 2] - middle[2]))]
    x, z = points[..., 0] - crown[0], points[..., 2] - crown[2]
    # From the face, positive to the subject's left: the seam is at +-pi, the back.
    angle = _azimuth(x, z)
    # Above the centre of the cap the latitude counts, below it the height.
    height = points[..., 1] - (high[1] - radius)
    up: Array64 = np.where(height > 0.0, radius * np.arctan2(height, np.hypot(x, z)), height)
    return np.stack([radius * angle, up], axis=-1)


def _unroll_ball(points: Array64) -> Array64:
    """(N, 3, 2): the azimuthal equidistant map of a ball about its forward direction, of corners (N, 3, 3)."""
    flat = points.reshape(-1, 3)
    centre = (flat.min(axis=0) + flat.max(axis=0)) / 2.0
    # The axis leaves the back in a vertex, for the same reason as the crown's.
    forward = centre - flat[np.argmin(flat[:, 2])]
    forward = forward / max(float(np.linalg.norm(forward)), _ON_AXIS)
    right = np.array([1.0, 0.0, 0.0]) - forward[0] * forward
    right = right / max(float(np.linalg.norm(right)), _ON_AXIS)
    axes = np.stack([right, np.cross(forward, right), forward])
    offset = np.einsum("nck,ak->nca", points - centre, axes)
    angle = _azimuth(offset[..., 0], offset[..., 1])
    distance = np.arctan2(np.hypot(offset[..., 0], offset[..., 1]), offset[..., 2])
    return np.stack([distance * np.sin(angle), distance * np.cos(angle)], axis=-1)


def _azimuth(across: Array64, ahead: Array64) -> Array64:
    """The angles (N, 3) about an axis of the corners of faces, within a face without a jump of a whole turn.

    A corner on the axis itself has the mean angle of the others, and a face across +-pi goes to the side on which
    its middle lies.
    """
    angle = np.arctan2(across, ahead)
    off_axis = np.hypot(across, ahead) > _ON_AXIS
    reference = np.take_along_axis(angle, np.argmax(off_axis, axis=1)[:, None], axis=1)
    near = angle + 2.0 * np.pi * np.round((reference - angle) / (2.0 * np.pi))
    mean = (near * off_axis).sum(axis=1, keepdims=True) / np.maximum(off_axis.sum(axis=1, keepdims=True), 1)
    turns = np.round(mean / (2.0 * np.pi))
    azimuth: Array64 = np.where(off_axis, near, mean) - 2.0 * np.pi * turns
    return azimuth


def _into_tile(corners: Array64, tile: tuple[float, float, float, float], margin: float) -> Array64:
    """``corners`` scaled to fill a tile (left, bottom, right, top), but for a margin where it meets another."""
    flat = corners.reshape(-1, 2)
    low, high = flat.min(axis=0), flat.max(axis=0)
    size = np.where(high > low, high - low, 1.0)
    start = np.array([tile[0] + margin * (tile[0] > 0.0), tile[1] + margin * (tile[1] > 0.0)])
    end = np.array([tile[2] - margin * (tile[2] < 1.0), tile[3] - margin * (tile[3] < 1.0)])
    placed: Array64 = start + (corners - low) / size * (end - start)
    return placed


def _indexed(corners: NDArray[np.float32], faces: NDArray[np.int32]) -> UvMap:
    """One texture vertex for each pair of a vertex and a place."""
    keys = np.empty(faces.size, dtype=[("vertex", np.int32), ("u", np.float32), ("v", np.float32)])
    keys["vertex"], keys["u"], keys["v"] = faces.ravel(), corners[..., 0].ravel(), corners[..., 1].ravel()
    distinct, index = np.unique(keys, return_inverse=True)
    coordinates = np.clip(np.stack([distinct["u"], distinct["v"]], axis=-1), 0.0, 1.0)
    return UvMap(coordinates.astype(np.float32), index.reshape(faces.shape).astype(np.int32))
