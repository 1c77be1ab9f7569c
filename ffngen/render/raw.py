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
from ffngen.appearance.development import Development
from ffngen.errors import InputFileError
from ffngen.flow.passes import decode_vector_pass, decode_vector_pass_backward
from ffngen.geometry.camera import Camera
from ffngen.geometry.plane import FacingPlane
from ffngen.render.request import Crop

Float32 = NDArray[np.float32]

#: A pixel that a surface covers less than this is not filled; one at the end of a surface that ends with the picture
#: is covered by more, as the filter reaches 1.5 pixels.
_FILLED = 0.15

#: Cycles writes this depth where a ray meets nothing (1e10).
_NO_SURFACE = 1e9


@dataclass(frozen=True)
class Truth:
    """What is exactly known of one facial frame.

    :param mask: (H, W) bool: pixels whose centre lies on the head.
    :param depth: (H, W) float32, metres; the background plane's depth off the head.
    :param facial_flow: (H, W, 2) float32, pixels, to the next facial frame; the plane's off the head.
    :param head_flow: (H, W, 2) float32, pixels, to the next head-only frame; the plane's off the head.
    """

    mask: NDArray[np.bool_]
    depth: Float32
    facial_flow: Float32
    head_flow: Float32


def _channels(path: Path) -> dict[str, Float32]:
    """All channels by the last two of their names' parts: ``ViewLayer.Vector.X`` is ``Vector.X``."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {".".join(name.split(".")[-2:]): np.asarray(channel.pixels) for name, channel in file.channels().items()}


def read_truth(path: Path, crop: Crop, *, plane: FacingPlane, camera: Camera, later: Camera) -> Truth:
    """The truth of a frame.

    :param plane: what is seen where the head is not.
    :param camera: of this frame.
    :param later: of the frame that the flows lead to.

    The Vector pass points to the next frame and to the previous one (:mod:`ffngen.flow.passes`); the
    render process puts the head-only frame in the previous one's place. Where no
    vertex of a triangle moves, the motion flags make the flow exactly 0; where the head-only frame
    and the facial frame agree, both flows are the same number.
    """
    mask = np.zeros((camera.height, camera.width), dtype=bool)
    depth = plane.depth_in(camera)
    facial_flow = plane.flow(camera, later)
    head_flow = facial_flow.copy()
    if not crop.is_empty:
        channels = _channels(path)
        inside = channels["Depth.Z"] < _NO_SURFACE
        facial_moves, head_moves, differ = ((channels[f"motion_flags.{c}"] != 0) & inside for c in "RGB")
        vector = np.stack([channels[f"Vector.{c}"] for c in "XYZW"], axis=-1)
        facial = decode_vector_pass(vector)
        head = np.where(differ[..., None], decode_vector_pass_backward(vector), facial)
        mask[crop.slices] = inside
        depth[crop.slices] = np.where(inside, channels["Depth.Z"], depth[crop.slices])
        for flow, decoded, moves in ((facial_flow, facial, facial_moves), (head_flow, head, head_moves)):
            on_head = np.where(moves[..., None], decoded, 0)
            flow[crop.slices] = np.where(inside[..., None], on_head, flow[crop.slices])
    return Truth(mask, depth, facial_flow, head_flow)


def read_backplate(path: Path, template: str | None) -> NDArray[np.uint8]:
    """A template's background without the head: (H, W, 3) uint8, sRGB.

    :param template: the .blend, for the message.
    :raises InputFileError: it does not fill the picture.
    """
    channels = _channels(path)
    alpha = channels["Combined.A"].astype(np.float32)
    if alpha.min() < _FILLED:
        mend = "make it larger, and take away what stands before it"
        raise InputFileError("'background' does not fill the picture", where=template, mend=mend)
    light = np.stack([channels[f"Combined.{c}"] for c in "RGB"], axis=-1).astype(np.float32)
    return linear_to_srgb(light / alpha[..., None])


def read_colour(
    path: Path, crop: Crop, background: NDArray[np.uint8], development: Development | None = None, seed: int = 0
) -> NDArray[np.uint8]:
    """The picture: the head over the stationary background, in linear light.

    The render is premultiplied RGBA with transparent surroundings, so that every pixel off the head
    is the background's own code value; where the camera stands still, the same in every frame.

    :param background: (H, W, 3) uint8, sRGB: what the frame's camera sees of the plane.
    :param development: what the camera makes of the light; sRGB values when absent.
    :param seed: of the development's noise.
    :returns: (H, W, 3) uint8, sRGB.
    """
    light = None if development is None or development.is_plain else srgb_to_linear(background)
    image = background.copy()
    if not crop.is_empty:
        channels = _channels(path)
        color = np.stack([channels[f"Combined.{c}"] for c in "RGB"], axis=-1).astype(np.float32)
        alpha = channels["Combined.A"].astype(np.float32)[..., None]
        behind = background[crop.slices]
        over = color + (1.0 - alpha) * srgb_to_linear(behind)
        if light is not None:
            light[crop.slices] = over
        else:
            image[crop.slices] = np.where(alpha > 0, linear_to_srgb(over), behind)
    return image if development is None or light is None else development.develop(light, seed)
