"""The colour of skin from its two pigments.

Light passes the epidermis, which holds melanin, and the dermis, which holds blood, and is scattered back:
``albedo = BARE * exp(-melanin * MELANIN - haemoglobin * HAEMOGLOBIN)``, Beer and Lambert's law per colour
channel. The coefficients are fitted so that the range of both covers measured skin: individual typology
angles from about -60 degrees (dark) to 60 degrees (very light).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array32 = NDArray[np.float32]

#: Albedo of skin without pigment, linear sRGB.
BARE = np.array([0.760, 0.630, 0.530], dtype=np.float32)

#: Absorbances of melanin 1 (the darkest skin) and of haemoglobin 1 (flushed), linear sRGB.
MELANIN = np.array([1.55, 1.98, 2.60], dtype=np.float32)
HAEMOGLOBIN = np.array([0.05, 0.36, 0.32], dtype=np.float32)

#: The least albedo of living skin that is painted, per channel.
DARKEST = np.float32(0.018)


def skin_albedo(melanin: Array32, haemoglobin: Array32) -> Array32:
    """Albedo (N, 3) float32, linear sRGB, of amounts (N,) of the two pigments."""
    absorbance = melanin[:, None] * MELANIN + np.maximum(haemoglobin, 0)[:, None] * HAEMOGLOBIN
    albedo: Array32 = np.maximum(BARE * np.exp(-np.maximum(absorbance, 0)), DARKEST)
    return albedo
