"""Several decoders as one: each layer of all of them is a single grouped convolution.

A GPU is not filled by one decoder's small convolutions. The channels of k decoders stand behind each other,
(B, k C, h, w), decoder by decoder.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffngen.models.attention import DIM
from ffngen.models.update import GRUDecoder


class GroupedConvolution:
    """The same layer of several decoders."""

    def __init__(self, convolutions: Sequence[nn.Conv2d]) -> None:
        self._weight = torch.cat([c.weight for c in convolutions])
        self._bias = torch.cat([c.bias for c in convolutions if c.bias is not None])
        self._padding = convolutions[0].padding
        self._groups = len(convolutions)

    def __call__(self, x: Tensor) -> Tensor:
        """(B, k C_in, h, w) -> (B, k C_out, h, w)."""
        return functional.conv2d(x, self._weight, self._bias, padding=self._padding, groups=self._groups)


def beside(count: int, *parts: Tensor) -> Tensor:
    """Concatenate the channels of each of ``count`` decoders: k C1 and k C2 channels become k (C1 + C2)."""
    batch, _, height, width = parts[0].shape
    split = [part.reshape(batch, count, -1, height, width) for part in parts]
    return torch.cat(split, 2).reshape(batch, -1, height, width)


class BatchedDecoders:
    """Decoders of one kind, with a context that stays.

    :param decoders: of GMA's kind, in the order of the channels.
    :param context: (B, 128, h, w).
    """

    def __init__(self, decoders: Sequence[GRUDecoder], context: Tensor) -> None:
        self.count = len(decoders)
        encoders = [decoder.encoder for decoder in decoders]
        layers = ("convc1", "convc2", "convf1", "convf2", "conv")
        self._encoder = [GroupedConvolution([getattr(e, name) for e in encoders]) for name in layers]
        self._flow_head = [GroupedConvolution([getattr(d.flow_head, n) for d in decoders]) for n in ("conv1", "conv2")]
        self._directions = [self._direction(decoders, direction, context) for direction in (1, 2)]

    def _direction(
        self, decoders: Sequence[GRUDecoder], direction: int, context: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, tuple[int, int]]:
        """Weights of gates and candidate without the context's channels, and what the context contributes."""
        gates: list[Tensor] = []
        candidates: list[Tensor] = []
        gates_context: list[Tensor] = []
        candidates_context: list[Tensor] = []
        padding = (0, 0)
        for decoder in decoders:
            z, r, q = decoder.gru.gates(direction)
            padding = z.padding
            for convolutions, weights, constants in (
                ((z, r), gates, gates_context),
                ((q,), candidates, candidates_context),
            ):
                weight = torch.cat([c.weight for c in convolutions])
                bias = torch.cat([c.bias for c in convolutions])
                constants.append(functional.conv2d(context, weight[:, DIM : 2 * DIM], bias, padding=padding))
                weights.append(torch.cat([weight[:, :DIM], weight[:, 2 * DIM :]], 1))
        return (
            torch.cat(gates),
            torch.cat(candidates),
            torch.cat(gates_context, 1),
            torch.cat(candidates_context, 1),
            padding,
        )

    def motion(self, flow: Tensor, windows: Tensor) -> Tensor:
        """Motion features (B, k 128, h, w) of flows (B, k 2, h, w) and windows (B, k 324, h, w)."""
        convc1, convc2, convf1, convf2, conv = self._encoder
        seen = functional.relu(convc2(functional.relu(convc1(windows))))
        moved = functional.relu(convf2(functional.relu(convf1(flow))))
        return beside(self.count, functional.relu(conv(beside(self.count, seen, moved))), flow)

    def step(self, hidden: Tensor, motion: Tensor) -> Tensor:
        """The next hidden states (B, k 128, h, w), from all of the input but the context."""
        for gates, candidate, gates_context, candidate_context, padding in self._directions:
            both = beside(self.count, hidden, motion)
            opened = functional.conv2d(both, gates, padding=padding, groups=self.count) + gates_context
            opened = torch.sigmoid(opened).reshape(len(hidden), self.count, 2, DIM, *hidden.shape[-2:])
            z, r = (part.reshape(hidden.shape) for part in opened.unbind(2))
            both = beside(self.count, r * hidden, motion)
            q = functional.conv2d(both, candidate, padding=padding, groups=self.count) + candidate_context
            hidden = hidden + z * (torch.tanh(q) - hidden)
        return hidden

    def change(self, hidden: Tensor) -> Tensor:
        """The changes of the flows, (B, k 2, h, w)."""
        first, second = self._flow_head
        return second(functional.relu(first(hidden)))
