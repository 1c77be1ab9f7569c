"""The shallow triple-stream network of Liong et al. 2019 (STSTNet): 28 x 28 x 3 of u, v and strain.

As published: three streams of one 3 x 3 convolution with 3, 5 and 8 filters, each followed by ReLU, batch norm, 3 x 3
max pooling with stride 3, and dropout; together 16 channels, 2 x 2 average pooling to 5 x 5, and one linear layer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

#: The side of the square that it takes.
SIZE = 28

FILTERS = (3, 5, 8)


class STSTNet(nn.Module):
    """Motion (B, 3, 28, 28) to logits (B, classes); the onset face is not looked at."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.streams = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(3, filters, 3, padding=2),
                nn.ReLU(),
                nn.BatchNorm2d(filters),
                nn.MaxPool2d(3, stride=3, padding=1),
                nn.Dropout(0.5),
            )
            for filters in FILTERS
        )
        self.pool = nn.AvgPool2d(2)
        self.head = nn.Linear(5 * 5 * sum(FILTERS), classes)

    def forward(self, motion: Tensor, face: Tensor) -> Tensor:
        """The logits."""
        joined = torch.cat([stream(motion) for stream in self.streams], dim=1)
        logits: Tensor = self.head(self.pool(joined).flatten(1))
        return logits
