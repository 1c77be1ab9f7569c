"""What of a frame another one shows: occlusion by transmittance.

A pixel shows the Gaussian at which half of its light is used up, at the point where its ray meets it. The mean over
all Gaussians would lie between surfaces where one shines through the gaps of another; this point lies on one. It moves
with its triangle. In the other frame it is hidden when less than half of the light that passed on its way to the first
camera passes on its way to the other. By that ratio, hair, which hides itself at all times, is hidden where something
comes before it, and not where nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from ffngen.splat.avatar import Array64
from ffngen.splat.fast import (
    TILE,
    centre_and_shape,
    light_before,
    look_of,
    reached_boxes,
    square_distance,
    tile_counts,
    tile_lists,
)
from ffngen.splat.flow import said_of
from ffngen.splat.image import OPAQUE
from ffngen.splat.posed import PosedAvatar
from ffngen.splat.projection import MOST, Splats

#: What lies no further before a point belongs to the surface that it is on: so many metres, as for meshes, and so many
#: standard deviations of its Gaussian. Flat Gaussians stand out from surfaces that bend (tests/bench/splat_labels.py).
SKIN, WIDTHS = 5e-4, 2.0


@dataclass(frozen=True, eq=False)
class ShownPoints:
    """The points that a frame shows, one for each of the P pixels of the head, row by row.

    :param mask: (H, W) bool: these pixels.
    :param splats: (P,) int64: which of the frame's splats each shows.
    :param pixels: (P, 2) float64.
    :param depths: (P,) float64, metres.
    :param skin: (P,) float64, metres: what lies no further before the point does not hide it.
    """

    frame: PosedAvatar
    mask: NDArray[np.bool_]
    splats: NDArray[np.int64]
    pixels: Array64
    depths: Array64
    skin: Array64

    @classmethod
    def of(cls, frame: PosedAvatar) -> ShownPoints:
        """Look through every pixel's centre."""
        splats = frame.splats
        which = shown_splats(splats)
        mask = which >= 0
        rows, columns = np.nonzero(mask)
        chosen, pixels = which[mask], np.stack([columns, rows], axis=-1).astype(np.float64)
        depths = said_of(pixels, splats.pixels[chosen], frame.rays.take(chosen), [])[:, 0]
        # The radius of the circle that is as large as the ellipse of one standard deviation.
        radius = np.linalg.det(splats.planar[chosen]) ** 0.25
        skin = SKIN + WIDTHS * radius * depths / np.sqrt(frame.camera.K[0, 0] * frame.camera.K[1, 1])
        return cls(frame, mask, chosen, pixels, depths, skin)

    def moved_to(self, other: PosedAvatar) -> tuple[Array64, Array64]:
        """Where the points are in another frame of the same avatar, as parts of their triangles.

        :returns: (P, 2) float64, pixels, and (P,) float64, metres.
        """
        motion = self.frame.motion_to(other, "affine").take(self.splats)
        centres, rays = self.frame.splats.pixels[self.splats], self.frame.rays.take(self.splats)
        said = said_of(self.pixels, centres, rays, [motion])
        return self.pixels + said[:, 1:3], said[:, 3]

    def hidden_in(self, other: PosedAvatar, pixels: Array64, depths: Array64) -> NDArray[np.bool_]:
        """(P,) bool: which points another frame hides.

        :param pixels: (P, 2), and ``depths``, (P,): where they are there, as :meth:`moved_to` says.
        """
        before = light_before(self.frame.splats, self.frame.rays, self.pixels, self.depths - self.skin)
        after = light_before(other.splats, other.rays, pixels, depths - self.skin)
        return np.asarray(after < OPAQUE * before)


def is_covered(frame: PosedAvatar, pixels: Array64) -> NDArray[np.bool_]:
    """(P,) bool: whether the head is seen at places (P, 2), pixels; beside the picture it is not."""
    light = light_before(frame.splats, frame.rays, pixels, np.full(len(pixels), np.inf))
    return np.asarray(light <= 1 - OPAQUE)


def shown_splats(splats: Splats) -> NDArray[np.int64]:
    """(H, W) int64: the splat past which at most half of the light is left in each pixel, -1 where more passes all."""
    boxes = reached_boxes(splats)
    starts, lists = tile_lists(boxes, *tile_counts(splats))
    result = np.full((splats.camera.height, splats.camera.width), -1, dtype=np.int64)
    _find_shown(starts, lists, boxes, centre_and_shape(splats), look_of(splats), result)
    return result


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _find_shown(starts, lists, boxes, shape, look, result):  # type: ignore[no-untyped-def]
    height, width = result.shape
    across = (width + TILE - 1) // TILE
    for tile in numba.prange(len(starts) - 1):
        left, top = tile % across * TILE, tile // across * TILE
        right, bottom = min(left + TILE, width) - 1, min(top + TILE, height) - 1
        light = np.ones((TILE, TILE))
        for at in range(starts[tile], starts[tile + 1]):
            i = lists[at]
            for v in range(max(boxes[i, 2], top), min(boxes[i, 3], bottom) + 1):
                for u in range(max(boxes[i, 0], left), min(boxes[i, 1], right) + 1):
                    if result[v, u] >= 0:
                        continue
                    distance = square_distance(shape[i], u - shape[i, 0], v - shape[i, 1])
                    if distance > look[i, 1]:
                        continue
                    light[v - top, u - left] *= 1 - min(look[i, 0] * np.exp(-distance / 2), MOST)
                    if light[v - top, u - left] <= 1 - OPAQUE:
                        result[v, u] = i
