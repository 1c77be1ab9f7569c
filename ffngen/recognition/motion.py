"""Motion as a classifier sees it: u, v and optical strain, in a small square.

Sources: Shreve et al., "Macro- and micro-expression spotting in long videos using spatio-temporal strain" (2011), for
optical strain; Liong et al., "Shallow triple stream three-dimensional CNN for micro-expression recognition" (2019), for
the three planes.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.flow.values import Flow, known
from ffngen.images import Rgb

Planes = NDArray[np.float32]


def optical_strain(flow: Flow) -> NDArray[np.float32]:
    """(H, W) float32: the magnitude of the infinitesimal strain tensor of a flow (H, W, 2), pixels per pixel.

    With e_xx = du/dx, e_yy = dv/dy and e_xy = (du/dy + dv/dx) / 2 it is sqrt(e_xx^2 + e_yy^2 + 2 e_xy^2). Derivatives
    are central differences, one-sided at the border. Neither a shift nor, to first order, a rotation strains.
    """
    u_y, u_x = np.gradient(flow[..., 0].astype(np.float64))
    v_y, v_x = np.gradient(flow[..., 1].astype(np.float64))
    shear = (u_y + v_x) / 2
    return np.sqrt(u_x**2 + v_y**2 + 2 * shear**2).astype(np.float32)


def motion_planes(flow: Flow, size: int) -> Planes:
    """(3, size, size) float32: u and v in shares of the picture's width, and optical strain, each made smaller.

    Strain is taken before the flow is made smaller, as published. A cell is the mean over its pixels whose motion is
    known, 0 where there is none.

    :param flow: (H, W, 2), at least 2 pixels to a side; unknown pixels as :func:`ffngen.flow.values.known` tells.
    """
    where = known(flow)
    plain = np.where(where[..., None], flow, 0).astype(np.float32)
    # A derivative is known where all that it is made of is.
    inside = where if where.all() else cv2.erode(where.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    width = np.float32(flow.shape[1])
    planes = [(plain[..., 0] / width, where), (plain[..., 1] / width, where), (optical_strain(plain), inside)]
    return np.stack([_shrunk(values, mask, size) for values, mask in planes])


def face_planes(image: Rgb, size: int) -> Planes:
    """(3, size, size) float32 in 0..1: a picture (H, W, 3) uint8 RGB, made smaller."""
    return np.moveaxis(_resized(image.astype(np.float32) / 255, size), -1, 0).copy()


def _shrunk(values: NDArray[np.float32], mask: NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    share = _resized(mask.astype(np.float32), size)
    total = _resized(np.where(mask, values, np.float32(0)), size)
    filled: NDArray[np.float32] = np.where(share > 1e-3, total / np.maximum(share, 1e-3), 0).astype(np.float32)
    return filled


def _resized(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Means over cells where the picture is larger, bilinear where it is smaller."""
    how = cv2.INTER_AREA if min(values.shape[:2]) >= size else cv2.INTER_LINEAR
    resized: NDArray[np.float32] = cv2.resize(values, (size, size), interpolation=how)
    return resized
