"""Pixels from splats, by one of several rasterisers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ffngen.extras import require
from ffngen.splat.flow import RayDepth, SplatMotion
from ffngen.splat.projection import Splats

Floats = NDArray[np.float32]
Backend = Literal["fast", "reference", "gsplat"]

#: The head is where at least so much of the light is its own: what flow, depth and mask are defined on.
OPAQUE = 0.5


@dataclass(frozen=True, eq=False)
class SplatImage:
    """What splats look like. M motions.

    :param colour: (H, W, 3) float32: times alpha, so that a background adds ``(1 - alpha)`` of itself.
    :param alpha: (H, W) float32.
    :param depth: (H, W) float32, metres: the mean of where rays meet Gaussians, by their weights; infinite where alpha
        is 0.
    :param flows: (M, H, W, 2) float32, pixels: the mean of the Gaussians' flow by their weights; 0 where alpha is 0.
    :param depths_after: (M, H, W) float32, metres: likewise the depth after each motion; infinite where alpha is 0.
    """

    colour: Floats
    alpha: Floats
    depth: Floats
    flows: Floats
    depths_after: Floats

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool: where alpha is at least :data:`OPAQUE`."""
        return np.asarray(self.alpha >= OPAQUE)


def rasterise(
    splats: Splats,
    rays: RayDepth,
    motions: Sequence[SplatMotion] = (),
    *,
    normalised: bool = True,
    backend: Backend = "fast",
) -> SplatImage:
    """Blend splats, the nearest first.

    :param rays: of :func:`ffngen.splat.flow.ray_depth`.
    :param motions: all of one mode.
    :param normalised: divide flow by alpha; the plain sum, as in SRFlow's equation, is shorter where alpha is not 1.
    :param backend: ``fast``: tiles, with numba, on all cores. ``reference``: each pixel and each Gaussian, with torch
        in float64; only for small images. ``gsplat``: on a GPU, depth and flow linear within each Gaussian
        (:mod:`ffngen.splat.channels`).
    :raises MissingPackageError: numba, torch or gsplat is not installed.
    :raises FfngenError: gsplat, and there is no GPU.
    """
    if backend == "fast":
        require("splat", "numba")
        from ffngen.splat.fast import blend
    elif backend == "gsplat":
        require("splat", "torch")
        from ffngen.splat.cuda import blend
    else:
        require("splat", "torch")
        from ffngen.splat.reference import blend
    colour, alpha, depth, moves = blend(splats, rays, list(motions))
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(alpha > 0, depth / alpha, np.inf)
        after = np.where(alpha > 0, moves[..., 2] / alpha, np.inf)
        flows = moves[..., :2]
        if normalised:
            flows = np.where(alpha[..., None] > 0, flows / alpha[..., None], 0)
    single = (array.astype(np.float32) for array in (colour, alpha, depth, flows, after))
    return SplatImage(*single)
