"""One picture that shows a sequence: images, flows, mask and depth of a few of its pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ffngen.flow.color import flow_legend, flow_to_rgb
from ffngen.flow.values import Flow, known

Rgb = NDArray[np.uint8]

_BACKGROUND, _INK, _FAINT = (24, 24, 27), (236, 236, 240), (150, 150, 158)
_GAP, _HEADER, _TITLE = 8, 26, 44
_COLUMNS = (
    "image t",
    "image t+1",
    "head-only image t+1",
    "facial flow",
    "head flow",
    "expression flow",
    "mask",
    "depth",
)


@dataclass(frozen=True)
class SheetPair:
    """What the sheet shows of one pair; arrays as in :class:`ffngen.dataset.read.Pair`.

    :param frame: t.
    """

    frame: int
    image1: Rgb
    image2: Rgb
    head_image2: Rgb
    facial_flow: Flow
    head_flow: Flow
    mask: NDArray[np.uint8]
    depth: NDArray[np.float32]


def shown_frames(pair_frames: Sequence[int]) -> list[int]:
    """The pairs that a sheet shows: the first, the middle and the last."""
    count = len(pair_frames)
    return [pair_frames[index] for index in sorted({0, (count - 1) // 2, count - 1})]


def contact_sheet(pairs: Sequence[SheetPair], title: str, cell: int = 240) -> Rgb:
    """Draw the sheet: one row per pair, one column per output.

    Facial and head flow share one scale, so that they can be compared; the expression flow, which is often much
    smaller, has its own. Each scale is the longest motion shown, and is written beside the legend.

    :param pairs: at least one.
    :param title: written at the top.
    :param cell: the longer side of each picture, pixels.
    :returns: (H, W, 3) uint8 RGB.
    """
    scales = _scales(pairs)
    rows = [(f"t = {pair.frame}", _pictures(pair, scales)) for pair in pairs]
    return draw_grid(title, _COLUMNS, scales, rows, cell)


def draw_grid(
    title: str,
    columns: Sequence[str],
    scales: Sequence[float | None],
    rows: Sequence[tuple[str, Sequence[Rgb]]],
    cell: int = 240,
) -> Rgb:
    """Draw pictures of one size in rows and columns.

    :param title: written at the top.
    :param columns: the name of each.
    :param scales: for a column of flows, the length of the fullest colour, pixels; None for others.
    :param rows: at least one: its name, and a picture (H, W, 3) uint8 RGB for each column.
    :param cell: the longer side of each picture, pixels.
    :returns: (H, W, 3) uint8 RGB.
    """
    height, width = rows[0][1][0].shape[:2]
    shrink = cell / max(height, width)
    size = (max(round(width * shrink), 1), max(round(height * shrink), 1))
    step_x, step_y = size[0] + _GAP, size[1] + _GAP
    left, top = _GAP + 64, _TITLE + _HEADER
    sheet = Image.new("RGB", (left + step_x * len(columns), top + step_y * len(rows)), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP + 4, _TITLE / 2), title, _INK, _font(18), anchor="lm")
    for column, (name, scale) in enumerate(zip(columns, scales, strict=True)):
        place = (left + column * step_x + size[0] / 2, _TITLE + _HEADER / 2)
        draw.text(place, name, _INK, _font(14), anchor="mm")
        if scale is not None:
            _draw_legend(sheet, (left + column * step_x + size[0] - 2, _TITLE - 2), scale)
    for row, (name, pictures) in enumerate(rows):
        y = top + row * step_y
        draw.text((left - _GAP, y + size[1] / 2), name, _INK, _font(14), anchor="rm")
        for column, picture in enumerate(pictures):
            sheet.paste(_resized(picture, size), (left + column * step_x, y))
    return np.array(sheet)


def _expression(pair: SheetPair) -> Flow:
    valid = known(pair.facial_flow) & known(pair.head_flow)
    return np.where(valid[..., None], pair.facial_flow - pair.head_flow, np.float32(np.nan)).astype(np.float32)


def _scales(pairs: Sequence[SheetPair]) -> tuple[float | None, ...]:
    """The longest motion of each flow column, pixels; None for the other columns."""
    whole = max(max(longest(pair.facial_flow), longest(pair.head_flow)) for pair in pairs)
    expression = max(longest(_expression(pair)) for pair in pairs)
    return (None, None, None, whole, whole, expression, None, None)


def longest(flow: Flow) -> float:
    """The longest known motion of a flow (H, W, 2), pixels."""
    moved = flow[known(flow)]
    return float(np.hypot(moved[:, 0], moved[:, 1]).max(initial=0))


def _pictures(pair: SheetPair, scales: tuple[float | None, ...]) -> list[Rgb]:
    flows = (pair.facial_flow, pair.head_flow, _expression(pair))
    colours = [flow_to_rgb(flow, scale) for flow, scale in zip(flows, scales[3:6], strict=True)]
    mask = np.repeat((pair.mask != 0).astype(np.uint8)[..., None] * 255, 3, axis=-1)
    return [pair.image1, pair.image2, pair.head_image2, *colours, mask, _depth_picture(pair.depth, pair.mask)]


def _depth_picture(depth: NDArray[np.float32], mask: NDArray[np.uint8]) -> Rgb:
    """Grey, near is bright; the range is the head's, and what lies behind it is black."""
    head = (mask != 0) & np.isfinite(depth)
    if not head.any():
        return np.zeros((*depth.shape, 3), dtype=np.uint8)
    near, far = float(depth[head].min()), float(depth[head].max())
    grey = np.where(head, 255 - 200 * (depth - near) / max(far - near, 1e-9), 0)
    return np.repeat(np.nan_to_num(grey).astype(np.uint8)[..., None], 3, axis=-1)


def _resized(picture: Rgb, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.BOX)


def _draw_legend(sheet: Image.Image, corner: tuple[int, int], scale: float) -> None:
    """A colour disc whose lower right corner is at ``corner``, and the length of its radius."""
    side = _TITLE - 8
    x, y = corner[0] - side, corner[1] - side
    disc = Image.fromarray(flow_legend(side, _BACKGROUND[0]))
    sheet.paste(disc, (x, y))
    text = f"radius {scale:.3g} px"
    ImageDraw.Draw(sheet).text((x - 6, y + side / 2), text, _FAINT, _font(13), anchor="rm")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
