"""The worst pairs as pictures: true and estimated motion of the points, in image 1 and where they end in image 2."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ffngen.metrics.point_errors import inside_picture, sample_flow
from ffngen.realworld.evaluate import Pictured

Rgb = NDArray[np.uint8]
Array64 = NDArray[np.float64]

_SIDE, _GAP, _TITLE, _LEGEND = 560, 8, 34, 26
_BACKGROUND, _INK = (24, 24, 27), (236, 236, 240)
_TRUE, _FOUND, _START = (70, 225, 110), (255, 95, 60), (90, 200, 255)
#: More arrows than that hide each other.
_MOST = 160
#: Drawn at twice the size and halved: lines are smooth.
_FINE = 2


def draw_points(item: Pictured, method: str) -> Rgb:
    """Image 1 with arrows, image 2 with the true and the estimated ends; both show the face.

    :returns: (H, W, 3) uint8 RGB.
    """
    start, motion, found = _drawn(item)
    box = _box(np.concatenate([start, start + motion]), item.images[0])
    scale = _FINE * _SIDE / (box[2] - box[0])
    cells = [_crop(image, box) for image in item.images]
    arrows, ends = (ImageDraw.Draw(cell) for cell in cells)
    for point, true, estimate in zip(start, motion, found, strict=True):
        place, tip, guess = ((where - box[:2]) * scale for where in (point, point + true, point + estimate))
        _arrow(arrows, place, tip, _TRUE)
        _arrow(arrows, place, guess, _FOUND)
        _dot(arrows, place, _START, 2)
        ends.line([*tip, *guess], fill=_FOUND, width=_FINE)
        _dot(ends, guess, _FOUND, 2)
        _dot(ends, tip, _TRUE, 3)
    sheet = Image.new("RGB", (2 * _SIDE + 3 * _GAP, _TITLE + _SIDE + _LEGEND), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    title = f"{method}   {item.pair.name}   facial flow, EPE {item.error:.2f} px"
    draw.text((_GAP, _TITLE / 2), title, _INK, ImageFont.load_default(16), anchor="lm")
    for column, cell in enumerate(cells):
        sheet.paste(cell.resize((_SIDE, _SIDE), Image.Resampling.BOX), (_GAP + column * (_SIDE + _GAP), _TITLE))
    few = f" ({len(start)} of its points)" if len(start) == _MOST else ""
    _legend(draw, _GAP, [(_TRUE, "true motion"), (_FOUND, "estimated"), (_START, f"point in image 1{few}")])
    _legend(draw, 2 * _GAP + _SIDE, [(_TRUE, "true place in image 2"), (_FOUND, "where the flow leads")])
    return np.array(sheet)


def _drawn(item: Pictured) -> tuple[Array64, Array64, Array64]:
    """Start, true and estimated motion of the points that are drawn: (P, 2) each."""
    points = item.points
    found, valid = sample_flow(item.estimate.facial, points.start)
    height, width = item.images[0].shape[:2]
    measured = np.flatnonzero(points.counted["facial"] & valid & inside_picture(points.start, width, height))
    if len(measured) > _MOST:
        measured = measured[np.linspace(0, len(measured) - 1, _MOST).round().astype(np.int64)]
    return points.start[measured], points.motion["facial"][measured], found[measured]


def _box(places: Array64, image: Rgb) -> Array64:
    """A square around the points, as left, top, right, bottom; pixels."""
    low, high = places.min(axis=0), places.max(axis=0)
    side = min(max(*(high - low), 8.0) * 1.25, 4.0 * max(image.shape[:2]))
    left, top = (low + high - side) / 2
    return np.array([left, top, left + side, top + side])


def _crop(image: Rgb, box: Array64) -> Image.Image:
    """What a box shows; a pixel's centre is a whole number, as everywhere."""
    side = _SIDE * _FINE
    scale = (box[2] - box[0]) / side
    # Pillow counts from the corner of the first pixel.
    left, top = box[:2] + 0.5
    picture = Image.fromarray(np.ascontiguousarray(image))
    how = Image.Resampling.BILINEAR
    return picture.transform((side, side), Image.Transform.AFFINE, (scale, 0, left, 0, scale, top), how)


def _arrow(draw: ImageDraw.ImageDraw, start: Array64, end: Array64, colour: tuple[int, int, int]) -> None:
    draw.line([*start, *end], fill=colour, width=_FINE)
    length = float(np.hypot(*(end - start)))
    if length < 1:
        return
    along = (end - start) / length
    across = np.array([-along[1], along[0]])
    head = min(7.0 * _FINE, length / 2)
    for side in (1, -1):
        draw.line([*end, *(end - head * along + side * head * 0.45 * across)], fill=colour, width=_FINE)


def _dot(draw: ImageDraw.ImageDraw, place: Array64, colour: tuple[int, int, int], radius: float) -> None:
    reach = radius * _FINE
    draw.ellipse([*(place - reach), *(place + reach)], fill=colour)


def _legend(draw: ImageDraw.ImageDraw, left: float, entries: list[tuple[tuple[int, int, int], str]]) -> None:
    font = ImageFont.load_default(13)
    middle = _TITLE + _SIDE + _LEGEND / 2
    for colour, text in entries:
        draw.ellipse([left, middle - 5, left + 10, middle + 5], fill=colour)
        draw.text((left + 15, middle), text, _INK, font, anchor="lm")
        left += 30 + draw.textlength(text, font)
