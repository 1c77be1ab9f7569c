"""Convex upsampling: each fine pixel's flow is a weighted mean of the nine coarse ones around it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ffngen.models.coordinates import STRIDE

#: Channels of the weights: nine neighbours (row by row), then the fine pixel's row and column.
CHANNELS = 9 * STRIDE**2


def upsample_convex(flow: Tensor, weights: Tensor) -> Tensor:
    """Flow of the full size (Teed and Deng 2020, section 3.3).

    :param flow: (B, 2, h, w), in coarse pixels.
    :param weights: (B, :data:`CHANNELS`, h, w), before the softmax over the nine neighbours; beyond the border
        the flow counts as 0.
    :returns: (B, 2, 8 h, 8 w), in fine pixels.
    """
    batch, _, height, width = flow.shape
    share = weights.reshape(batch, 1, 9, STRIDE, STRIDE, height, width).softmax(2)
    neighbours = functional.unfold(STRIDE * flow, 3, padding=1).reshape(batch, 2, 9, 1, 1, height, width)
    fine = torch.sum(share * neighbours, 2)
    return fine.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, STRIDE * height, STRIDE * width)
