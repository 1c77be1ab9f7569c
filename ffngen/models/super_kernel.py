"""SKFlow's decoder: residual blocks of large depthwise kernels (Sun et al. 2022, section 3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffngen.models import correlation
from ffngen.models.attention import DIM, Aggregate
from ffngen.models.update import Decoder, mask_head


class SuperKernelBlock(nn.Module):
    """Pointwise, depthwise and pointwise residual steps, each under a GELU, then a change of channels."""

    def __init__(self, channels_in: int, channels: int, kernels: Sequence[int]) -> None:
        super().__init__()
        hidden = int(1.5 * channels_in)
        self.conv_list = nn.ModuleList(
            nn.Conv2d(channels_in, channels_in, kernel, padding=kernel // 2, groups=channels_in) for kernel in kernels
        )
        self.ffn1 = _pointwise_pair(channels_in, hidden, channels_in)
        self.pw = nn.Conv2d(channels_in, channels_in, 1)
        self.ffn2 = _pointwise_pair(channels_in, hidden, channels)

    def forward(self, *parts: Tensor) -> Tensor:
        """(B, channels_in, h, w), in one or several parts -> (B, channels, h, w)."""
        x = torch.cat(parts, 1)
        for step in (self.ffn1, *self.conv_list, self.pw):
            x = functional.gelu(x + step(x))
        return self.ffn2(x)


def _pointwise_pair(channels_in: int, hidden: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels_in, hidden, 1), nn.GELU(), nn.Conv2d(hidden, channels, 1))


#: Sides of the depthwise kernels of the recurrent unit, and of all other blocks.
_RECURRENT_KERNELS = (1, 7)
_KERNELS = (1, 15)


class SuperKernelMotionEncoder(nn.Module):
    """Motion features (B, 128, h, w), the last two the flow itself, of correlation windows and flow."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = SuperKernelBlock(correlation.CHANNELS, 256, _KERNELS)
        self.convc2 = SuperKernelBlock(256, 192, _KERNELS)
        self.convf1 = nn.Conv2d(2, 128, 1)
        self.convf2 = SuperKernelBlock(128, 64, _KERNELS)
        self.conv = SuperKernelBlock(192 + 64, DIM - 2, _KERNELS)

    def forward(self, flow: Tensor, windows: Tensor) -> Tensor:
        """Encode flow (B, 2, h, w) and windows (B, 324, h, w)."""
        seen = self.convc2(functional.gelu(self.convc1(windows)))
        moved = self.convf2(self.convf1(flow))
        return torch.cat([self.conv(torch.cat([seen, moved], 1)), flow], 1)


class SuperKernelDecoder(Decoder):
    """SKFlow's decoder, with global motion aggregation."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = SuperKernelMotionEncoder()
        self.gru = SuperKernelBlock(4 * DIM, DIM, _RECURRENT_KERNELS)
        self.flow_head = SuperKernelBlock(DIM, 2, _KERNELS)
        self.mask = mask_head()
        self.aggregator = Aggregate()
