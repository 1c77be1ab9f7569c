"""Reading what a render process wrote: Blender's multilayer EXR files, placed in the full frame.

These files are our own process's; they are read as trusted and deleted afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import OpenEXR
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb, srgb_to_linear
from ffngen.flow.passes import decode_vector_pass, decode_vector_pass_backward
from ffngen.render.request import Crop

Float32 = NDArray[np.float32]

#: Cycles writes this depth where a ray meets nothing (1e10).
_NO_SURFACE = 1e9


@dataclass(frozen=True)
class Truth:
    """What is exactly known of one facial frame.

    :param mask: (H, W) bool: pixels whose centre lies on the head.
    :param depth: (H, W) float32, metres; the background plane's depth off the head.
    :param facial_flow: (H, W, 2) float32, pixels, to the next facial frame; 0 off the head.
    :param head_flow: (H, W, 2) float32, pixels, to the next head-only frame; 0 off the head.
    """

    mask: NDArray[np.bool_]
    depth: Float32
    facial_flow: Float32
    head_flow: Float32


def _channels(path: Path) -> dict[str, Float32]:
    """All channels by the last two of their names' parts: ``ViewLayer.Vector.X`` is ``Vector.X``."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {".".join(name.split(".")[-2:]): np.asarray(channel.pixels) for name, channel in file.channels().items()}


def read_truth(path: Path, crop: Crop, *, width: int, height: int, background_depth: float) -> Truth:
    """The truth of a frame.

    The Vector pass points to the next frame and to the previous one (:mod:`ffngen.flow.passes`); the
    render process puts the head-only frame in the previous one's place. Where no
    vertex of a triangle moves, the motion flags make the flow exactly 0; where the head-only frame
    and the facial frame agree, both flows are the same number.
    """
    mask = np.zeros((height, width), dtype=bool)
    depth = np.full((height, width), background_depth, dtype=np.float32)
    facial_flow = np.zeros((height, width, 2), dtype=np.float32)
    head_flow = np.zeros((height, width, 2), dtype=np.float32)
    if not crop.is_empty:
        channels = _channels(path)
        inside = channels["Depth.Z"] < _NO_SURFACE
        facial_moves, head_moves, differ = ((channels[f"motion_flags.{c}"] != 0) & inside for c in "RGB")
        vector = np.stack([channels[f"Vector.{c}"] for c in "XYZW"], axis=-1)
        facial = decode_vector_pass(vector)
        head = np.where(differ[..., None], decode_vector_pass_backward(vector), facial)
        mask[crop.slices] = inside
        depth[crop.slices] = np.where(inside, channels["Depth.Z"], depth[crop.slices])
        facial_flow[crop.slices] = np.where(facial_moves[..., None], facial, 0)
        head_flow[crop.slices] = np.where(head_moves[..., None], head, 0)
    return Truth(mask, depth, facial_flow, head_flow)


def read_colour(path: Path, crop: Crop, background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture: the head over the stationary background, in linear light.

    The render is premultiplied RGBA with transparent surroundings, so that every pixel off the head
    is the background's own code value, in every frame the same.

    :param background: (H, W, 3) uint8, sRGB.
    :returns: (H, W, 3) uint8, sRGB.
    """
    image = background.copy()
    if not crop.is_empty:
        channels = _channels(path)
        color = np.stack([channels[f"Combined.{c}"] for c in "RGB"], axis=-1).astype(np.float32)
        alpha = channels["Combined.A"].astype(np.float32)[..., None]
        behind = background[crop.slices]
        over = linear_to_srgb(color + (1.0 - alpha) * srgb_to_linear(behind))
        image[crop.slices] = np.where(alpha > 0, over, behind)
    return image
