"""Structural similarity of two images (Wang, Bovik, Sheikh and Simoncelli 2004, IEEE TIP 13(4))."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

#: The paper's window, 11 pixels wide and of this standard deviation, and its constants for a range of 255.
_WINDOW, _SIGMA = (11, 11), 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim_map(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """The similarity around each pixel: 1 for equal images, 0 and below for unrelated ones.

    :param one: (H, W), luma, 0 to 255.
    :param other: the same.
    :returns: (H, W) float64; at the border the images are mirrored.
    """
    a, b = one.astype(np.float64), other.astype(np.float64)
    mean_a, mean_b = _blur(a), _blur(b)
    variance_a, variance_b = _blur(a * a) - mean_a**2, _blur(b * b) - mean_b**2
    covariance = _blur(a * b) - mean_a * mean_b
    above = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    below = (mean_a**2 + mean_b**2 + _C1) * (variance_a + variance_b + _C2)
    return np.asarray(above / below)


def _blur(image: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(image, _WINDOW, _SIGMA))
