"""How open a head's surface lies: what share of the light from all around reaches it past the rest of the head."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.geometry.camera import Camera
from ffngen.geometry.normals import vertex_normals
from ffngen.geometry.sphere import fibonacci_sphere
from ffngen.splat.avatar import Array64
from ffngen.splat.binding import pose
from ffngen.splat.fast import light_before
from ffngen.splat.flow import ray_depth
from ffngen.splat.projection import project
from ffngen.splat.surface import flat_gaussians, spread

#: Directions from which light may come, and how many Gaussians throw the shadows.
_DIRECTIONS, _GAUSSIANS = 32, 15_000
#: Metres: what lies no further before a point is the surface that it is on.
_SKIN = 0.006
#: From how far the head is looked at, in its own radii, and in how many pixels it is seen.
_DISTANCE, _PIXELS = 20.0, 160
#: No part is darker than this: light that skin throws on skin.
_LEAST = 0.12


def openness(vertices: NDArray[Any], faces: NDArray[Any]) -> Array64:
    """(V,) float64, 0 to 1: of a sky of one brightness, the share of the light that reaches each vertex.

    :param vertices: (V, 3), metres.
    :param faces: (F, 3).
    """
    points = vertices.astype(np.float64)
    normals = vertex_normals(points, faces)
    places = spread(vertices, faces, _GAUSSIANS, seed=0)
    shades = pose(flat_gaussians(vertices, faces, places, np.zeros((_GAUSSIANS, 3))), vertices, faces)
    middle = (points.max(axis=0) + points.min(axis=0)) / 2
    radius = float(np.linalg.norm(points - middle, axis=1).max())
    arrived, all_light = np.zeros(len(points)), np.zeros(len(points))
    for direction in fibonacci_sphere(_DIRECTIONS):
        camera = _seen_from(middle, radius, direction)
        splats = project(shades, camera)
        places_seen, depth = camera.project(points)
        cosines = np.maximum(normals @ direction, 0)
        arrived += cosines * light_before(splats, ray_depth(splats), places_seen, depth - _SKIN)
        all_light += cosines
    return np.asarray(np.maximum(arrived / np.maximum(all_light, 1e-9), _LEAST))


def _seen_from(middle: Array64, radius: float, direction: Array64) -> Camera:
    """A camera far out in a direction that sees the whole head."""
    forward = -direction
    right = np.cross(forward, [0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0])
    right /= np.linalg.norm(right)
    T = np.eye(4)
    T[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    T[:3, 3] = middle + _DISTANCE * radius * direction
    focal = 0.45 * _PIXELS * _DISTANCE
    half = (_PIXELS - 1) / 2
    return Camera(np.array([[focal, 0, half], [0, focal, half], [0, 0, 1.0]]), T, _PIXELS, _PIXELS)
