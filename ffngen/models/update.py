"""The recurrent decoder of RAFT and of GMA: motion encoder, separable GRU, flow head, upsampling weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffngen.models import correlation, upsampling
from ffngen.models.attention import DIM, Aggregate


class MotionEncoder(nn.Module):
    """Motion features (B, 128, h, w), the last two the flow itself, of correlation windows and flow."""

    def __init__(self) -> None:
        super().__init__()
        self.convc1 = nn.Conv2d(correlation.CHANNELS, 256, 1)
        self.convc2 = nn.Conv2d(256, 192, 3, padding=1)
        self.convf1 = nn.Conv2d(2, 128, 7, padding=3)
        self.convf2 = nn.Conv2d(128, 64, 3, padding=1)
        self.conv = nn.Conv2d(192 + 64, DIM - 2, 3, padding=1)

    def forward(self, flow: Tensor, windows: Tensor) -> Tensor:
        """Encode flow (B, 2, h, w) and windows (B, 324, h, w)."""
        seen = functional.relu(self.convc2(functional.relu(self.convc1(windows))))
        moved = functional.relu(self.convf2(functional.relu(self.convf1(flow))))
        return torch.cat([functional.relu(self.conv(torch.cat([seen, moved], 1))), flow], 1)


class SepConvGRU(nn.Module):
    """A gated recurrent unit of 1x5 convolutions, then of 5x1 ones."""

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        for direction, kernel in enumerate(((1, 5), (5, 1)), 1):
            padding = (kernel[0] // 2, kernel[1] // 2)
            for gate in "zrq":
                convolution = nn.Conv2d(DIM + channels_in, DIM, kernel, padding=padding)
                self.add_module(f"conv{gate}{direction}", convolution)

    def forward(self, hidden: Tensor, x: Tensor) -> Tensor:
        """The next hidden state (B, 128, h, w) of the last one and the input (B, channels_in, h, w)."""
        for direction in (1, 2):
            z_conv, r_conv, q_conv = self.gates(direction)
            both = torch.cat([hidden, x], 1)
            z = torch.sigmoid(z_conv(both))
            r = torch.sigmoid(r_conv(both))
            q = torch.tanh(q_conv(torch.cat([r * hidden, x], 1)))
            hidden = (1 - z) * hidden + z * q
        return hidden

    def gates(self, direction: int) -> tuple[nn.Conv2d, nn.Conv2d, nn.Conv2d]:
        """The convolutions of update, reset and candidate of direction 1 (along x) or 2 (along y)."""
        z, r, q = (self.get_submodule(f"conv{gate}{direction}") for gate in "zrq")
        return z, r, q


class FlowHead(nn.Module):
    """The change of the flow, (B, 2, h, w), of a hidden state."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(DIM, 256, 3, padding=1)
        self.conv2 = nn.Conv2d(256, 2, 3, padding=1)

    def forward(self, hidden: Tensor) -> Tensor:
        """The change, in pixels of the features."""
        return self.conv2(functional.relu(self.conv1(hidden)))


def mask_head() -> nn.Sequential:
    """The layers that give the weights of the upsampling; :meth:`Decoder.upsampling_weights` scales them."""
    return nn.Sequential(
        nn.Conv2d(DIM, 256, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(256, upsampling.CHANNELS, 1)
    )


class Decoder(nn.Module):
    """One iteration of a recurrent decoder, in parts, so that decoders can share work between them."""

    encoder: Any
    gru: Any
    flow_head: Any
    mask: Any
    aggregator: Aggregate | None

    def upsampling_weights(self, hidden: Tensor) -> Tensor:
        """Weights for :func:`upsample_convex`, (B, 576, h, w)."""
        # A quarter, to balance the gradients, as published.
        return 0.25 * self.mask(hidden)

    def forward(
        self, hidden: Tensor, context: Tensor, windows: Tensor, flow: Tensor, attention: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """The next hidden state and the change of the flow."""
        motion = self.encoder(flow, windows)
        parts = [context, motion]
        if self.aggregator is not None:
            parts.append(self.aggregator(attention, motion))
        hidden = self.gru(hidden, torch.cat(parts, 1))
        return hidden, self.flow_head(hidden)


class GRUDecoder(Decoder):
    """RAFT's decoder; with ``aggregate`` GMA's."""

    def __init__(self, *, aggregate: bool) -> None:
        super().__init__()
        self.encoder = MotionEncoder()
        self.gru = SepConvGRU((3 if aggregate else 2) * DIM)
        self.flow_head = FlowHead()
        self.mask = mask_head()
        self.aggregator = Aggregate() if aggregate else None
