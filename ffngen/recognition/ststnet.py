"""The shallow triple-stream network of Liong et al. 2019 (STSTNet): 28 x 28 x 3 of u, v and strain.

As published: three streams of one 3 x 3 convolution with 3, 5 and 8 filters, each followed by ReLU, batch norm, 3 x 3
max pooling with stride 3, and dropout; together 16 channels, 2 x 2 average pooling to 5 x 5, and one linear layer.
The streams see the same planes, and all but the convolutions works on each channel alone: so the three convolutions
are computed as one with 16 filters, which is the same network in a third of the time.
"""

from __future__ import annotations

from torch import Tensor, nn

#: The side of the square that it takes.
SIZE = 28

#: Of the three streams.
FILTERS = (3, 5, 8)


class STSTNet(nn.Module):
    """Motion (B, 3, 28, 28) to logits (B, classes); the onset face is not looked at."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        channels = sum(FILTERS)
        self.streams = nn.Sequential(
            nn.Conv2d(3, channels, 3, padding=2),
            nn.ReLU(),
            nn.BatchNorm2d(channels),
            nn.MaxPool2d(3, stride=3, padding=1),
            nn.Dropout(0.5),
        )
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(5 * 5 * channels, classes)

    def forward(self, motion: Tensor, face: Tensor) -> Tensor:
        """The logits."""
        logits: Tensor = self.head(self.pool(self.streams(motion)).flatten(1))
        return logits
