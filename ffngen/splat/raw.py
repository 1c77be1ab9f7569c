"""A rasterised picture as the raw files of a render process: the passes, names and signs that Blender's have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
from numpy.typing import NDArray

from ffngen.appearance.colour import srgb_to_linear
from ffngen.flow.passes import encode_vector_pass
from ffngen.render.request import Crop
from ffngen.splat.image import SplatImage
from ffngen.splat.projection import Splats, reach

#: The depth of a pixel that shows no surface, as Cycles writes it.
_NO_SURFACE = np.float32(1e10)
#: Pixels: what moves by less stands still, and float64 has rounded.
_STILL = 1e-9


def crop_of(splats: Splats) -> Crop:
    """The rectangle of the image that splats reach."""
    width, height = splats.camera.width, splats.camera.height
    if not len(splats):
        return Crop(0, 0, 0, 0)
    half = reach(splats.planar, splats.opacities)
    low = np.floor((splats.pixels - half).min(axis=0))
    high = np.ceil((splats.pixels + half).max(axis=0)) + 1
    x0, y0 = (int(np.clip(value, 0, size)) for value, size in zip(low, (width, height), strict=True))
    x1, y1 = (int(np.clip(value, 0, size)) for value, size in zip(high, (width, height), strict=True))
    return Crop(x0, y0, x1, y1)


def write_colour(path: Path, image: SplatImage, crop: Crop) -> None:
    """``Combined``: linear light times alpha, and alpha. Gaussians are blended as sRGB values, as avatars are trained.

    :raises OSError: it cannot be written.
    """
    alpha = image.alpha[crop.slices]
    with np.errstate(divide="ignore", invalid="ignore"):
        own = np.where(alpha[..., None] > 0, image.colour[crop.slices] / alpha[..., None], 0)
    light = srgb_to_linear(np.rint(np.clip(own, 0, 1) * 255).astype(np.uint8)) * alpha[..., None]
    channels = dict(zip("RGBA", [*np.moveaxis(light, 2, 0), alpha], strict=True))
    _write(path, {f"Combined.{name}": channel for name, channel in channels.items()})


def write_truth(path: Path, image: SplatImage, crop: Crop) -> None:
    """``Depth``, ``Vector`` and the motion flags: whether facial and head-only flow are not 0, and whether they differ.

    :param image: with facial and head-only flow, or, of a last frame, with none.
    :raises OSError: it cannot be written.
    """
    mask = image.mask[crop.slices]
    still = np.zeros((2, *image.alpha.shape, 2), dtype=np.float32)
    facial, head = (image.flows if len(image.flows) else still)[:, crop.slices[0], crop.slices[1]]
    flags = [np.abs(flow).max(axis=-1) > _STILL for flow in (facial, head, facial - head)]
    vector = encode_vector_pass(facial, head)
    channels: dict[str, Any] = {"Depth.Z": np.where(mask, image.depth[crop.slices], _NO_SURFACE)}
    channels |= {f"Vector.{name}": vector[..., i] for i, name in enumerate("XYZW")}
    channels |= {f"motion_flags.{name}": flag for name, flag in zip("RGB", flags, strict=True)}
    _write(path, channels)


def _write(path: Path, channels: dict[str, NDArray[Any]]) -> None:
    header = {"compression": OpenEXR.NO_COMPRESSION, "type": OpenEXR.scanlineimage}
    layers = {f"splat.{name}": np.ascontiguousarray(channel, dtype=np.float32) for name, channel in channels.items()}
    OpenEXR.File(header, layers).write(str(path))
