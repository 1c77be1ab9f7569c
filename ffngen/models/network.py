"""What all networks share: encode two images, then refine the flow, iteration by iteration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

from ffngen.models.attention import DIM, Attention
from ffngen.models.config import ModelConfig
from ffngen.models.coordinates import Padding, pixel_grid, to_symmetric_range
from ffngen.models.correlation import AllPairsCorrelation
from ffngen.models.encoder import BasicEncoder
from ffngen.models.output import FlowSequence
from ffngen.models.update import Decoder
from ffngen.models.upsampling import upsample_convex

DEFAULT_ITERATIONS = 12


class FlowNetwork(nn.Module):
    """A recurrent network of RAFT's kind. This plain path is the reference; :mod:`ffngen.models.fast` must equal it."""

    att: Attention | None
    update_block: Decoder

    #: Set by whoever builds the network.
    config: ModelConfig

    def __init__(self) -> None:
        super().__init__()
        self.fnet = BasicEncoder("instance")
        self.cnet = BasicEncoder("batch")
        #: The parts whose batch norms training does not move; :meth:`fix_statistics` sets them.
        self.fixed_statistics: tuple[str, ...] = ()

    def decoders(self, *, facial_only: bool = False) -> list[Decoder]:
        """The facial decoder and, where there is one and it is wanted, the head decoder."""
        return [self.update_block]

    def fix_statistics(self, parts: Sequence[str]) -> None:
        """Keep the named parts in evaluation mode from now on, so that training moves no batch norm of theirs."""
        self.fixed_statistics = tuple(parts)
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As :meth:`torch.nn.Module.train`, except that fixed parts stay in evaluation mode."""
        super().train(mode)
        for part in self.fixed_statistics:
            self.get_submodule(part).eval()
        return self

    def features(self, *images: Tensor) -> tuple[Tensor, ...]:
        """Features to be matched, each (B, 256, h, w) float32, of padded images of RGB 0..255."""
        together = self.fnet(to_symmetric_range(torch.cat(images)))
        return tuple(together.float().chunk(len(images)))

    def context(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """The first hidden state and the context, each (B, 128, h, w), of the first image, padded, RGB 0..255."""
        hidden, context = self.context_features(image).split(DIM, 1)
        return torch.tanh(hidden), torch.relu(context)

    def context_features(self, image: Tensor) -> Tensor:
        """(B, 256, h, w), before the split into hidden state and context."""
        return self.cnet(to_symmetric_range(image))

    def forward(
        self, image1: Tensor, image2: Tensor, iterations: int = DEFAULT_ITERATIONS, *, facial_only: bool = False
    ) -> FlowSequence:
        """The flow from the first to the second image, after each iteration.

        :param image1: (B, 3, H, W) floating, RGB 0..255, of any size.
        :param image2: the same shape.
        :param iterations: how often the flow is refined; at least 1.
        :param facial_only: leave out the head decoder.
        :returns: flows (B, 2, H, W), in pixels.
        """
        padding = Padding.of_size(*image1.shape[-2:])
        image1, image2 = padding.pad(image1), padding.pad(image2)
        volume = AllPairsCorrelation(*self.features(image1, image2))
        hidden, context = self.context(image1)
        attention = None if self.att is None else self.att(context)
        flows = [
            self._refine(decoder, volume, hidden, context, attention, iterations, padding)
            for decoder in self.decoders(facial_only=facial_only)
        ]
        return FlowSequence(flows[0], flows[1] if len(flows) > 1 else None)

    @staticmethod
    def _refine(
        decoder: Decoder,
        volume: AllPairsCorrelation,
        hidden: Tensor,
        context: Tensor,
        attention: Tensor | None,
        iterations: int,
        padding: Padding,
    ) -> list[Tensor]:
        grid = pixel_grid(*hidden.shape[-2:], device=hidden.device)
        coordinates = grid.expand(len(hidden), -1, -1, -1)
        flows = []
        for _ in range(iterations):
            # Each iteration learns from its own step alone, as published.
            coordinates = coordinates.detach()
            (windows,) = volume.lookup(coordinates)
            hidden, change = decoder(hidden, context, windows, coordinates - grid, attention)
            coordinates = coordinates + change
            flow = upsample_convex(coordinates - grid, decoder.upsampling_weights(hidden))
            flows.append(padding.crop(flow))
        return flows
