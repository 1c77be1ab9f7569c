"""Drawing on a face from the front: brows, lips."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import map_coordinates

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

_PIXELS_PER_MM = 5.0
_HALF_WIDTH = 80.0
_TOP, _BOTTOM = 60.0, -110.0

#: Fractional bits of the coordinates of OpenCV's drawing functions.
_SHIFT = 4


class FrontalCanvas:
    """A grey drawing in the plane (x, y) of the layout's frame, seen from the front."""

    def __init__(self) -> None:
        shape = (int((_TOP - _BOTTOM) * _PIXELS_PER_MM), int(2 * _HALF_WIDTH * _PIXELS_PER_MM))
        self._image = np.zeros(shape, dtype=np.uint8)

    def polygon(self, outline: Array64) -> None:
        """Fill a closed outline (K, 2), millimetres."""
        cv2.fillPoly(self._image, [_fixed(outline)], (255,), cv2.LINE_AA, _SHIFT)

    def strokes(self, strokes: Array64, strengths: Array64, thickness: float) -> None:
        """Draw curves (K, P, 2), millimetres, each with its strength in [0, 1]."""
        width = max(1, round(thickness * _PIXELS_PER_MM))
        for stroke, strength in zip(_fixed(strokes), strengths, strict=True):
            cv2.polylines(self._image, [stroke], False, (round(255 * float(strength)),), width, cv2.LINE_AA, _SHIFT)

    def sampled(self, points: Array32, blur: float) -> Array32:
        """The drawing blurred by ``blur`` millimetres under points (N, 3): (N,) float32 in [0, 1]."""
        image = cv2.GaussianBlur(self._image, (0, 0), blur * _PIXELS_PER_MM)
        pixels = _pixels(points[:, :2].astype(np.float64)).T[::-1]
        values = map_coordinates(image, pixels, order=1, mode="constant", output=np.float32)
        return cast(Array32, values / np.float32(255))


def closed_curve(points: Array64, count: int = 120) -> Array64:
    """A smooth closed curve (count, 2) through points (K, 2)."""
    looped = np.concatenate([points, points[:1]])
    curve = CubicSpline(np.arange(len(looped)), looped, bc_type="periodic")
    return cast(Array64, curve(np.linspace(0, len(points), count, endpoint=False)))


def _pixels(points: Array64) -> Array64:
    """(..., 2) millimetres as (column, row) of the canvas."""
    flipped = np.stack([points[..., 0] + _HALF_WIDTH, _TOP - points[..., 1]], axis=-1)
    return cast(Array64, flipped * _PIXELS_PER_MM - 0.5)


def _fixed(points: Array64) -> NDArray[np.int32]:
    return cast(NDArray[np.int32], np.round(_pixels(points) * (1 << _SHIFT)).astype(np.int32))
