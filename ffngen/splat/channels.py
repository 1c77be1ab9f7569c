"""Depth and flow as channels: for rasterisers that blend a vector per Gaussian and know nothing of pixels.

What a Gaussian says of a pixel is taken to first order around its centre m, ``f(m) + g . (x - m)``. The sum over
Gaussians of weight times that is linear in the pixel x: ``f(m) - g . m`` and ``g`` are blended as three channels, and
put together at each pixel afterwards. That is exact for the flow modes ``mean`` and ``gaussianflow``; of depth and of
the mode ``affine``, which are quotients, it leaves out what is of second order within one Gaussian.
"""

from __future__ import annotations

import numpy as np

from ffngen.geometry.camera import Camera
from ffngen.splat.avatar import Array64
from ffngen.splat.flow import RayDepth, SplatMotion
from ffngen.splat.projection import Splats


def channels_of(splats: Splats, rays: RayDepth, motions: list[SplatMotion]) -> Array64:
    """(P, 6 + 9 M) float64: colours, then three channels of depth, then of each motion's u, v and depth after it."""
    depth, slope = _depths(rays, splats.pixels)
    linear = [(depth, slope)]
    for motion in motions:
        moved = _planar(motion, depth, slope) if len(motion.planar) else _spatial(motion, splats.pixels, depth, slope)
        linear += moved
    # Pixels count from the middle: so the sums stay small, and single precision is enough.
    place = splats.pixels - _middle(splats.camera)
    columns = [np.column_stack([f - np.einsum("pi,pi->p", g, place), g]) for f, g in linear]
    return np.concatenate([splats.colours, *columns], axis=1)


def sums_of(image: Array64, alpha: Array64, motions: int) -> tuple[Array64, Array64, Array64, Array64]:
    """What :func:`ffngen.splat.reference.blend` returns, from blended channels (H, W, 6 + 9 M) and alpha (H, W)."""
    height, width = alpha.shape
    across = np.arange(width) - (width - 1) / 2
    down = np.arange(height)[:, None] - (height - 1) / 2
    parts = image[..., 3:].reshape(height, width, 1 + 3 * motions, 3)
    values = parts[..., 0] + across[:, None] * parts[..., 1] + down[..., None] * parts[..., 2]
    flows = np.moveaxis(values[..., 1:].reshape(height, width, motions, 3), 2, 0)
    return image[..., :3], alpha, values[..., 0], flows


#: A function of the pixel around each centre: values (P,) and slopes (P, 2).
_Linear = tuple[Array64, Array64]


def _middle(camera: Camera) -> Array64:
    return (np.array([camera.width, camera.height]) - 1) / 2


def _depths(rays: RayDepth, pixels: Array64) -> _Linear:
    u, v = pixels.T
    n, Q = rays.n, rays.Q
    above = n[:, 0] * u + n[:, 1] * v + n[:, 2]
    below = (Q[:, 0] * u + Q[:, 1] * v + Q[:, 2]) * u + (Q[:, 3] * v + Q[:, 4]) * v + Q[:, 5]
    s = above / below
    slopes = [2 * Q[:, 0] * u + Q[:, 1] * v + Q[:, 2], Q[:, 1] * u + 2 * Q[:, 3] * v + Q[:, 4]]
    slope = np.stack([(n[:, i] - s * slopes[i]) / below for i in range(2)], axis=-1)
    within = (s > rays.low) & (s < rays.high)
    return np.clip(s, rays.low, rays.high), np.where(within[:, None], slope, 0)


def _planar(motion: SplatMotion, depth: Array64, slope: Array64) -> list[_Linear]:
    D = motion.planar
    return [(D[:, 4], D[:, 0:2]), (D[:, 5], D[:, 2:4]), (depth + D[:, 6], slope)]


def _spatial(motion: SplatMotion, pixels: Array64, depth: Array64, slope: Array64) -> list[_Linear]:
    G, g = motion.spatial[:, :9].reshape(-1, 3, 3), motion.spatial[:, 9:]
    turned = np.einsum("pij,pj->pi", G, np.column_stack([pixels, np.ones(len(pixels))]))
    place = depth[:, None] * turned + g
    # d (s G p) = ds G p + s G dp
    steps = turned[:, :, None] * slope[:, None] + depth[:, None, None] * G[:, :, :2]
    w, dw = place[:, 2], steps[:, 2]
    moved = []
    for i in range(2):
        seen = place[:, i] / w
        unit = np.eye(2)[i]
        moved.append((seen - pixels[:, i], (steps[:, i] - seen[:, None] * dw) / w[:, None] - unit))
    return [*moved, (w, dw)]
