"""Correlation and attention that never hold all pairs: memory linear in the number of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ffngen.models.attention import Aggregate
from ffngen.models.correlation import CHANNELS, LEVELS, RADIUS, sample_windows

#: Pixels of the first image are taken in squares of this side.
_BLOCK = 16


class OnDemandCorrelation:
    """The windows of :class:`~ffngen.models.correlation.AllPairsCorrelation`, computed when they are looked at.

    Pooling the volume is pooling the second image's features, so each level is a product of its own. The pixels of
    a block look at much the same place: only the box that holds all their windows is multiplied out. Where flow is
    wild the box grows, and with it the time, never the result.

    :param features1: (B, C, h, w) of the first image.
    :param features2: (B, C, h, w) of the second image; both sides at least 8.
    """

    def __init__(self, features1: Tensor, features2: Tensor) -> None:
        self._first = features1.float() / features1.shape[1] ** 0.5
        self._levels = [features2.float()]
        for _ in range(LEVELS - 1):
            self._levels.append(functional.avg_pool2d(self._levels[-1], 2))

    def lookup(self, *coordinates: Tensor) -> tuple[Tensor, ...]:
        """As :meth:`AllPairsCorrelation.lookup`."""
        batch, _, height, width = coordinates[0].shape
        centres = torch.stack(coordinates)
        windows = centres.new_empty(len(coordinates), batch, CHANNELS, height, width)
        for image in range(batch):
            for rows in _blocks(height):
                for columns in _blocks(width):
                    part = (..., rows, columns)
                    windows[:, image][part] = self._block(image, self._first[image][part], centres[:, image][part])
        return windows.unbind(0)

    def _block(self, image: int, first: Tensor, centres: Tensor) -> Tensor:
        """The windows (k, CHANNELS, r, c) of a block: its features (C, r, c), and k centres a pixel (k, 2, r, c)."""
        queries = first.flatten(1).T
        points = centres.flatten(2).permute(2, 0, 1)
        found = []
        with torch.autocast(first.device.type, enabled=False):
            for i, level in enumerate(self._levels):
                columns, rows = _box(points / 2**i, level.shape[-1], level.shape[-2])
                keys = level[image][:, rows, columns]
                volume = (queries @ keys.flatten(1)).reshape(len(queries), 1, *keys.shape[1:])
                corner = points.new_tensor([columns.start, rows.start])
                found.append(sample_windows(volume, points / 2**i - corner))
        return torch.cat(found, -1).permute(1, 2, 0).reshape(len(centres), CHANNELS, *first.shape[1:])


def _blocks(side: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK, side)) for start in range(0, side, _BLOCK)]


def _box(points: Tensor, width: int, height: int) -> tuple[slice, slice]:
    """Columns and rows, at least one of each, that hold every pixel which a window around the points touches."""
    low, high = torch.stack([points.amin((0, 1)), points.amax((0, 1))]).nan_to_num().floor().tolist()
    spans = []
    for start, stop, side in ((low[0], high[0], width), (low[1], high[1], height)):
        first = int(min(max(start - RADIUS, 0), side - 1))
        spans.append(slice(first, int(min(max(stop + RADIUS + 2, first + 1), side))))
    return spans[0], spans[1]


class OnDemandAttention:
    """Attention whose weights are made and forgotten in blocks, inside PyTorch's fused kernel.

    :param queries: (B, C, h, w), not yet scaled.
    :param keys: (B, C, h, w).
    """

    def __init__(self, queries: Tensor, keys: Tensor) -> None:
        # The fused kernel takes only rows whose channels lie side by side; without it all weights are kept.
        self._queries, self._keys = (_rows(part)[:, None] for part in (queries, keys))

    def aggregate(self, aggregators: Sequence[Aggregate], features: Sequence[Tensor]) -> list[Tensor]:
        """Each decoder's motion features with what its pixels share: as :func:`aggregate_together`."""
        values = [_rows(a.to_v(f)) for a, f in zip(aggregators, features, strict=True)]
        # One decoder a head of the kernel; all have the same queries and keys.
        heads = (-1, len(values), -1, -1)
        shared = functional.scaled_dot_product_attention(
            self._queries.expand(heads), self._keys.expand(heads), torch.stack(values, 1)
        )
        return [
            f + a.gamma * shared[:, i].transpose(1, 2).reshape(f.shape)
            for i, (a, f) in enumerate(zip(aggregators, features, strict=True))
        ]


def _rows(features: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h w, C), contiguous."""
    return features.flatten(2).transpose(1, 2).contiguous()
