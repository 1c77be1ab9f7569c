"""The same flows with less work and memory; :meth:`FlowNetwork.forward` is the reference.

What is saved: a context convolution per iteration and gate (it does not change between iterations), two of
three passes over the gates' input, a lookup and an attention product where two decoders share them, and the
upsampling of flows that nobody reads. Above a size, correlation and attention are made on demand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ffngen.models.attention import DIM, Attention, aggregate_together, alike_in_gradients
from ffngen.models.batched import BatchedDecoders
from ffngen.models.coordinates import Padding, pixel_grid
from ffngen.models.correlation import AllPairsCorrelation
from ffngen.models.network import DEFAULT_ITERATIONS, FlowNetwork
from ffngen.models.on_demand import OnDemandAttention, OnDemandCorrelation
from ffngen.models.output import FlowSequence
from ffngen.models.update import Decoder, GRUDecoder, SepConvGRU
from ffngen.models.upsampling import upsample_convex

#: Above this many bytes of correlation and attention for one pair they are made on demand: about 710x710 pixels.
ALL_PAIRS_BYTES = 800 * 2**20

#: (h w)^2 floats of the volume and a third more for its pyramid, and twice as many while attention is made.
_BYTES_PER_PAIR = 4 * (4 / 3 + 2)


@dataclass(frozen=True)
class Features:
    """What is known of two padded images before the first iteration."""

    features1: Tensor
    features2: Tensor
    hidden: Tensor
    context: Tensor


def fast_forward(
    network: FlowNetwork,
    image1: Tensor,
    image2: Tensor,
    iterations: int = DEFAULT_ITERATIONS,
    *,
    facial_only: bool = False,
    every_iteration: bool = False,
    low_memory: bool | None = None,
) -> FlowSequence:
    """As ``network(image1, image2, iterations)``, quicker; gradients pass through it as well.

    :param network: any of ffngen's networks.
    :param image1: (B, 3, H, W) floating, RGB 0..255, of any size.
    :param image2: the same shape.
    :param iterations: how often the flow is refined; at least 1.
    :param facial_only: leave out the head decoder.
    :param every_iteration: upsample every iteration's flow, as training needs, not only the last.
    :param low_memory: never hold all pairs; None decides by size (:func:`needs_low_memory`).
    :returns: flows (B, 2, H, W) of all iterations, or of the last one alone.
    """
    padding = Padding.of_size(*image1.shape[-2:])
    image1, image2 = padding.pad(image1), padding.pad(image2)
    low_memory = needs_low_memory(image1) if low_memory is None else low_memory
    encoded = encode(network, image1, image2, low_memory=low_memory)
    decoders = network.decoders(facial_only=facial_only)
    flows = refine_together(
        decoders, network.att, encoded, iterations, every_iteration=every_iteration, low_memory=low_memory
    )
    return _cropped(flows, padding)


def fast_along(
    network: FlowNetwork, frames: Iterable[Tensor], iterations: int = DEFAULT_ITERATIONS, *, facial_only: bool = False
) -> Iterator[FlowSequence]:
    """As :func:`fast_forward` of each frame and the next one, with the features of each frame made once.

    :param frames: each (B, 3, H, W) floating, RGB 0..255, all of one size.
    """
    last: tuple[Tensor, Tensor] | None = None
    for frame in frames:
        padding = Padding.of_size(*frame.shape[-2:])
        image = padding.pad(frame)
        (features,) = network.features(image)
        if last is not None:
            encoded = Features(last[1], features, *network.context(last[0]))
            flows = refine_together(
                network.decoders(facial_only=facial_only),
                network.att,
                encoded,
                iterations,
                every_iteration=False,
                low_memory=needs_low_memory(image),
            )
            yield _cropped(flows, padding)
        last = image, features


def _cropped(flows: Sequence[Sequence[Tensor]], padding: Padding) -> FlowSequence:
    facial, *others = [[padding.crop(flow) for flow in sequence] for sequence in flows]
    return FlowSequence(facial, others[0] if others else None)


def needs_low_memory(image: Tensor) -> bool:
    """Whether all pairs of a batch of padded images would take more than :data:`ALL_PAIRS_BYTES` per pair."""
    pixels: int = image.shape[-2] * image.shape[-1] // 64
    return pixels**2 * _BYTES_PER_PAIR > ALL_PAIRS_BYTES


def encode(network: FlowNetwork, image1: Tensor, image2: Tensor, *, low_memory: bool) -> Features:
    """Features and context of two padded images; with ``low_memory`` one image after the other."""
    if low_memory:
        (features1,), (features2,) = network.features(image1), network.features(image2)
    else:
        features1, features2 = network.features(image1, image2)
    return Features(features1, features2, *network.context(image1))


def refine_together(
    decoders: Sequence[Decoder],
    attention: Attention | None,
    encoded: Features,
    iterations: int,
    *,
    every_iteration: bool,
    low_memory: bool,
    batched: bool | None = None,
) -> list[list[Tensor]]:
    """Run decoders side by side, sharing lookups and attention; each one's flows (B, 2, 8 h, 8 w).

    :param batched: all decoders' layers as one (:mod:`ffngen.models.batched`); None does so on a GPU.
    """
    correlation = OnDemandCorrelation if low_memory else AllPairsCorrelation
    volume = correlation(encoded.features1, encoded.features2)
    aggregate = _aggregation(decoders, attention, encoded.context, low_memory=low_memory)
    advance = _one_by_one(decoders, aggregate, encoded.context)
    if encoded.context.is_cuda if batched is None else batched:
        advance = _batched(decoders, aggregate, encoded.context) or advance
    hidden = [encoded.hidden] * len(decoders)
    grid = pixel_grid(*encoded.hidden.shape[-2:], device=encoded.hidden.device)
    coordinates = [grid.expand(len(encoded.hidden), -1, -1, -1)] * len(decoders)
    flows: list[list[Tensor]] = [[] for _ in decoders]
    for iteration in range(iterations):
        coordinates = [c.detach() for c in coordinates]
        windows = volume.lookup(*coordinates)
        hidden, changes = advance(hidden, [c - grid for c in coordinates], windows)
        coordinates = [c + change for c, change in zip(coordinates, changes, strict=True)]
        if every_iteration or iteration == iterations - 1:
            for decoder, c, h, found in zip(decoders, coordinates, hidden, flows, strict=True):
                found.append(upsample_convex(c - grid, decoder.upsampling_weights(h)))
    return flows


#: Hidden states, flows and windows of all decoders -> their next hidden states, and the changes of their flows.
_Advance = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor]], tuple[list[Tensor], list[Tensor]]]
_Aggregation = Callable[[Sequence[Tensor]], Sequence[Tensor]]
_Recurrence = Callable[[Tensor, Tensor], Tensor]


def _aggregation(
    decoders: Sequence[Decoder], attention: Attention | None, context: Tensor, *, low_memory: bool
) -> _Aggregation:
    """What turns each decoder's motion features into all of the GRU's input but the context."""
    aggregators = [decoder.aggregator for decoder in decoders if decoder.aggregator is not None]
    if attention is None:
        return lambda motion: motion
    if low_memory:
        on_demand = OnDemandAttention(*attention.queries_keys(context))
        return lambda motion: _beside(motion, on_demand.aggregate(aggregators, motion))
    weights = attention(context)
    return lambda motion: _beside(motion, aggregate_together(aggregators, weights, motion))


def _one_by_one(decoders: Sequence[Decoder], aggregate: _Aggregation, context: Tensor) -> _Advance:
    recurrences = [_recurrence(decoder, context) for decoder in decoders]

    def advance(
        hidden: Sequence[Tensor], flows: Sequence[Tensor], windows: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        motion = [d.encoder(f, w) for d, f, w in zip(decoders, flows, windows, strict=True)]
        states = [step(h, m) for step, h, m in zip(recurrences, hidden, aggregate(motion), strict=True)]
        return states, [d.flow_head(h) for d, h in zip(decoders, states, strict=True)]

    return advance


def _batched(decoders: Sequence[Decoder], aggregate: _Aggregation, context: Tensor) -> _Advance | None:
    """As :func:`_one_by_one`; None for a single decoder, for those of another kind, and where one alone is trained."""
    kinds = [decoder for decoder in decoders if isinstance(decoder, GRUDecoder)]
    if len(decoders) < 2 or len(kinds) < len(decoders):
        return None
    if torch.is_grad_enabled() and not alike_in_gradients(p for kind in kinds for p in kind.parameters()):
        return None
    count, together = len(kinds), BatchedDecoders(kinds, context)

    def advance(
        hidden: Sequence[Tensor], flows: Sequence[Tensor], windows: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        motion = together.motion(torch.cat(list(flows), 1), torch.cat(list(windows), 1))
        states = together.step(torch.cat(list(hidden), 1), torch.cat(list(aggregate(motion.chunk(count, 1))), 1))
        return list(states.chunk(count, 1)), list(together.change(states).chunk(count, 1))

    return advance


def _beside(motion: Sequence[Tensor], shared: Sequence[Tensor]) -> list[Tensor]:
    return [torch.cat(pair, 1) for pair in zip(motion, shared, strict=True)]


def _recurrence(decoder: Decoder, context: Tensor) -> _Recurrence:
    if isinstance(decoder.gru, SepConvGRU):
        return HoistedGRU(decoder.gru, context)
    return lambda hidden, motion: decoder.gru(hidden, torch.cat([context, motion], 1))


class HoistedGRU:
    """A :class:`~ffngen.models.update.SepConvGRU` whose input begins with a context that stays.

    A convolution is linear in its input's channels: the context's part is computed once, bias included.
    Update and reset gate see the same input, so they are one convolution.
    """

    def __init__(self, gru: SepConvGRU, context: Tensor) -> None:
        self._directions = [_Direction(gru, direction, context) for direction in (1, 2)]

    def __call__(self, hidden: Tensor, motion: Tensor) -> Tensor:
        """The next hidden state (B, 128, h, w), from the input without its context."""
        for step in self._directions:
            both = torch.cat([hidden, motion], 1)
            gates = torch.sigmoid(functional.conv2d(both, step.gates, padding=step.padding) + step.gates_context)
            z, r = gates.split(DIM, 1)
            both = torch.cat([r * hidden, motion], 1)
            q = torch.tanh(functional.conv2d(both, step.candidate, padding=step.padding) + step.candidate_context)
            hidden = hidden + z * (q - hidden)
        return hidden


class _Direction:
    """The weights of one direction without the context's channels, and what the context contributes."""

    def __init__(self, gru: SepConvGRU, direction: int, context: Tensor) -> None:
        convolutions = gru.gates(direction)
        self.padding = convolutions[0].padding
        weight = torch.cat([c.weight for c in convolutions])
        bias = torch.cat([c.bias for c in convolutions])
        constant = functional.conv2d(context, weight[:, DIM : 2 * DIM], bias, padding=self.padding)
        changing = torch.cat([weight[:, :DIM], weight[:, 2 * DIM :]], 1)
        self.gates, self.candidate = changing.split([2 * DIM, DIM])
        self.gates_context, self.candidate_context = constant.split([2 * DIM, DIM], 1)
