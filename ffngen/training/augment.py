"""Augmentation: one draw says what to do, and does it to images, flows, validity and mask alike.

The draw comes before anything is decoded, so that only the rows that a crop shows are read. Scale, stretch,
crop and flips are one axis-aligned map from a rectangle of the source; brightness, contrast, saturation and hue are
one linear map of the colours. The kinds and their strengths are those of RAFT's and DecFlow's training.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.flow.values import Flow
from ffngen.training.config import AugmentConfig
from ffngen.training.sample import LazySample, Rows, Sample

Rgb = NDArray[np.uint8]
Float32 = NDArray[np.float32]

#: Luma of RGB (ITU-R BT.601), which grey and saturation are measured by.
_LUMA = np.array([0.299, 0.587, 0.114])
#: RGB to YIQ; turning I and Q turns the hue.
_YIQ = np.array([_LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
_RGB_OF_YIQ = np.linalg.inv(_YIQ)


@dataclass(frozen=True)
class Window:
    """Which rectangle of the source is shown, and how. It may reach beyond the source, which is then padded.

    :param x: left column of the rectangle in the source, pixels.
    :param y: top row.
    :param width: of the rectangle, source pixels.
    :param height: of the rectangle, source pixels.
    :param out_width: of what comes out, pixels.
    :param out_height: of what comes out, pixels.
    :param flip_x: mirror left and right.
    :param flip_y: mirror top and bottom.
    :param shift_x: how many source pixels further right the second image is taken from.
    :param shift_y: how many further down.
    """

    x: int
    y: int
    width: int
    height: int
    out_width: int
    out_height: int
    flip_x: bool = False
    flip_y: bool = False
    shift_x: int = 0
    shift_y: int = 0

    @property
    def second(self) -> Window:
        """What is shown of the second image."""
        return replace(self, x=self.x + self.shift_x, y=self.y + self.shift_y, shift_x=0, shift_y=0)

    def rows(self, height: int) -> Rows:
        """The rows of a source of this height that either image needs; at least one."""
        tops = (self.y, self.y + self.shift_y)
        start = min(max(0, min(tops)), height - 1)
        return Rows(start, max(start + 1, min(height, max(tops) + self.height)))


@dataclass(frozen=True)
class Colour:
    """A linear map of RGB 0..255: ``matrix @ rgb + offset``, clipped to 0..255."""

    matrix: NDArray[np.float64]
    offset: NDArray[np.float64]

    def __call__(self, image: Rgb) -> Rgb:
        """Apply it."""
        return np.asarray(cv2.transform(image, np.column_stack([self.matrix, self.offset])), dtype=np.uint8)


@dataclass(frozen=True)
class Augmentation:
    """One draw: what is done to a sample."""

    window: Window
    colours: tuple[Colour, Colour] | None
    #: Rectangles (x, y, width, height) of the second image that take its mean colour.
    erased: tuple[tuple[int, int, int, int], ...]

    def __call__(self, lazy: LazySample) -> Sample:
        """Read what is needed of a sample, and augment it."""
        rows = self.window.rows(lazy.height)
        sample = show(lazy.read(rows), self.window, rows, lazy.height)
        image1, image2 = sample.image1, sample.image2
        if self.colours is not None:
            image1, image2 = self.colours[0](image1), self.colours[1](image2)
        if self.erased:
            image2 = _erase(image2, self.erased)
        return Sample(image1, image2, sample.facial, sample.head, sample.valid, sample.mask)


def draw(
    config: AugmentConfig, size: tuple[int, int], crop: tuple[int, int], rng: np.random.Generator, scale: float = 1
) -> Augmentation:
    """Draw an augmentation.

    :param size: (width, height) of the source's images, pixels.
    :param crop: (width, height) of what comes out, pixels.
    :param scale: how much larger than the source all is shown, before the scale that is drawn.
    """
    window = _draw_window(config, size, crop, rng, scale)
    colours = _draw_colours(config, rng)
    erased = _draw_erased(config, crop, rng) if rng.random() < config.eraser_probability else ()
    return Augmentation(window, colours, erased)


def centre_crop(size: tuple[int, int], crop: tuple[int, int], scale: float = 1) -> Augmentation:
    """No augmentation: the middle of the image, or all of it with padding around."""
    parts = [max(2, round(side / scale)) for side in crop]
    x, y = ((side - part) // 2 for side, part in zip(size, parts, strict=True))
    return Augmentation(Window(x, y, parts[0], parts[1], *crop), None, ())


def _draw_window(
    config: AugmentConfig, size: tuple[int, int], crop: tuple[int, int], rng: np.random.Generator, scale: float
) -> Window:
    scales = [scale, scale]
    if rng.random() < config.spatial_probability:
        scale *= 2.0 ** rng.uniform(config.min_scale, config.max_scale)
        scales = [scale, scale]
        if rng.random() < config.stretch_probability:
            scales = [scale * 2.0 ** rng.uniform(-config.max_stretch, config.max_stretch) for _ in range(2)]
    # The rectangle has whole pixels, so the scale that is meant becomes one that is exact.
    width, height = (max(2, round(part / scale)) for part, scale in zip(crop, scales, strict=True))
    parts = (width, height)
    x, y = (_offset(side, part, rng) for side, part in zip(size, parts, strict=True))
    flip_x = bool(rng.random() < config.flip_x_probability)
    flip_y = bool(rng.random() < config.flip_y_probability)
    shifts = [0, 0]
    if rng.random() < config.shift_probability:
        shifts = [
            _shift(side, part, at, config.max_shift, rng) for side, part, at in zip(size, parts, (x, y), strict=True)
        ]
    return Window(x, y, width, height, *crop, flip_x, flip_y, *shifts)


def _shift(side: int, part: int, at: int, most: int, rng: np.random.Generator) -> int:
    """By how much the second image's part of a side lies elsewhere: within the source where it fits there."""
    shift = int(rng.integers(-most, most + 1))
    return shift if part > side else min(max(at + shift, 0), side - part) - at


def _offset(side: int, part: int, rng: np.random.Generator) -> int:
    """Where a part of a side begins: anywhere that fits; in the middle, outside the source, where none does."""
    if part > side:
        return -((part - side) // 2)
    return int(rng.integers(0, side - part + 1))


def show(sample: Sample, window: Window, rows: Rows, height: int) -> Sample:
    """What a window shows of a sample.

    Flow is scaled, mirrored and shifted with the images. Where the window reaches beyond the source, colours are the
    border's and nothing is valid; a pixel whose flow would be interpolated from an invalid one is invalid, too.

    :param sample: the rows ``rows`` of the source alone.
    :param height: the source's height.
    """
    size = (window.out_width, window.out_height)
    scale = np.array([window.out_width / window.width, window.out_height / window.height], dtype=np.float32)
    sign = np.array([-1 if window.flip_x else 1, -1 if window.flip_y else 1], dtype=np.float32)
    shift = -scale * sign * np.array([window.shift_x, window.shift_y], dtype=np.float32)
    part, border = _part(window, rows, sample.valid.shape[1], height)

    def flow(array: Flow, valid: NDArray[np.bool_]) -> Flow:
        shown = _padded(array[part], border, cv2.BORDER_CONSTANT)
        # A new array even where nothing is resized, as it is changed in place.
        shown = np.array(shown) if shown.shape[:2] == (size[1], size[0]) else _resized(shown, size)
        shown = _flipped(shown, window)
        for channel, (factor, offset) in enumerate(zip(scale * sign, shift, strict=True)):
            if factor != 1:
                shown[..., channel] *= factor
            if offset != 0:
                shown[..., channel] += offset
        if not valid.all():
            shown[~valid] = 0
        return np.asarray(shown, dtype=np.float32)

    if sample.valid.all() and not any(border):
        valid = np.ones((size[1], size[0]), dtype=bool)
    else:
        weight = _padded(sample.valid[part].astype(np.float32), border, cv2.BORDER_CONSTANT)
        valid = _resized(weight, size) >= 1 - 1e-6
    _leave_out_clamped(valid, scale)
    valid = _flipped(valid.view(np.uint8), window).view(bool)
    mask = _padded(sample.mask[part].view(np.uint8), border, cv2.BORDER_CONSTANT)
    if mask.shape != (size[1], size[0]):
        mask = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
    return Sample(
        _show_image(sample.image1, window, rows, height),
        _show_image(sample.image2, window.second, rows, height),
        flow(sample.facial, valid),
        None if sample.head is None else flow(sample.head, valid),
        valid,
        _flipped(mask, window) > 0,
    )


def _show_image(image: Rgb, window: Window, rows: Rows, height: int) -> Rgb:
    part, border = _part(window, rows, image.shape[1], height)
    shown = _padded(image[part], border, cv2.BORDER_REPLICATE)
    return np.asarray(_flipped(_resized(shown, (window.out_width, window.out_height)), window), dtype=np.uint8)


def _part(window: Window, rows: Rows, width: int, height: int) -> tuple[tuple[slice, slice], tuple[int, int, int, int]]:
    """The part of some rows of a source that a window shows, and what it lacks at top, bottom, left and right."""
    starts, stops, borders = [], [], []
    for at, length, side in ((window.y, window.height, height), (window.x, window.width, width)):
        # At least one row and column is shown: there must be a border to repeat.
        start = min(max(0, at), side - 1)
        stop = max(start + 1, min(side, at + length))
        starts.append(start)
        stops.append(stop)
        borders += [max(0, -at), max(0, at + length - side)]
    missing = [
        length - (stop - start)
        for start, stop, length in zip(starts, stops, (window.height, window.width), strict=True)
    ]
    border = []
    for axis in (0, 1):
        before = min(borders[2 * axis], missing[axis])
        border += [before, missing[axis] - before]
    part = (slice(starts[0] - rows.start, stops[0] - rows.start), slice(starts[1], stops[1]))
    return part, (border[0], border[1], border[2], border[3])


def _leave_out_clamped(valid: NDArray[np.bool_], scale: Float32) -> None:
    """Where an image is enlarged, its outermost pixels lie beyond the centres of the source's; they are clamped."""
    for axis, factor in ((1, scale[0]), (0, scale[1])):
        if factor > 1:
            clamped = math.ceil((float(factor) - 1) / 2)
            edges = valid if axis == 0 else valid.T
            edges[:clamped] = edges[len(edges) - clamped :] = False


def _padded(array: NDArray[Any], border: tuple[int, int, int, int], kind: int) -> NDArray[Any]:
    return np.asarray(cv2.copyMakeBorder(array, *border, kind)) if any(border) else array


def _resized(array: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if array.shape[:2] == (size[1], size[0]):
        return array
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_LINEAR))


def _flipped(array: NDArray[Any], window: Window) -> NDArray[Any]:
    if window.flip_x or window.flip_y:
        array = cv2.flip(array, -1 if window.flip_x and window.flip_y else int(window.flip_x))
    return array


def _draw_colours(config: AugmentConfig, rng: np.random.Generator) -> tuple[Colour, Colour] | None:
    if not (config.brightness or config.contrast or config.saturation or config.hue):
        return None
    first = _draw_colour(config, rng)
    second = _draw_colour(config, rng) if rng.random() < config.asymmetric_probability else first
    return first, second


def _draw_colour(config: AugmentConfig, rng: np.random.Generator) -> Colour:
    brightness, contrast, saturation = (
        rng.uniform(1 - strength, 1 + strength) for strength in (config.brightness, config.contrast, config.saturation)
    )
    angle = 2 * np.pi * rng.uniform(-config.hue, config.hue)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    hue = _RGB_OF_YIQ @ turn @ _YIQ
    grey = np.tile(_LUMA, (3, 1))
    matrix = brightness * contrast * (saturation * np.eye(3) + (1 - saturation) * grey) @ hue
    # Contrast is measured from middle grey: an image's own mean would need all of it.
    offset = np.full(3, 127.5 * (1 - contrast))
    return Colour(matrix, offset)


def _draw_erased(
    config: AugmentConfig, crop: tuple[int, int], rng: np.random.Generator
) -> tuple[tuple[int, int, int, int], ...]:
    low, high = config.eraser_side
    count = int(rng.integers(1, config.eraser_count + 1))
    corners = rng.integers(0, crop, (count, 2)).tolist()
    sides = rng.integers(low, high, (count, 2)).tolist()
    return tuple((x, y, width, height) for (x, y), (width, height) in zip(corners, sides, strict=True))


def _erase(image: Rgb, rectangles: tuple[tuple[int, int, int, int], ...]) -> Rgb:
    image = np.array(image)
    mean = np.array(cv2.mean(image)[:3]).round().astype(np.uint8)
    for x, y, width, height in rectangles:
        image[y : y + height, x : x + width] = mean
    return image
