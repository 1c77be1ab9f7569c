"""The fast rasteriser on the CPU: tiles of pixels, on all cores, compiled by numba.

Each Gaussian is handed to the tiles that its weight reaches; a tile goes through its Gaussians from the nearest on and
visits, of each, the pixels of its own box alone.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from ffngen.splat.avatar import Array64
from ffngen.splat.flow import RayDepth, SplatMotion
from ffngen.splat.inverse import inverse_2x2
from ffngen.splat.projection import FINISHED, LEAST, MOST, Splats, reach

TILE = 16


def blend(splats: Splats, rays: RayDepth, motions: list[SplatMotion]) -> tuple[Array64, Array64, Array64, Array64]:
    """As :func:`ffngen.splat.reference.blend`."""
    height, width = splats.camera.height, splats.camera.width
    boxes = reached_boxes(splats)
    starts, lists = tile_lists(boxes, *tile_counts(splats))
    shape, depth = centre_and_shape(splats), _depth(rays)
    planar = bool(motions and len(motions[0].planar))
    moved = [motion.planar if planar else motion.spatial for motion in motions]
    # (P, M, 7 or 12): what is said of one Gaussian lies together.
    motion = np.ascontiguousarray(np.stack(moved, axis=1)) if moved else np.zeros((len(splats), 0, 7))
    sums = np.zeros((height, width, 5 + 3 * len(motions)))
    _blend_tiles(starts, lists, boxes, shape, look_of(splats), depth, motion, planar, sums)
    flows = sums[..., 5:].reshape(height, width, len(motions), 3)
    return sums[..., :3], sums[..., 3], sums[..., 4], np.moveaxis(flows, 2, 0)


def tile_counts(splats: Splats) -> tuple[int, int]:
    """How many tiles there are across and down."""
    return -(-splats.camera.width // TILE), -(-splats.camera.height // TILE)


def centre_and_shape(splats: Splats) -> Array64:
    """(P, 5): the centre, and the inverse of the 2D covariance as the factors of x x, x y and y y."""
    inverse = inverse_2x2(splats.planar)
    return np.column_stack([splats.pixels, inverse[:, 0, 0], 2 * inverse[:, 0, 1], inverse[:, 1, 1]])


def look_of(splats: Splats) -> Array64:
    """(P, 5): opacity, the distance beyond which the weight is below LEAST (no exponential is needed there), colour."""
    furthest = -2 * np.log(LEAST / np.maximum(splats.opacities, LEAST))
    return np.column_stack([splats.opacities, furthest, splats.colours])


def _depth(rays: RayDepth) -> Array64:
    """(P, 11), for :func:`_where_met`."""
    return np.column_stack([rays.n, rays.Q, rays.low, rays.high])


def reached_boxes(splats: Splats, *, between: bool = False) -> NDArray[np.int64]:
    """(P, 4): the first and last column and row that each splat's weight reaches.

    :param between: those of places between pixels' centres count, too.
    """
    half = reach(splats.planar, splats.opacities) + between
    last = np.array([splats.camera.width, splats.camera.height]) - 1
    low = np.clip(np.ceil(splats.pixels - half), 0, last + 1)
    high = np.clip(np.floor(splats.pixels + half), -1, last)
    boxes = np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=-1)
    return np.asarray(boxes, dtype=np.int64)


@numba.njit(cache=True)
def tile_lists(boxes, across, down):  # type: ignore[no-untyped-def]
    """The splats of tile t, nearest first, are ``lists[starts[t]:starts[t + 1]]``."""
    starts = np.zeros(across * down + 1, dtype=np.int64)
    for i in range(len(boxes)):
        if boxes[i, 0] <= boxes[i, 1] and boxes[i, 2] <= boxes[i, 3]:
            for row in range(boxes[i, 2] // TILE, boxes[i, 3] // TILE + 1):
                for column in range(boxes[i, 0] // TILE, boxes[i, 1] // TILE + 1):
                    starts[row * across + column + 1] += 1
    starts = np.cumsum(starts)
    place = starts[:-1].copy()
    lists = np.empty(starts[-1], dtype=np.int32)
    for i in range(len(boxes)):
        if boxes[i, 0] <= boxes[i, 1] and boxes[i, 2] <= boxes[i, 3]:
            for row in range(boxes[i, 2] // TILE, boxes[i, 3] // TILE + 1):
                for column in range(boxes[i, 0] // TILE, boxes[i, 1] // TILE + 1):
                    tile = row * across + column
                    lists[place[tile]] = i
                    place[tile] += 1
    return starts, lists


@numba.njit(cache=True, inline="always", error_model="numpy")
def _where_met(d, u, v):  # type: ignore[no-untyped-def]
    """The depth at which a pixel's ray meets a Gaussian (:class:`ffngen.splat.flow.RayDepth`)."""
    s = (d[0] * u + d[1] * v + d[2]) / ((d[3] * u + d[4] * v + d[5]) * u + (d[6] * v + d[7]) * v + d[8])
    return min(max(s, d[9]), d[10])


@numba.njit(cache=True, inline="always")
def square_distance(shape, x, y):  # type: ignore[no-untyped-def]
    """The square of the distance from a Gaussian's centre, in its standard deviations."""
    return shape[2] * x * x + shape[3] * x * y + shape[4] * y * y


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _blend_tiles(starts, lists, boxes, shape, look, depth, motion, planar, sums):  # type: ignore[no-untyped-def]
    height, width = sums.shape[:2]
    across = (width + TILE - 1) // TILE
    motions = motion.shape[1]
    for tile in numba.prange(len(starts) - 1):
        left, top = tile % across * TILE, tile // across * TILE
        right, bottom = min(left + TILE, width) - 1, min(top + TILE, height) - 1
        light = np.ones((TILE, TILE))
        unfinished = (right - left + 1) * (bottom - top + 1)
        for at in range(starts[tile], starts[tile + 1]):
            if unfinished == 0:
                break
            i = lists[at]
            for v in range(max(boxes[i, 2], top), min(boxes[i, 3], bottom) + 1):
                for u in range(max(boxes[i, 0], left), min(boxes[i, 1], right) + 1):
                    t = light[v - top, u - left]
                    if t == 0:
                        continue
                    x, y = u - shape[i, 0], v - shape[i, 1]
                    distance = square_distance(shape[i], x, y)
                    if distance > look[i, 1]:
                        continue
                    weight = min(look[i, 0] * np.exp(-distance / 2), MOST)
                    rest = t * (1 - weight)
                    if rest < FINISHED:
                        light[v - top, u - left] = 0
                        unfinished -= 1
                        continue
                    light[v - top, u - left] = rest
                    weight *= t
                    s = _where_met(depth[i], u, v)
                    for c in range(3):
                        sums[v, u, c] += weight * look[i, 2 + c]
                    sums[v, u, 3] += weight
                    sums[v, u, 4] += weight * s
                    for m in range(motions):
                        if planar:
                            du = motion[i, m, 0] * x + motion[i, m, 1] * y + motion[i, m, 4]
                            dv = motion[i, m, 2] * x + motion[i, m, 3] * y + motion[i, m, 5]
                            w = s + motion[i, m, 6]
                        else:
                            g = motion[i, m]
                            w = s * (g[6] * u + g[7] * v + g[8]) + g[11]
                            du = (s * (g[0] * u + g[1] * v + g[2]) + g[9]) / w - u
                            dv = (s * (g[3] * u + g[4] * v + g[5]) + g[10]) / w - v
                        sums[v, u, 5 + 3 * m] += weight * du
                        sums[v, u, 6 + 3 * m] += weight * dv
                        sums[v, u, 7 + 3 * m] += weight * w


def light_before(splats: Splats, rays: RayDepth, places: Array64, depths: Array64) -> Array64:
    """(Q,) float64: the share of light that reaches the camera from points, past the splats before them.

    :param places: (Q, 2) float64, pixels: where the points are seen.
    :param depths: (Q,) float64, metres.
    """
    across, down = tile_counts(splats)
    starts, lists = tile_lists(reached_boxes(splats, between=True), across, down)
    left = np.ones(len(places))
    size = np.array([splats.camera.width, splats.camera.height])
    _dim(starts, lists, across, size, centre_and_shape(splats), look_of(splats), _depth(rays), places, depths, left)
    return left


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _dim(starts, lists, across, size, shape, look, depth, places, depths, left):  # type: ignore[no-untyped-def]
    for q in numba.prange(len(places)):
        u, v = places[q]
        if not (-0.5 <= u <= size[0] - 0.5 and -0.5 <= v <= size[1] - 0.5):
            continue
        tile = int(max(v, 0.0)) // TILE * across + int(max(u, 0.0)) // TILE
        for at in range(starts[tile], starts[tile + 1]):
            i = lists[at]
            distance = square_distance(shape[i], u - shape[i, 0], v - shape[i, 1])
            if distance <= look[i, 1] and _where_met(depth[i], u, v) < depths[q]:
                left[q] *= 1 - min(look[i, 0] * np.exp(-distance / 2), MOST)
                if left[q] < FINISHED:
                    break
