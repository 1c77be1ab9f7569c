"""Depth and flow as channels: for rasterisers that blend a vector per Gaussian and know nothing of pixels.

What a Gaussian says of a pixel is taken as linear around its centre m, ``f(m) + g . (x - m)``. The sum over Gaussians
of weight times that is linear in the pixel x: ``f(m) - g . m`` and ``g`` are blended as three channels, and put
together at each pixel afterwards. The slopes g are those between one standard deviation to either side of the centre,
in the picture. That is exact for the flow modes ``mean`` and ``gaussianflow``; of depth and of the mode ``affine``,
which are quotients and end where a Gaussian ends, it leaves out how they bend within one Gaussian.
"""

from __future__ import annotations

import numpy as np

from ffngen.geometry.camera import Camera
from ffngen.splat.avatar import Array64
from ffngen.splat.flow import RayDepth, SplatMotion, said_of
from ffngen.splat.projection import Splats


def channels_of(splats: Splats, rays: RayDepth, motions: list[SplatMotion]) -> Array64:
    """(P, 6 + 9 M) float64: colours, then three channels of depth, then of each motion's u, v and depth after it."""
    spread = np.sqrt(splats.planar[:, [0, 1], [0, 1]])
    values = said_of(splats.pixels, splats.pixels, rays, motions)
    slopes = []
    for axis in range(2):
        step = spread * np.eye(2)[axis]
        ends = [said_of(splats.pixels + sign * step, splats.pixels, rays, motions) for sign in (1, -1)]
        slopes.append((ends[0] - ends[1]) / (2 * spread[:, axis, None]))
    # Pixels count from the middle: so the sums stay small, and single precision is enough.
    place = splats.pixels - _middle(splats.camera)
    constant = values - slopes[0] * place[:, :1] - slopes[1] * place[:, 1:]
    linear = np.stack([constant, *slopes], axis=-1)
    return np.concatenate([splats.colours, linear.reshape(len(splats), 3 + 9 * len(motions))], axis=1)


def sums_of(image: Array64, alpha: Array64, motions: int) -> tuple[Array64, Array64, Array64, Array64]:
    """What :func:`ffngen.splat.reference.blend` returns, from blended channels (H, W, 6 + 9 M) and alpha (H, W)."""
    height, width = alpha.shape
    across = np.arange(width) - (width - 1) / 2
    down = np.arange(height)[:, None] - (height - 1) / 2
    parts = image[..., 3:].reshape(height, width, 1 + 3 * motions, 3)
    values = parts[..., 0] + across[:, None] * parts[..., 1] + down[..., None] * parts[..., 2]
    flows = np.moveaxis(values[..., 1:].reshape(height, width, motions, 3), 2, 0)
    return image[..., :3], alpha, values[..., 0], flows


def _middle(camera: Camera) -> Array64:
    return (np.array([camera.width, camera.height]) - 1) / 2
