"""Skin tone as the individual typology angle (ITA), in the six classes of dermatology.

``ITA = arctan((L* - 50) / b*)`` in degrees, of CIE L*a*b* under D65 (Chardon, Cretois and Hourseau, "Skin colour
typology and suntanning pathways", 1991); the classes' bounds are those of Del Bino and Bernerd, 2013.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array64 = NDArray[np.float64]

#: Class -> the angle above which it begins, degrees; from light to dark.
CLASSES: Final = {
    "very light": 55.0,
    "light": 41.0,
    "intermediate": 28.0,
    "tan": 10.0,
    "brown": -30.0,
    "dark": -np.inf,
}

#: Linear sRGB to CIE XYZ (IEC 61966-2-1), and the white of D65.
_TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
_WHITE = np.array([0.9505, 1.0, 1.0890])


def lab(linear: ArrayLike) -> Array64:
    """CIE L*a*b* (..., 3) of linear sRGB (..., 3), where 1 is white."""
    t = np.asarray(linear, dtype=np.float64) @ _TO_XYZ.T / _WHITE
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def typology_angle(linear: ArrayLike) -> Array64:
    """ITA (...), degrees, of linear sRGB (..., 3)."""
    L, _, b = np.moveaxis(lab(linear), -1, 0)
    angle: Array64 = np.degrees(np.arctan2(L - 50, b))
    return angle


def class_of(angle: float) -> str:
    """The name of the class of an ITA in degrees."""
    return next(name for name, above in CLASSES.items() if angle > above)


def median_colour(linear: NDArray[Any]) -> tuple[float, float, float] | None:
    """The median of each channel of linear sRGB (P, 3): hair, spots and highlights hardly count. None for no pixel."""
    if not len(linear):
        return None
    red, green, blue = np.median(linear, axis=0).tolist()
    return red, green, blue
