"""The worst pairs as pictures: true flow, estimate and error, for each flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ffngen.evaluation.evaluate import FLOWS, Pictured
from ffngen.flow.color import error_map, flow_to_rgb
from ffngen.metrics.flow_errors import endpoint_error

Rgb = NDArray[np.uint8]

_CELL, _GAP, _TITLE, _HEADER = 224, 6, 34, 22
_COLUMNS = 4
_BACKGROUND, _INK = (24, 24, 27), (236, 236, 240)


def draw_pair(item: Pictured, estimator: str) -> Rgb:
    """A row for each flow that was estimated: an image, the true flow, the estimate on the same scale, the error.

    :returns: (H, W, 3) uint8 RGB.
    """
    pair = item.pair
    true = {"facial": pair.facial_flow, "head": pair.head_flow, "expression": pair.expression_flow}
    images = [pair.image1, pair.image2, pair.head_image2]
    rows = [(name, getattr(item.estimate, name)) for name in FLOWS if getattr(item.estimate, name) is not None]
    mask = pair.mask > 0
    step = _CELL + _GAP
    sheet = Image.new("RGB", (_GAP + step * _COLUMNS, _TITLE + (step + _HEADER) * len(rows)), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    title = f"{estimator}   {pair.metadata.key.sequence}   t = {pair.frame}   facial EPE {item.error:.3f} px"
    draw.text((_GAP + 2, _TITLE / 2), title, _INK, ImageFont.load_default(16), anchor="lm")
    for row, (name, estimate) in enumerate(rows):
        scale = float(np.linalg.norm(true[name][mask], axis=-1).max(initial=1e-6))
        error = np.where(mask, endpoint_error(estimate, true[name]), 0)
        pictures = (
            images[row],
            flow_to_rgb(true[name], scale),
            flow_to_rgb(np.where(mask[..., None], estimate, 0), scale),
            error_map(error, scale),
        )
        texts = (
            ("image t", "image t+1", "head-only image t+1")[row],
            f"true {name} flow, radius {scale:.2g} px",
            "estimate, on the head",
            f"error, mean {error[mask].mean() if mask.any() else 0:.3f}, white {scale:.2g} px",
        )
        top = _TITLE + row * (step + _HEADER)
        for column, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
            left = _GAP + column * step
            draw.text((left, top + _HEADER / 2), text, _INK, ImageFont.load_default(12), anchor="lm")
            sheet.paste(_fitted(picture), (left, top + _HEADER))
    return np.array(sheet)


def _fitted(picture: Rgb) -> Image.Image:
    height, width = picture.shape[:2]
    shrink = _CELL / max(height, width)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    how = Image.Resampling.BOX if shrink < 1 else Image.Resampling.NEAREST
    image = Image.new("RGB", (_CELL, _CELL), _BACKGROUND)
    resized = Image.fromarray(np.ascontiguousarray(picture)).resize(size, how)
    image.paste(resized, ((_CELL - size[0]) // 2, (_CELL - size[1]) // 2))
    return image
