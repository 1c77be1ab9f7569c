"""Global motion aggregation: pixels that look alike share their motion (Jiang et al. 2021, section 3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

#: Channels of the context, of one head of attention, and of the motion features.
DIM = 128

_MAX_SIDE = 160


class RelativePositions(nn.Module):
    """Embeddings of relative positions. The published networks hold them and, attending by content, never use them."""

    def __init__(self) -> None:
        super().__init__()
        self.rel_height = nn.Embedding(2 * _MAX_SIDE - 1, DIM)
        self.rel_width = nn.Embedding(2 * _MAX_SIDE - 1, DIM)
        place = torch.arange(_MAX_SIDE)
        self.register_buffer("rel_ind", place[None, :] - place[:, None] + _MAX_SIDE - 1)


class Attention(nn.Module):
    """How much each pixel attends to each other one, by their context; one head."""

    def __init__(self) -> None:
        super().__init__()
        self.to_qk = nn.Conv2d(DIM, 2 * DIM, 1, bias=False)
        self.pos_emb = RelativePositions()

    def queries_keys(self, context: Tensor) -> tuple[Tensor, Tensor]:
        """Queries and keys, each (B, 128, h, w), of a context (B, 128, h, w)."""
        queries, keys = self.to_qk(context).chunk(2, 1)
        return queries, keys

    def forward(self, context: Tensor) -> Tensor:
        """Weights (B, h w, h w) that sum to 1 over the last axis."""
        queries, keys = self.queries_keys(context)
        likeness = torch.matmul((DIM**-0.5 * queries).flatten(2).transpose(1, 2), keys.flatten(2))
        return likeness.softmax(-1)


class Aggregate(nn.Module):
    """Adds to a pixel's motion features the attended mean of all pixels', by a learnt amount ``gamma``."""

    def __init__(self) -> None:
        super().__init__()
        self.to_v = nn.Conv2d(DIM, DIM, 1, bias=False)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, attention: Tensor, features: Tensor) -> Tensor:
        """Aggregate (B, 128, h, w) by weights (B, h w, h w)."""
        values = self.to_v(features).flatten(2).transpose(1, 2)
        shared = torch.matmul(attention, values)
        return features + self.gamma * shared.transpose(1, 2).reshape(features.shape)


def aggregate_together(aggregators: Sequence[Aggregate], attention: Tensor, features: Sequence[Tensor]) -> list[Tensor]:
    """What each aggregator makes of its own features, with one product by the attention that they share."""
    pairs = list(zip(aggregators, features, strict=True))
    values = [a.to_v(f) for a, f in pairs]

    def attended(these: Tensor) -> Tensor:
        return torch.matmul(attention, these.flatten(2).transpose(1, 2)).transpose(1, 2)

    if alike_in_gradients(values):
        shared = attended(torch.cat(values, 1)).split(DIM, 1)
    else:
        # One product would make a frozen decoder part of the graph, and its steps part of the backward pass.
        shared = tuple(attended(these) for these in values)
    return [f + a.gamma * part.reshape(f.shape) for (a, f), part in zip(pairs, shared, strict=True)]


def alike_in_gradients(tensors: Iterable[Tensor]) -> bool:
    """Whether all need a gradient, or none does."""
    return len({tensor.requires_grad for tensor in tensors}) <= 1
