"""The correlation of all pairs of features, as a pyramid, and the windows that a decoder looks at.

C(i, j) = <f1(i), f2(j)> / sqrt(channels), for each pixel i of the first and j of the second image; the
pyramid halves the second image (Teed and Deng 2020, section 3.2).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

LEVELS = 4
RADIUS = 4
SIDE = 2 * RADIUS + 1

#: Channels of a lookup: level, then x offset, then y offset, the last changing fastest.
CHANNELS = LEVELS * SIDE**2


class AllPairsCorrelation:
    """The whole volume, kept: quick to look up, quadratic in the number of pixels.

    :param features1: (B, C, h, w) of the first image.
    :param features2: (B, C, h, w) of the second image; both sides at least 8.
    """

    def __init__(self, features1: Tensor, features2: Tensor) -> None:
        batch, channels, height, width = features1.shape
        # Half precision would lose the fraction of a pixel.
        with torch.autocast(features1.device.type, enabled=False):
            first = features1.float().flatten(2).transpose(1, 2)
            volume = torch.matmul(first, features2.float().flatten(2)) / channels**0.5
        level = volume.reshape(batch * height * width, 1, height, width)
        self._levels = [level]
        for _ in range(LEVELS - 1):
            level = functional.avg_pool2d(level, 2)
            self._levels.append(level)

    def lookup(self, *coordinates: Tensor) -> tuple[Tensor, ...]:
        """The window around each pixel's counterpart, at every level.

        :param coordinates: each (B, 2, h, w): where in the second image each pixel of the first lies, in pixels
            of the features.
        :returns: for each, (B, :data:`CHANNELS`, h, w), bilinear, 0 beyond the border.
        """
        batch, _, height, width = coordinates[0].shape
        centres = torch.stack(coordinates, 1).permute(0, 3, 4, 1, 2).reshape(batch * height * width, -1, 2)
        found = [sample_windows(level, centres / 2**i) for i, level in enumerate(self._levels)]
        windows = torch.cat(found, -1).reshape(batch, height, width, -1, CHANNELS)
        return windows.permute(3, 0, 4, 1, 2).contiguous().unbind(0)


def sample_windows(volume: Tensor, centres: Tensor) -> Tensor:
    """The windows around some points of each of N images: (N, 1, h, w) and (N, k, 2) -> (N, k, SIDE^2)."""
    count = centres.shape[1]
    offset = torch.arange(-RADIUS, RADIUS + 1, device=centres.device, dtype=centres.dtype)
    window = torch.stack(torch.meshgrid(offset, offset, indexing="ij"), -1)
    points = (centres[:, :, None, None] + window).reshape(-1, count * SIDE, SIDE, 2)
    return sample_bilinear(volume, points).reshape(-1, count, SIDE**2)


def sample_bilinear(image: Tensor, points: Tensor) -> Tensor:
    """Bilinear samples of (N, C, H, W) at pixel coordinates (N, h, w, 2), x then y; 0 beyond the border."""
    size = points.new_tensor([image.shape[-1], image.shape[-2]])
    # Measured from the edges of the border pixels: a level that is one pixel wide then has coordinates too.
    return functional.grid_sample(image, (2 * points + 1) / size - 1, align_corners=False)
