import math

import pytest
import torch
from torch import Tensor

from ffngen.models.correlation import CHANNELS, LEVELS, RADIUS, SIDE, AllPairsCorrelation
from ffngen.models.on_demand import OnDemandCorrelation

BATCH, DEPTH, HEIGHT, WIDTH = 2, 5, 9, 11


def _features(height: int = HEIGHT, width: int = WIDTH) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(BATCH, DEPTH, height, width, generator=generator)
    return first, torch.randn(BATCH, DEPTH, height, width, generator=generator)


def _coordinates(spread: float = 4.0, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    grid = torch.stack([x, y]).float()
    return grid + spread * torch.randn(BATCH, 2, height, width, generator=generator)


def _bilinear(image: list[list[float]], x: float, y: float) -> float:
    height, width = len(image), len(image[0])
    left, top = math.floor(x), math.floor(y)
    total = 0.0
    for column, along_x in ((left, 1 - (x - left)), (left + 1, x - left)):
        for row, along_y in ((top, 1 - (y - top)), (top + 1, y - top)):
            if 0 <= column < width and 0 <= row < height:
                total += along_x * along_y * image[row][column]
    return total


def _halved(image: list[list[float]]) -> list[list[float]]:
    rows, columns = len(image) // 2, len(image[0]) // 2
    return [
        [sum(image[2 * r + i][2 * c + j] for i in (0, 1) for j in (0, 1)) / 4 for c in range(columns)]
        for r in range(rows)
    ]


def _brute_force(first: Tensor, second: Tensor, centre: Tensor, batch: int, row: int, column: int) -> list[float]:
    """The window of one pixel, from dot products, without any of the package's code."""
    feature = first[batch, :, row, column].double()
    level = ((feature[:, None, None] * second[batch].double()).sum(0) / math.sqrt(DEPTH)).tolist()
    window = []
    x, y = centre[batch, :, row, column].double().tolist()
    for i in range(LEVELS):
        for dx in range(-RADIUS, RADIUS + 1):
            for dy in range(-RADIUS, RADIUS + 1):
                window.append(_bilinear(level, x / 2**i + dx, y / 2**i + dy))
        level = _halved(level)
    return window


@pytest.mark.parametrize("kind", [AllPairsCorrelation, OnDemandCorrelation])
def test_lookup_is_the_bilinear_window_of_every_level(kind: type) -> None:
    first, second = _features()
    coordinates = _coordinates()
    (windows,) = kind(first, second).lookup(coordinates)
    assert windows.shape == (BATCH, CHANNELS, HEIGHT, WIDTH)
    for batch, row, column in ((0, 0, 0), (0, 4, 5), (1, 8, 10), (1, 3, 7), (0, 8, 0)):
        expected = torch.tensor(_brute_force(first, second, coordinates, batch, row, column))
        assert expected.abs().max() > 0.1
        torch.testing.assert_close(windows[batch, :, row, column].double(), expected.double(), atol=2e-5, rtol=0)


def test_the_slow_axis_of_a_window_is_x() -> None:
    first = torch.ones(1, 1, 16, 16)
    second = torch.zeros(1, 1, 16, 16)
    second[0, 0, 7, 10] = 1  # y 7, x 10
    centre = torch.full((1, 2, 16, 16), 8.0)
    (windows,) = AllPairsCorrelation(first, second).lookup(centre)
    finest = windows[0, : SIDE**2, 0, 0].reshape(SIDE, SIDE)
    assert finest.nonzero().tolist() == [[2 + RADIUS, -1 + RADIUS]]


@pytest.mark.parametrize("kind", [AllPairsCorrelation, OnDemandCorrelation])
def test_several_lookups_at_once_are_the_single_ones(kind: type) -> None:
    correlation = kind(*_features())
    one, other = _coordinates(2.0), _coordinates(7.0)
    together = correlation.lookup(one, other)
    torch.testing.assert_close(together[0], correlation.lookup(one)[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(together[1], correlation.lookup(other)[0], atol=1e-5, rtol=0)
    assert not torch.equal(*together)


@pytest.mark.parametrize("side", [8, 15, 16, 35])
def test_on_demand_is_all_pairs(side: int) -> None:
    features = _features(side, side + 3)
    coordinates = _coordinates(12.0, side, side + 3)
    (kept,) = AllPairsCorrelation(*features).lookup(coordinates)
    (made,) = OnDemandCorrelation(*features).lookup(coordinates)
    torch.testing.assert_close(made, kept, atol=2e-5, rtol=0)
    assert torch.isfinite(kept).all()


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    features, coordinates = _features(), _coordinates()
    (whole,) = OnDemandCorrelation(*features).lookup(coordinates)
    monkeypatch.setattr("ffngen.models.on_demand._BLOCK", 4)
    (blocks,) = OnDemandCorrelation(*features).lookup(coordinates)
    torch.testing.assert_close(blocks, whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [AllPairsCorrelation, OnDemandCorrelation])
@pytest.mark.parametrize("far", [1e3, -1e3, 1e9, -1e9])
def test_far_points_see_nothing(kind: type, far: float) -> None:
    (windows,) = kind(*_features()).lookup(torch.full((BATCH, 2, HEIGHT, WIDTH), far))
    assert torch.equal(windows, torch.zeros_like(windows))
