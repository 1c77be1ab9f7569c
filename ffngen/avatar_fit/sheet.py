"""Held-out pictures beside what the avatar showed before and after the fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ffngen.avatar_fit.judge import Score

Rgb = NDArray[np.uint8]
Array32 = NDArray[np.float32]

_CELL, _GAP, _HEADER = 256, 6, 24
_BACKGROUND, _INK = (24, 24, 27), (236, 236, 240)
#: A difference of a quarter of the range is white.
_GAIN = 4.0


@dataclass(frozen=True, eq=False)
class SheetRow:
    """One view: pictures (H, W, 3) float32 sRGB, 0 to 1, and how near the two are to the truth."""

    name: str
    truth: Array32
    before: Array32
    after: Array32
    scores: tuple[Score, Score]


def draw_sheet(rows: Sequence[SheetRow]) -> Rgb:
    """(H, W, 3) uint8: a row for each view: truth, before, after, and the difference of the last from the truth."""
    step = _CELL + _GAP
    sheet = Image.new("RGB", (_GAP + 4 * step, len(rows) * (step + _HEADER) + _GAP), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        before, after = row.scores
        difference = np.clip(_GAIN * np.abs(row.after - row.truth), 0, 1)
        texts = (
            row.name,
            f"before: head {before.psnr_head:.1f} dB",
            f"after: head {after.psnr_head:.1f} dB",
            f"difference, times {_GAIN:.0f}",
        )
        top = number * (step + _HEADER) + _GAP
        for column, (picture, text) in enumerate(
            zip((row.truth, row.before, row.after, difference), texts, strict=True)
        ):
            left = _GAP + column * step
            draw.text((left, top + _HEADER / 2 - 2), text[:42], _INK, ImageFont.load_default(12), anchor="lm")
            sheet.paste(_fitted(picture), (left, top + _HEADER))
    return np.array(sheet)


def _fitted(picture: Array32) -> Image.Image:
    height, width = picture.shape[:2]
    shrink = _CELL / max(height, width)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    how = Image.Resampling.BOX if shrink < 1 else Image.Resampling.NEAREST
    image = Image.new("RGB", (_CELL, _CELL), _BACKGROUND)
    resized = Image.fromarray(np.uint8(np.rint(255 * np.clip(picture, 0, 1)))).resize(size, how)
    image.paste(resized, ((_CELL - size[0]) // 2, (_CELL - size[1]) // 2))
    return image
