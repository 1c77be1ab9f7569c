"""The interface of all estimators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ffngen.flow.values import Flow

Rgb = NDArray[np.uint8]


class Estimate(NamedTuple):
    """Flows (H, W, 2) float32, pixels; head and expression flow are None where an estimator knows no heads."""

    facial: Flow
    head: Flow | None
    expression: Flow | None


class Estimator(Protocol):
    """Flow from one image to another."""

    @property
    def name(self) -> str:
        """For tables."""

    @property
    def details(self) -> dict[str, str]:
        """What else to say of it: where its weights come from, how it is set."""

    def __call__(self, image1: Rgb, image2: Rgb) -> Estimate:
        """The flows between two images (H, W, 3) uint8 RGB of one size."""

    def along(self, frames: Iterable[Rgb]) -> Iterator[Estimate]:
        """The flows from each frame to the next one."""


class PairByPair:
    """What estimates a sequence pair by pair."""

    def along(self, frames: Iterable[Rgb]) -> Iterator[Estimate]:
        """The flows from each frame to the next one."""
        for image1, image2 in pairwise(frames):
            yield self(image1, image2)  # type: ignore[operator]
