"""Small pictures of parameter sets: plain shaded heads, by ray casting, so that many are drawn in seconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ffngen.dataset.raycast import cast_frame
from ffngen.head.model import HeadModel
from ffngen.motion.sequence import make_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.parameter_set import ParameterSet
from ffngen.scene.framing import Framing, fit_camera

Rgb = NDArray[np.uint8]

_BACKGROUND, _INK = (24, 24, 27), (236, 236, 240)
_SKIN = np.array([222, 190, 170], dtype=np.float64)
#: Camera coordinates: from the left, above, and before the face.
_LIGHT = np.array([-0.4, -0.5, -0.77])
_AMBIENT = 0.25
_CAPTION, _GAP = 16, 4


def thumbnail_sheet(
    model: HeadModel,
    sets: Sequence[ParameterSet],
    *,
    size: int = 160,
    columns: int = 8,
    progress: Callable[[int], None] = lambda done: None,
) -> Rgb:
    """One picture with a shaded head per set, each with its identity and emotion.

    :param size: of one head, pixels.
    :returns: (H, W, 3) uint8 sRGB.
    :raises HeadModelError: a set does not fit the model.
    :raises MissingPackageError: embreex is not installed.
    """
    heads, captions = [], []
    for i, one in enumerate(sets):
        heads.append(shaded_head(model, one, size))
        number = "" if one.frame is None else f" {one.frame}"
        captions.append(f"{one.identity[-14:]}{number} {one.emotion}")
        progress(i + 1)
    return captioned_sheet(heads, captions, columns=columns)


def captioned_sheet(pictures: Sequence[Rgb], captions: Sequence[str], *, columns: int) -> Rgb:
    """One picture of many of one size, (h, w, 3) uint8, in rows, each with a line of text below it."""
    size_y, size_x = pictures[0].shape[:2]
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    width, height = columns * (size_x + _GAP) + _GAP, rows * (size_y + _CAPTION + _GAP) + _GAP
    sheet = Image.new("RGB", (width, height), _BACKGROUND)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for i, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        x, y = _GAP + i % columns * (size_x + _GAP), _GAP + i // columns * (size_y + _CAPTION + _GAP)
        sheet.paste(Image.fromarray(picture), (x, y))
        draw.text((x, y + size_y + 1), _fitted(caption, font, size_x), fill=_INK, font=font)
    return np.asarray(sheet)


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> str:
    while text and font.getlength(text) > width:
        text = text[:-1]
    return text


def shaded_head(model: HeadModel, parameters: ParameterSet, size: int) -> Rgb:
    """(size, size, 3) uint8: the set's face from the front, with one light."""
    # The last frame of any interpolated motion is the set itself.
    facial, _ = sequence_vertices(model, make_sequence(parameters, 2))
    vertices = facial[-1:] - parameters.translation.astype(np.float32)
    camera = fit_camera(vertices, Framing(0.92, 0.92, (0.0, 0.0)), width=size, height=size, distance=0.7)
    frame = cast_frame(vertices[0], model.faces, camera)
    corners = camera.to_camera(vertices[0])
    normals = np.zeros_like(corners)
    a, b, c = (corners[model.faces[:, k]] for k in range(3))
    facing = np.cross(b - a, c - a)
    for k in range(3):
        np.add.at(normals, model.faces[:, k], facing)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    hit = frame.hit
    at = model.faces[frame.triangle[hit]]
    normal = np.einsum("pc,pcx->px", frame.barycentric[hit], normals[at])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    lit = _AMBIENT + (1 - _AMBIENT) * np.clip(normal @ (_LIGHT / np.linalg.norm(_LIGHT)), 0, 1)
    picture = np.full((size, size, 3), _BACKGROUND, dtype=np.float64)
    picture[hit] = _SKIN * lit[:, None]
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
