"""Pixels from splats, by one of several rasterisers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from ffngen.extras import require
from ffngen.splat.flow import RayDepth, SplatMotion
from ffngen.splat.image import SplatImage, image_of
from ffngen.splat.projection import Splats

Backend = Literal["fast", "reference", "gsplat"]


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
    :param normalised: as for :func:`ffngen.splat.image.image_of`.
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
    return image_of(blend(splats, rays, list(motions)), normalised=normalised)
