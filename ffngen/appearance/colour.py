"""sRGB and linear light (IEC 61966-2-1)."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Array32 = NDArray[np.float32]

#: Steps of the encoding table over the square root of linear light: finer than a quarter of an sRGB step.
_STEPS = 8192


def luminance(linear: NDArray[Any]) -> NDArray[Any]:
    """Luminance (...) of linear sRGB (..., 3). No BLAS: its sums may depend on the number of threads."""
    weighted: NDArray[Any] = linear[..., 0] * 0.2126 + linear[..., 1] * 0.7152 + linear[..., 2] * 0.0722
    return weighted


def srgb_to_linear(srgb: NDArray[np.uint8]) -> Array32:
    """sRGB (...) uint8 as linear light (...) float32 in [0, 1]."""
    encoded = np.arange(256) / 255
    table = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4).astype(np.float32)
    return table[srgb]


def linear_to_srgb(linear: Array32) -> NDArray[np.uint8]:
    """Linear light (...) float32, clipped to [0, 1], as sRGB (...) uint8."""
    step = np.sqrt(np.clip(linear, 0, 1)) * np.float32(_STEPS) + np.float32(0.5)
    return _encoding_table()[step.astype(np.int32)]


@lru_cache(maxsize=1)
def _encoding_table() -> NDArray[np.uint8]:
    linear = (np.arange(_STEPS + 1) / _STEPS) ** 2
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return cast(NDArray[np.uint8], np.round(srgb * 255).astype(np.uint8))
