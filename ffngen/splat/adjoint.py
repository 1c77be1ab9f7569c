"""Any channels of splats in pixels, and the gradients of that, on the CPU: tiles, as in :mod:`.fast`.

The gradients are those of Kerbl et al. (2023): a pixel goes through its Gaussians once more from the furthest on, and
carries what lies behind each, so that nothing is stored for each pixel and Gaussian. Threads own tiles; what a tile
says of a Gaussian has a place of its own and is summed in one order, so that results do not depend on threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from ffngen.splat.avatar import Array64
from ffngen.splat.fast import TILE, centre_and_shape, look_of, reached_boxes, square_distance, tile_counts, tile_lists
from ffngen.splat.projection import FINISHED, MOST, Splats


@dataclass(frozen=True, eq=False)
class Blended:
    """Channels in pixels, and what the way back needs.

    :param image: (H, W, C) float64: the channels' sum, by weights.
    :param alpha: (H, W) float64.
    """

    image: Array64
    alpha: Array64
    _parts: tuple[Array64, Array64, Array64]
    _tiles: tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int64]]
    _stops: NDArray[np.int64]

    def gradients(self, image: Array64, alpha: Array64) -> tuple[Array64, Array64, Array64, Array64]:
        """From the gradients of a loss by ``image`` and ``alpha`` those by what was blended.

        :returns: by the centres (P, 2), by the factors of x x, x y and y y of the inverse 2D covariances (P, 3), by
            opacities (P,), and by channels (P, C).
        """
        starts, lists, boxes = self._tiles
        channels = self._parts[2]
        each = np.zeros((len(lists), 6 + channels.shape[1]))
        _back_tiles(starts, lists, boxes, *self._parts, image, alpha, 1 - self.alpha, self._stops, each)
        sums = np.zeros((len(channels), each.shape[1]))
        _sum_up(lists, each, sums)
        return sums[:, :2], sums[:, 2:5], sums[:, 5], sums[:, 6:]


def blend_channels(splats: Splats, channels: Array64) -> Blended:
    """Sums over splats, nearest first, of weight times channels.

    :param channels: (P, C) float64.
    """
    height, width = splats.camera.height, splats.camera.width
    boxes = reached_boxes(splats)
    starts, lists = tile_lists(boxes, *tile_counts(splats))
    image, light = np.zeros((height, width, channels.shape[1])), np.ones((height, width))
    stops = np.zeros((height, width), dtype=np.int64)
    parts = centre_and_shape(splats), look_of(splats), np.ascontiguousarray(channels, dtype=np.float64)
    _forth_tiles(starts, lists, boxes, *parts, image, light, stops)
    return Blended(image, 1 - light, parts, (starts, lists, boxes), stops)


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _forth_tiles(starts, lists, boxes, shape, look, channels, image, light, stops):  # type: ignore[no-untyped-def]
    """``light``: what is left behind all; ``stops``: how far in its tile's list a pixel went."""
    height, width = light.shape
    across = (width + TILE - 1) // TILE
    for tile in numba.prange(len(starts) - 1):
        left, top = tile % across * TILE, tile // across * TILE
        right, bottom = min(left + TILE, width) - 1, min(top + TILE, height) - 1
        for v in range(top, bottom + 1):
            for u in range(left, right + 1):
                stops[v, u] = starts[tile + 1]
        unfinished = (right - left + 1) * (bottom - top + 1)
        for at in range(starts[tile], starts[tile + 1]):
            if unfinished == 0:
                break
            i = lists[at]
            for v in range(max(boxes[i, 2], top), min(boxes[i, 3], bottom) + 1):
                for u in range(max(boxes[i, 0], left), min(boxes[i, 1], right) + 1):
                    if stops[v, u] <= at:
                        continue
                    distance = square_distance(shape[i], u - shape[i, 0], v - shape[i, 1])
                    if distance > look[i, 1]:
                        continue
                    weight = min(look[i, 0] * np.exp(-distance / 2), MOST)
                    rest = light[v, u] * (1 - weight)
                    if rest < FINISHED:
                        stops[v, u] = at
                        unfinished -= 1
                        continue
                    weight *= light[v, u]
                    light[v, u] = rest
                    for c in range(channels.shape[1]):
                        image[v, u, c] += weight * channels[i, c]


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _back_tiles(starts, lists, boxes, shape, look, channels, d_image, d_alpha, light, stops, each):  # type: ignore[no-untyped-def]
    height, width = light.shape
    across = (width + TILE - 1) // TILE
    count = channels.shape[1]
    for tile in numba.prange(len(starts) - 1):
        left, top = tile % across * TILE, tile // across * TILE
        right, bottom = min(left + TILE, width) - 1, min(top + TILE, height) - 1
        # The light behind the Gaussian that is looked at, and the sum of what those behind it are worth to the loss.
        after = light[top : bottom + 1, left : right + 1].copy()
        behind = np.zeros((TILE, TILE))
        for at in range(starts[tile + 1] - 1, starts[tile] - 1, -1):
            i = lists[at]
            for v in range(max(boxes[i, 2], top), min(boxes[i, 3], bottom) + 1):
                for u in range(max(boxes[i, 0], left), min(boxes[i, 1], right) + 1):
                    if stops[v, u] <= at:
                        continue
                    x, y = u - shape[i, 0], v - shape[i, 1]
                    distance = square_distance(shape[i], x, y)
                    if distance > look[i, 1]:
                        continue
                    fall = np.exp(-distance / 2)
                    weight = min(look[i, 0] * fall, MOST)
                    t = after[v - top, u - left] / (1 - weight)
                    worth = d_alpha[v, u]
                    for c in range(count):
                        worth += channels[i, c] * d_image[v, u, c]
                        each[at, 6 + c] += t * weight * d_image[v, u, c]
                    d_weight = t * worth - behind[v - top, u - left] / (1 - weight)
                    behind[v - top, u - left] += t * weight * worth
                    after[v - top, u - left] = t
                    if weight == MOST:
                        continue
                    d_distance = -0.5 * weight * d_weight
                    each[at, 0] -= d_distance * (2 * shape[i, 2] * x + shape[i, 3] * y)
                    each[at, 1] -= d_distance * (shape[i, 3] * x + 2 * shape[i, 4] * y)
                    each[at, 2] += d_distance * x * x
                    each[at, 3] += d_distance * x * y
                    each[at, 4] += d_distance * y * y
                    each[at, 5] += d_weight * fall


@numba.njit(cache=True)
def _sum_up(lists, each, sums):  # type: ignore[no-untyped-def]
    for at in range(len(lists)):
        for c in range(each.shape[1]):
            sums[lists[at], c] += each[at, c]
