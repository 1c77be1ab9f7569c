"""A two-branch network in the manner of MMNet (Li et al. 2022, "Muscle motion-guided network").

The main branch learns motion patterns by continuous attention blocks: each block multiplies its features by a spatial
attention map, which is the product of its own map and the block's before it, made smaller. The position branch is a
small vision transformer over the 14 x 14 onset face, whose output is added to the motion features.

Where it departs from the published network:

- the main branch takes u, v and strain (as FacialFlowNet's authors fed it flows), not the difference of the images;
- channels are ``width`` times the published 180, 128, 128, 256 and 512, an eighth unless said otherwise;
- there is one more halving before the first block, and the last block keeps its size, so that the blocks run at 56, 28,
  14 and 14 pixels instead of 112, 56, 28 and 14;
- dropout stands before the linear layer, and the position branch's first layer is not initialised in timm's way.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

#: The side of the motion's square, and of the face's.
SIZE, FACE_SIZE = 224, 14

#: Published channels: of the stem, and of the four blocks.
CHANNELS = (180, 128, 128, 256, 512)
_HEADS, _DEPTH, _MLP = 4, 2, 4


class AttentionBlock(nn.Module):
    """A residual block, and a spatial attention that goes on from the block's before it."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
        self.attention = nn.Sequential(nn.Conv2d(2, 1, 1, bias=False), nn.BatchNorm2d(1), nn.Sigmoid())

    def forward(self, features: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """Features (B, C, H, W) and the map (B, 1, H, W) before, of any size, to features and the map of this block."""
        found = F.relu(self.body(features) + self.shortcut(features))
        attention = self.attention(torch.cat([found.mean(1, keepdim=True), found.amax(1, keepdim=True)], dim=1))
        if before is not None:
            attention = attention * F.adaptive_max_pool2d(before, attention.shape[-2:])
        return found * attention, attention


class PositionBranch(nn.Module):
    """A face (B, 3, 14, 14) to position features (B, channels, 14, 14), by a transformer whose patches are pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, channels, 1)
        self.place = nn.Parameter(torch.zeros(1, FACE_SIZE * FACE_SIZE, channels))
        nn.init.trunc_normal_(self.place, std=0.02)
        layer = nn.TransformerEncoderLayer(
            channels, _HEADS, _MLP * channels, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(layer, _DEPTH, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(channels)

    def forward(self, face: Tensor) -> Tensor:
        """The position features."""
        tokens = self.embed(face).flatten(2).transpose(1, 2) + self.place
        found: Tensor = self.norm(self.blocks(tokens))
        return found.transpose(1, 2).unflatten(2, (FACE_SIZE, FACE_SIZE))


class MMNet(nn.Module):
    """Motion (B, 3, 224, 224) and onset face (B, 3, 14, 14) to logits (B, classes).

    :param width: channels, in shares of the published ones.
    """

    def __init__(self, classes: int, width: float = 0.125) -> None:
        super().__init__()
        stem, *blocks = (max(_HEADS, round(channels * width / _HEADS) * _HEADS) for channels in CHANNELS)
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 3, 2, 1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
            nn.Conv2d(stem, blocks[0], 3, 2, 1, bias=False),
            nn.BatchNorm2d(blocks[0]),
            nn.ReLU(),
        )
        inputs = (blocks[0], *blocks[:-1])
        self.blocks = nn.ModuleList(
            AttentionBlock(before, after, stride)
            for before, after, stride in zip(inputs, blocks, (1, 2, 2, 1), strict=True)
        )
        self.position = PositionBranch(blocks[-1])
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(blocks[-1] * FACE_SIZE**2, classes))

    def forward(self, motion: Tensor, face: Tensor) -> Tensor:
        """The logits."""
        features, attention = self.stem(motion), None
        for block in self.blocks:
            features, attention = block(features, attention)
        logits: Tensor = self.head(features + self.position(face))
        return logits
