"""Pixel coordinates, the range of images, and padding to the sizes that the networks take."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

#: Features lie on every eighth pixel.
STRIDE = 8

#: Below this side the coarsest level of the correlation pyramid would be empty.
MIN_SIDE = 64


def pixel_grid(height: int, width: int, *, device: torch.device | str | None = None) -> Tensor:
    """The coordinates of each pixel: (1, 2, height, width) float32, x then y; the top-left centre is (0, 0)."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device, dtype=torch.float32),
        torch.arange(width, device=device, dtype=torch.float32),
        indexing="ij",
    )
    return torch.stack([x, y])[None]


def to_symmetric_range(image: Tensor) -> Tensor:
    """RGB of 0..255 in -1..1."""
    return 2 * (image / 255) - 1


class Padding(NamedTuple):
    """Pixels added at each side, so that the network's features fit the image."""

    left: int
    right: int
    top: int
    bottom: int

    @classmethod
    def of_size(cls, height: int, width: int) -> Padding:
        """What makes both sides multiples of eight, and at least :data:`MIN_SIDE`, with the image in the middle."""
        more_x, more_y = (max(MIN_SIDE, -(-side // STRIDE) * STRIDE) - side for side in (width, height))
        return cls(more_x // 2, more_x - more_x // 2, more_y // 2, more_y - more_y // 2)

    def pad(self, image: Tensor) -> Tensor:
        """The image (B, C, H, W) with its border repeated outwards."""
        return functional.pad(image, list(self), mode="replicate") if any(self) else image

    def crop(self, flow: Tensor) -> Tensor:
        """The part of a padded (B, C, H, W) array that belongs to the image."""
        height, width = flow.shape[-2:]
        return flow[..., self.top : height - self.bottom, self.left : width - self.right]
