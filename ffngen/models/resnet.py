"""The first four parts of a ResNet-50, as DecFlow's facial semantic encoder uses them (He et al. 2015).

Names and strides are those of the checkpoints: the stride of a unit is in its first 1x1 convolution.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class ConvNorm(nn.Module):
    """A convolution without bias, and its batch norm."""

    def __init__(self, channels_in: int, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels, H / stride, W / stride)."""
        return self.bn(self.conv(x))


class _Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = ConvNorm(3, 64, 7, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return functional.max_pool2d(functional.relu(self.conv(x)), 3, stride=2, padding=1)


class _Body(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(channels_in, channels // 4, 1, stride)
        self.conv2 = ConvNorm(channels // 4, channels // 4, 3)
        self.conv3 = ConvNorm(channels // 4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(functional.relu(self.conv2(functional.relu(self.conv1(x)))))


class _Unit(nn.Module):
    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.body = _Body(channels_in, channels, stride)
        self.identity_conv = ConvNorm(channels_in, channels, 1, stride) if channels_in != channels else None

    def forward(self, x: Tensor) -> Tensor:
        skip = x if self.identity_conv is None else self.identity_conv(x)
        return functional.relu(self.body(x) + skip)


def _stage(channels_in: int, channels: int, units: int, stride: int) -> nn.Sequential:
    stage = nn.Sequential()
    for i in range(units):
        first = i == 0
        unit = _Unit(channels_in if first else channels, channels, stride if first else 1)
        stage.add_module(f"unit{i + 1}", unit)
    return stage


class SemanticEncoder(nn.Module):
    """Features (B, 512, H/8, W/8) of normalised images (B, 3, H, W).

    The fourth part is never run; it is there because checkpoints hold it.
    """

    CHANNELS = 512

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            _Stem(), _stage(64, 256, 3, 1), _stage(256, self.CHANNELS, 4, 2), _stage(self.CHANNELS, 1024, 6, 2)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Features at every eighth pixel, cell i at pixel 8 i."""
        for part in self.model[:3]:
            image = part(image)
        return image
