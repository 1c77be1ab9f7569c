"""Correlation and attention that never hold all pairs: memory linear in the number of pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ffngen.models.attention import Aggregate
from ffngen.models.correlation import LEVELS, RADIUS, SIDE

#: Bilinear windows of SIDE points need one whole pixel more.
_TAPS = SIDE + 1

#: The gathered features of one chunk of pixels take at most this much.
_CHUNK_BYTES = 48 * 2**20


class OnDemandCorrelation:
    """The windows of :class:`~ffngen.models.correlation.AllPairsCorrelation`, computed when they are looked at.

    Pooling the volume is pooling the second image's features, and a bilinear sample of correlations is the
    bilinear mean of the four correlations; so only a pixel's own windows are ever multiplied out.

    :param features1: (B, C, h, w) of the first image.
    :param features2: (B, C, h, w) of the second image; both sides at least 8.
    """

    def __init__(self, features1: Tensor, features2: Tensor) -> None:
        channels = features1.shape[1]
        self._first = _rows(features1.float()) / channels**0.5
        self._levels = []
        level = features2.float()
        for i in range(LEVELS):
            level = functional.avg_pool2d(level, 2) if i > 0 else level
            self._levels.append((_rows(level), level.shape[2], level.shape[3]))

    def lookup(self, *coordinates: Tensor) -> tuple[Tensor, ...]:
        """As :meth:`AllPairsCorrelation.lookup`."""
        return tuple(self._lookup_one(coords) for coords in coordinates)

    def _lookup_one(self, coordinates: Tensor) -> Tensor:
        batch, _, height, width = coordinates.shape
        points = coordinates.flatten(2).transpose(1, 2)
        per_image = [
            torch.cat([self._windows(b, level, points[b] / 2**level) for level in range(LEVELS)], 1)
            for b in range(batch)
        ]
        return torch.stack(per_image).transpose(1, 2).reshape(batch, -1, height, width)

    def _windows(self, image: int, level: int, points: Tensor) -> Tensor:
        """(n, SIDE^2) correlations around each of (n, 2) points of a level."""
        rows, height, width = self._levels[level]
        chunk = max(1, _CHUNK_BYTES // (rows.element_size() * rows.shape[-1] * _TAPS**2))
        parts = [
            _window_products(first, rows[image], height, width, part)
            for first, part in zip(self._first[image].split(chunk), points.split(chunk), strict=True)
        ]
        return torch.cat(parts)


def _rows(features: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h w, C), contiguous."""
    return features.flatten(2).transpose(1, 2).contiguous()


def _window_products(first: Tensor, rows: Tensor, height: int, width: int, points: Tensor) -> Tensor:
    whole = points.floor()
    fraction = points - whole
    taps = torch.arange(-RADIUS, RADIUS + 2, device=points.device)
    # Beyond the border by more than a window all is 0; the bound keeps far points within integers.
    x = whole[:, 0].clamp(-SIDE - 1, width + SIDE).long()[:, None] + taps
    y = whole[:, 1].clamp(-SIDE - 1, height + SIDE).long()[:, None] + taps
    inside = ((x >= 0) & (x < width))[:, :, None] & ((y >= 0) & (y < height))[:, None, :]
    index = y.clamp(0, height - 1)[:, None, :] * width + x.clamp(0, width - 1)[:, :, None]
    gathered = rows[index.reshape(-1)].reshape(len(points), _TAPS**2, -1)
    products = torch.bmm(gathered, first[:, :, None]).reshape(-1, _TAPS, _TAPS) * inside
    right, down = fraction[:, 0, None, None], fraction[:, 1, None, None]
    along_x = (1 - right) * products[:, :-1] + right * products[:, 1:]
    return ((1 - down) * along_x[:, :, :-1] + down * along_x[:, :, 1:]).reshape(len(points), SIDE**2)


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
