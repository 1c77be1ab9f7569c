"""The stream of batches: a pure function of the seed and the step, so that a run can go on at any step."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ffngen.errors import FfngenError
from ffngen.seeds import derive_generator
from ffngen.training.augment import centre_crop, draw
from ffngen.training.config import AugmentConfig
from ffngen.training.losses import Truth
from ffngen.training.sample import Sample, Source

#: Draws are dealt to the sources in rounds of so many.
_ROUND = 1000

#: Batches that each worker prepares ahead.
_PREFETCH = 3


class Batch(NamedTuple):
    """B samples, their channels last, as they are read: the device that computes turns them.

    :param image1: (B, H, W, 3) uint8, RGB.
    :param image2: the same.
    :param facial: (B, H, W, 2) float32, pixels.
    :param head: the same; 0 where a sample has none.
    :param has_head: (B,) bool.
    :param valid: (B, H, W) bool.
    :param mask: (B, H, W) bool.
    """

    image1: Tensor
    image2: Tensor
    facial: Tensor
    head: Tensor
    has_head: Tensor
    valid: Tensor
    mask: Tensor

    @property
    def images(self) -> tuple[Tensor, Tensor]:
        """Both images as networks take them: (B, 3, H, W) float32, RGB 0..255."""
        first, second = (image.permute(0, 3, 1, 2).float().contiguous() for image in (self.image1, self.image2))
        return first, second

    @property
    def truth(self) -> Truth:
        """What the loss needs."""
        facial, head = (flow.permute(0, 3, 1, 2) for flow in (self.facial, self.head))
        return Truth(facial, head, self.has_head, self.valid, self.mask)


class SampleOrder:
    """Which sample is drawn when: each source is gone through in a new random order time and again.

    :param sizes: how many samples each source has.
    :param weights: each one's share of the draws, in any unit.
    :param seed: of all orders.
    """

    def __init__(self, sizes: Sequence[int], weights: Sequence[float], seed: int) -> None:
        self.sizes = tuple(sizes)
        self.seed = seed
        self.shares = _whole_shares(weights)

    def __call__(self, number: int) -> tuple[int, int]:
        """The source, and the index in it, of a draw; draws are counted from 0."""
        turn, place = divmod(number, _ROUND)
        deal = _deal(self.shares, self.seed, turn)
        source = int(deal[place])
        drawn = turn * self.shares[source] + int((deal[:place] == source).sum())
        epoch, position = divmod(drawn, self.sizes[source])
        return source, int(_permutation(self.sizes[source], self.seed, source, epoch)[position])


def _whole_shares(weights: Sequence[float]) -> tuple[int, ...]:
    """Whole numbers in proportion to the weights, at least 1 each, that add up to a round."""
    shares = [max(1, int(_ROUND * weight / sum(weights))) for weight in weights]
    shares[int(np.argmax(shares))] += _ROUND - sum(shares)
    return tuple(shares)


@lru_cache(maxsize=4)
def _deal(shares: tuple[int, ...], seed: int, turn: int) -> NDArray[np.int64]:
    return derive_generator(seed, "deal", turn).permutation(np.repeat(np.arange(len(shares)), shares))


@lru_cache(maxsize=16)
def _permutation(size: int, seed: int, source: int, epoch: int) -> NDArray[np.int64]:
    return derive_generator(seed, "order", source, epoch).permutation(size)


@dataclass(frozen=True)
class _Draws(Dataset[Sample | FfngenError]):
    """Draw number -> augmented sample. A fault is handed over, for a worker's traceback is no message."""

    sources: tuple[Source, ...]
    order: SampleOrder
    augment: AugmentConfig | None
    crop: tuple[int, int]
    seed: int
    scale: float

    def __getitem__(self, number: int) -> Sample | FfngenError:
        source, index = self.order(number)
        try:
            lazy = self.sources[source][index]
            size = (lazy.width, lazy.height)
            if self.augment is None:
                return centre_crop(size, self.crop, self.scale)(lazy)
            rng = derive_generator(self.seed, "augment", number)
            return draw(self.augment, size, self.crop, rng, self.scale)(lazy)
        except FfngenError as error:
            return error


@dataclass(frozen=True)
class _Numbers:
    """The draws of each step's batch that fall to one of several processes."""

    first: int
    last: int
    batch_size: int
    rank: int
    world: int

    def __iter__(self) -> Iterator[list[int]]:
        share = self.batch_size // self.world
        for step in range(self.first, self.last):
            start = step * self.batch_size + self.rank * share
            yield list(range(start, start + share))

    def __len__(self) -> int:
        return self.last - self.first


@dataclass(frozen=True)
class BatchStream:
    """All batches of a run.

    :param sources: each with its weight.
    :param batch_size: over all processes.
    :param crop: (width, height), pixels.
    :param workers: processes that load; 0 loads in this one.
    :param rank: which of ``world`` processes this is.
    :param scale: how much larger than they are images are shown.
    """

    sources: tuple[tuple[Source, float], ...]
    batch_size: int
    crop: tuple[int, int]
    augment: AugmentConfig | None
    seed: int
    workers: int = 0
    rank: int = 0
    world: int = 1
    scale: float = 1

    def steps(self, first: int, last: int) -> Iterator[Batch]:
        """The batches of the steps ``first`` to ``last - 1``.

        :raises FfngenError: a file of a sample is at fault.
        """
        sources = tuple(source for source, _ in self.sources)
        order = SampleOrder([len(s) for s in sources], [weight for _, weight in self.sources], self.seed)
        loader = DataLoader(
            _Draws(sources, order, self.augment, self.crop, self.seed, self.scale),
            batch_sampler=_Numbers(first, last, self.batch_size, self.rank, self.world),
            num_workers=self.workers,
            collate_fn=collate,
            worker_init_fn=_start_worker,
            prefetch_factor=_PREFETCH if self.workers else None,
            pin_memory=torch.cuda.is_available(),
            multiprocessing_context="fork" if self.workers else None,
        )
        for batch in loader:
            if isinstance(batch, FfngenError):
                raise batch
            yield batch


def collate(samples: Sequence[Sample | FfngenError]) -> Batch | FfngenError:
    """Samples of one size as a batch; the first fault where there is one."""
    whole = []
    for sample in samples:
        if isinstance(sample, FfngenError):
            return sample
        whole.append(sample)
    heads = [np.zeros_like(s.facial) if s.head is None else s.head for s in whole]
    return Batch(
        _stacked([s.image1 for s in whole]),
        _stacked([s.image2 for s in whole]),
        _stacked([s.facial for s in whole]),
        _stacked(heads),
        torch.tensor([s.head is not None for s in whole]),
        _stacked([s.valid for s in whole]),
        _stacked([s.mask for s in whole]),
    )


def _stacked(arrays: Sequence[NDArray[np.generic]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))


def _start_worker(number: int) -> None:
    # Ctrl-C and a scheduler's SIGTERM reach every process; when to stop is for the one that trains to say.
    for request in (signal.SIGINT, signal.SIGTERM):
        signal.signal(request, signal.SIG_IGN)
    # The workers are the parallelism; threads of their own would get in each other's way.
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
