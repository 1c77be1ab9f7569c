from collections import Counter

import numpy as np
import pytest
import torch

from ffngen.errors import InputFileError
from ffngen.training.batches import BatchStream, SampleOrder
from ffngen.training.config import AugmentConfig
from ffngen.training.sample import LazySample, Rows, Sample


class Numbered:
    """Samples whose images say which they are."""

    name = "numbered"

    def __init__(self, count: int, first: int = 0, *, has_heads: bool = True, faulty: int | None = None) -> None:
        self.count, self.first, self.has_heads, self.faulty = count, first, has_heads, faulty

    def digest(self) -> str:
        return f"{self.first} {self.count}"

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> LazySample:
        if index == self.faulty:
            raise InputFileError("damaged", where="the file")

        def read(rows: Rows) -> Sample:
            shape = (rows.stop - rows.start, 40)
            image = np.full((*shape, 3), self.first + index, dtype=np.uint8)
            flow = np.full((*shape, 2), index, dtype=np.float32)
            yes = np.ones(shape, dtype=bool)
            return Sample(image, image, flow, flow if self.has_heads else None, yes, yes)

        return LazySample(30, 40, read)


def test_each_round_has_each_sample_once_in_a_new_order() -> None:
    order = SampleOrder([17], [1], seed=3)
    rounds = [[order(17 * turn + i)[1] for i in range(17)] for turn in range(3)]
    assert all(sorted(numbers) == list(range(17)) for numbers in rounds)
    assert rounds[0] != rounds[1] != rounds[2]
    assert [SampleOrder([17], [1], seed=4)(i)[1] for i in range(17)] != rounds[0]


def test_mixed_sources_keep_their_shares_and_their_rounds() -> None:
    order = SampleOrder([10, 700], [3, 1], seed=0)
    draws = [order(i) for i in range(2000)]
    assert Counter(source for source, _ in draws) == {0: 1500, 1: 500}
    for source, size in ((0, 10), (1, 700)):
        indices = [index for s, index in draws if s == source]
        for start in range(0, len(indices) - size + 1, size):
            assert sorted(indices[start : start + size]) == list(range(size))


@pytest.mark.parametrize("workers", [0, 2])
def test_the_stream_can_begin_anywhere(workers: int) -> None:
    stream = BatchStream(((Numbered(23), 1.0),), 4, (16, 16), AugmentConfig(), 5, workers)
    whole = list(stream.steps(0, 8))
    later = list(stream.steps(5, 8))
    assert len(whole) == 8
    for a, b in zip(whole[5:], later, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_two_processes_share_each_batch() -> None:
    def part(rank: int, world: int) -> list[list[int]]:
        stream = BatchStream(((Numbered(23), 1.0),), 4, (16, 16), None, 5, 0, rank, world)
        return [[int(i) for i in batch.image1[:, 0, 0, 0]] for batch in stream.steps(0, 6)]

    halves = zip(part(0, 2), part(1, 2), strict=True)
    assert part(0, 1) == [first + second for first, second in halves]


def test_sources_without_heads() -> None:
    stream = BatchStream(((Numbered(5), 1.0), (Numbered(5, 100, has_heads=False), 1.0)), 8, (16, 16), None, 0)
    (batch,) = stream.steps(0, 1)
    assert batch.has_head.tolist() == [int(i) < 100 for i in batch.image1[:, 0, 0, 0]]
    assert batch.facial.shape == batch.head.shape == (8, 16, 16, 2)
    assert batch.truth.facial.shape == (8, 2, 16, 16)
    assert all(image.shape == (8, 3, 16, 16) for image in batch.images)
    assert not batch.head[~batch.has_head].any()
    assert batch.valid.dtype == torch.bool


@pytest.mark.parametrize("workers", [0, 1])
def test_a_fault_in_a_worker_is_one_line(workers: int) -> None:
    stream = BatchStream(((Numbered(6, faulty=3), 1.0),), 2, (16, 16), None, 0, workers)
    with pytest.raises(InputFileError, match=r"^the file: damaged$"):
        list(stream.steps(0, 3))
