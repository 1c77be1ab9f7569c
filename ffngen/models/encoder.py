"""RAFT's residual encoder: images to features on every eighth pixel (Teed and Deng 2020, supplement)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

Norm = Literal["instance", "batch"]


def _norm(kind: Norm, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if kind == "batch" else nn.InstanceNorm2d(channels)


class EncoderBlock(nn.Module):
    """Two 3x3 convolutions with a skip, which is a strided 1x1 convolution where the block halves the size."""

    def __init__(self, channels_in: int, channels: int, norm: Norm, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, padding=1, stride=stride)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm1 = _norm(norm, channels)
        self.norm2 = _norm(norm, channels)
        self.downsample: nn.Module | None = None
        if stride != 1:
            # Published checkpoints hold this norm under both names.
            self.norm3 = _norm(norm, channels)
            self.downsample = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride=stride), self.norm3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels, H / stride, W / stride)."""
        y = functional.relu(self.norm1(self.conv1(x)))
        y = functional.relu(self.norm2(self.conv2(y)))
        skip = x if self.downsample is None else self.downsample(x)
        return functional.relu(skip + y)


class BasicEncoder(nn.Module):
    """Features (B, 256, H/8, W/8) of images (B, 3, H, W) in -1..1."""

    def __init__(self, norm: Norm, channels: int = 256) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.norm1 = _norm(norm, 64)
        self.layer1 = nn.Sequential(EncoderBlock(64, 64, norm, 1), EncoderBlock(64, 64, norm, 1))
        self.layer2 = nn.Sequential(EncoderBlock(64, 96, norm, 2), EncoderBlock(96, 96, norm, 1))
        self.layer3 = nn.Sequential(EncoderBlock(96, 128, norm, 2), EncoderBlock(128, 128, norm, 1))
        self.conv2 = nn.Conv2d(128, channels, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, image: Tensor) -> Tensor:
        """Encode a batch of images."""
        x = functional.relu(self.norm1(self.conv1(image)))
        return self.conv2(self.layer3(self.layer2(self.layer1(x))))
