"""Flow of images that are too large for memory: tile by tile, blended where tiles overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import JobError
from ffngen.flow.values import Flow
from ffngen.models.coordinates import STRIDE
from ffngen.models.model import FlowModel
from ffngen.models.output import Flows

#: What a pair takes on the fast path for each pixel of an image, with room to spare: tests/bench/models.py measured
#: 240 at 1024 x 1024.
BYTES_PER_PIXEL = 400

_MIN_TILE = 256


def tiled(
    model: FlowModel,
    image1: NDArray[np.uint8],
    image2: NDArray[np.uint8],
    memory_gib: float | None,
) -> Flows:
    """The flows of two images within a bound on memory.

    Tiles overlap by a quarter and are blended linearly. Motion out of a tile is found only as far as the network
    extrapolates, so the bound should leave tiles much larger than the motion.

    :param image1: (H, W, 3) uint8, RGB.
    :param image2: the same size.
    :param memory_gib: the most that a tile may take, GiB; None takes the images whole.
    :raises JobError: the bound leaves no room for a tile of 256 pixels.
    """
    height, width = image1.shape[:2]
    per_pixel = bytes_per_pixel(model)
    if memory_gib is None or height * width * per_pixel <= memory_gib * 2**30:
        return model(image1, image2)
    side = int((memory_gib * 2**30 / per_pixel) ** 0.5) // STRIDE * STRIDE
    if side < _MIN_TILE:
        least = _MIN_TILE**2 * per_pixel / 2**30
        raise JobError(f"{memory_gib:g} GiB are too few for a tile", where="memory", mend=f"allow {least:.2g} or more")
    sums: list[Flow | None] = [None, None, None]
    weights = np.zeros((height, width, 1), dtype=np.float32)
    for rows in spans(height, side):
        for columns in spans(width, side):
            weight = _weight(rows, height)[:, None] * _weight(columns, width)
            weights[rows, columns, 0] += weight
            flows = model(image1[rows, columns], image2[rows, columns])
            for i, flow in enumerate(flows):
                if flow is not None:
                    total = sums[i]
                    sums[i] = total = np.zeros((height, width, 2), np.float32) if total is None else total
                    total[rows, columns] += weight[..., None] * flow
    return Flows(*(None if total is None else total / weights for total in sums))


def bytes_per_pixel(model: FlowModel) -> float:
    """What a pair takes at most for each pixel of an image."""
    return BYTES_PER_PIXEL * model.config.input_scale**2


def spans(length: int, side: int) -> list[slice]:
    """Parts of a side of an image, each at most ``side`` long, that overlap by at least a quarter."""
    if length <= side:
        return [slice(0, length)]
    count = -(-(length - side) // (side - side // 4)) + 1
    starts = np.linspace(0, length - side, count).round().astype(int)
    return [slice(int(start), int(start) + side) for start in starts]


def _weight(span: slice, length: int) -> NDArray[np.float32]:
    """1 in the middle of a part, falling towards its ends over a quarter, except at the ends of the image."""
    side = span.stop - span.start
    ramp = (np.arange(side, dtype=np.float32) + 1) / (side // 4)
    weight = np.ones(side, dtype=np.float32)
    if span.start > 0:
        weight = np.minimum(weight, ramp)
    if span.stop < length:
        weight = np.minimum(weight, ramp[::-1])
    return weight
