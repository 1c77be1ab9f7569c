import math

import pytest
import torch
from torch.nn import functional

from ffngen.models.attention import DIM, Aggregate, Attention, aggregate_together
from ffngen.models.config import EncoderInput
from ffngen.models.coordinates import Padding, pixel_grid
from ffngen.models.encoder_input import IMAGENET_MEAN, IMAGENET_STD, semantic_features
from ffngen.models.on_demand import OnDemandAttention
from ffngen.models.super_kernel import SuperKernelBlock
from ffngen.models.update import SepConvGRU
from ffngen.models.upsampling import upsample_convex


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_pixel_grid_is_x_then_y() -> None:
    grid = pixel_grid(3, 4)
    assert grid.shape == (1, 2, 3, 4)
    assert grid[0, :, 2, 1].tolist() == [1, 2]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (63, 200), (64, 64), (129, 71), (1080, 1921)])
def test_padding_fits_and_is_undone(height: int, width: int) -> None:
    padding = Padding.of_size(height, width)
    image = _random(1, 1, height, width)
    padded = padding.pad(image)
    assert padded.shape[-2] % 8 == 0 and padded.shape[-1] % 8 == 0
    assert min(padded.shape[-2:]) >= 64
    assert padded.shape[-1] < max(65, width + 8)
    assert torch.equal(padding.crop(padded), image)
    assert padded[0, 0, 0, 0] == image[0, 0, 0, 0]


def test_convex_upsampling_is_its_loop() -> None:
    height, width = 3, 4
    flow, weights = _random(1, 2, height, width), _random(1, 576, height, width, seed=1)
    found = upsample_convex(flow, weights)
    assert found.shape == (1, 2, 24, 32)
    for y in range(24):
        for x in range(32):
            row, column, i, j = y // 8, x // 8, y % 8, x % 8
            raw = [weights[0, neighbour * 64 + i * 8 + j, row, column].item() for neighbour in range(9)]
            total = sum(math.exp(value) for value in raw)
            for axis in (0, 1):
                expected = 0.0
                for neighbour, value in enumerate(raw):
                    r, c = row + neighbour // 3 - 1, column + neighbour % 3 - 1
                    if 0 <= r < height and 0 <= c < width:
                        expected += math.exp(value) / total * 8 * flow[0, axis, r, c].item()
                assert abs(found[0, axis, y, x].item() - expected) < 1e-5


def test_attention_and_aggregation_are_their_loops() -> None:
    torch.manual_seed(0)
    attention, aggregate = Attention(), Aggregate()
    aggregate.gamma.data.fill_(0.7)
    attention.requires_grad_(False)
    aggregate.requires_grad_(False)
    context, motion = _random(1, DIM, 3, 4), _random(1, DIM, 3, 4, seed=1)
    q, k = (attention.to_qk.weight[:, :, 0, 0] @ context[0].reshape(DIM, 12)).split(DIM)
    values = aggregate.to_v.weight[:, :, 0, 0] @ motion[0].reshape(DIM, 12)
    expected = motion[0].reshape(DIM, 12).clone()
    for i in range(12):
        likeness = torch.tensor([(q[:, i] @ k[:, j]).item() / math.sqrt(DIM) for j in range(12)])
        share = likeness.exp() / likeness.exp().sum()
        for j in range(12):
            expected[:, i] = expected[:, i] + 0.7 * share[j] * values[:, j]
    weights = attention(context)
    torch.testing.assert_close(weights.sum(-1), torch.ones(1, 12))
    found = aggregate(weights, motion)
    assert (found - motion).abs().max() > 1e-3
    torch.testing.assert_close(found[0].reshape(DIM, 12), expected, atol=1e-5, rtol=1e-5)


def test_two_aggregations_together_or_on_demand_are_the_single_ones() -> None:
    torch.manual_seed(0)
    attention, aggregators = Attention(), [Aggregate(), Aggregate()]
    for i, aggregate in enumerate(aggregators):
        aggregate.gamma.data.fill_(0.5 + i)
    context = 3 * _random(2, DIM, 4, 5)
    motion = [_random(2, DIM, 4, 5, seed=1), _random(2, DIM, 4, 5, seed=2)]
    weights = attention(context)
    single = [a(weights, m) for a, m in zip(aggregators, motion, strict=True)]
    together = aggregate_together(aggregators, weights, motion)
    on_demand = OnDemandAttention(*attention.queries_keys(context)).aggregate(aggregators, motion)
    for expected, one, other in zip(single, together, on_demand, strict=True):
        torch.testing.assert_close(one, expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(other, expected, atol=1e-5, rtol=1e-5)


def test_gru_is_its_formula_at_one_pixel() -> None:
    torch.manual_seed(0)
    gru = SepConvGRU(DIM)
    hidden, x = _random(1, DIM, 6, 6), _random(1, DIM, 6, 6, seed=1)
    found = gru(hidden, x)

    def step(h: torch.Tensor, direction: int) -> torch.Tensor:
        padding = ((0, 0), (0, 2), (2, 0))[direction]

        def gate(name: str, given: torch.Tensor) -> torch.Tensor:
            layer = getattr(gru, f"conv{name}{direction}")
            return functional.conv2d(torch.cat([given, x], 1), layer.weight, layer.bias, padding=padding)

        z, r = torch.sigmoid(gate("z", h)), torch.sigmoid(gate("r", h))
        return (1 - z) * h + z * torch.tanh(gate("q", r * h))

    torch.testing.assert_close(found, step(step(hidden, 1), 2))
    # Each direction sees two pixels far for its gates, and two more for its candidate.
    moved = hidden.clone()
    moved[0, :, 0, 0] += 1
    assert torch.equal(gru(moved, x)[0, :, 5, 5], found[0, :, 5, 5])
    assert not torch.equal(gru(moved, x)[0, :, 4, 4], found[0, :, 4, 4])


def test_super_kernels_reach_seven_pixels_far() -> None:
    torch.manual_seed(0)
    block = SuperKernelBlock(6, 4, (1, 15))
    assert block.ffn1[0].weight.shape == (9, 6, 1, 1)
    x = _random(1, 6, 20, 20)
    moved = x.clone()
    moved[0, :, 10, 10] += 1
    changed = (block(moved) - block(x)).abs().amax((0, 1)) > 0
    rows = changed.any(1).nonzero().ravel()
    assert (rows.min(), rows.max()) == (3, 17)


class _Spy(torch.nn.Module):
    """Stands for the encoder: keeps its input and gives, at each cell, that cell's own coordinates."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.seen = image
        return 8 * pixel_grid(image.shape[-2] // 8, image.shape[-1] // 8)


def test_encoder_input_of_each_source() -> None:
    image = torch.full((1, 3, 128, 192), 255.0)
    spy = _Spy()
    semantic_features(spy, image, EncoderInput.SYMMETRIC)
    assert spy.seen.shape == image.shape
    assert torch.equal(spy.seen, torch.ones_like(image))
    semantic_features(spy, image, EncoderInput.IMAGENET)
    white = [(1 - mean) / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    torch.testing.assert_close(spy.seen[0, :, 40, 50], torch.tensor(white))
    semantic_features(spy, image, EncoderInput.DAD_3DHEADS)
    assert spy.seen.shape == (1, 3, 256, 256)
    black = [-mean / std for mean, std in zip(IMAGENET_MEAN, IMAGENET_STD, strict=True)]
    torch.testing.assert_close(spy.seen[0, :, 0, 128], torch.tensor(black))
    torch.testing.assert_close(spy.seen[0, :, 128, 128], torch.tensor(white))


def test_features_at_dad_scale_lie_where_the_image_does() -> None:
    # 128x192 becomes 171x256, 42 pixels from the top of the square.
    places = semantic_features(_Spy(), torch.zeros(1, 3, 128, 192), EncoderInput.DAD_3DHEADS)
    assert places.shape == (1, 2, 16, 24)
    for row, column in ((5, 8), (10, 20), (3, 2)):
        x = (8 * column + 0.5) * 256 / 192 - 0.5
        y = (8 * row + 0.5) * 171 / 128 - 0.5 + 42
        torch.testing.assert_close(places[0, :, row, column], torch.tensor([x, y]), atol=1e-3, rtol=0)
