"""Warping an image by a flow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.flow.values import known


def backward_warp(image: NDArray[Any], flow: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Sample ``image`` at each pixel's place plus its flow: with image t+1 and the flow t -> t+1, image t.

    Bilinear in float64: ``cv2.remap`` rounds the weights to 1/32 pixel, too coarse beside an exact flow.

    :param image: (H, W) or (H, W, C), any numeric type.
    :param flow: (H, W, 2), pixels, u right, v down.
    :returns: the warped image, of the image's shape, float32, 0 where it is undefined; and (H, W) bool, true
        where the flow is known and its end lies within the image. Occlusion is not judged here.
    """
    height, width = image.shape[:2]
    if flow.shape != (height, width, 2):
        raise ValueError(f"a flow for this image is {(height, width, 2)}, not {flow.shape}")
    flow = np.where(known(flow)[..., None], flow, np.inf).astype(np.float64)
    x = flow[..., 0] + np.arange(width)
    y = flow[..., 1] + np.arange(height)[:, None]
    valid = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    x, y = x[valid], y[valid]
    x0, y0 = np.floor(x).astype(np.intp), np.floor(y).astype(np.intp)
    x1, y1 = np.minimum(x0 + 1, width - 1), np.minimum(y0 + 1, height - 1)
    extra = (1,) * (image.ndim - 2)
    a, b = (x - x0).reshape(-1, *extra), (y - y0).reshape(-1, *extra)
    top = (1 - a) * image[y0, x0] + a * image[y0, x1]
    bottom = (1 - a) * image[y1, x0] + a * image[y1, x1]
    warped = np.zeros(image.shape, dtype=np.float32)
    warped[valid] = (1 - b) * top + b * bottom
    return warped, valid
