"""One training sample: two images and what is known of the motion between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ffngen.flow.values import Flow


class Rows(NamedTuple):
    """The rows ``start`` to ``stop - 1`` of an image, all that a crop needs of a file."""

    start: int
    stop: int

    @property
    def slice(self) -> slice:
        """As an index."""
        return slice(self.start, self.stop)


@dataclass(frozen=True)
class Sample:
    """Arrays of one size (H, W).

    :param image1: (H, W, 3) uint8, RGB.
    :param image2: the same.
    :param facial: (H, W, 2) float32, pixels; where it is not valid, 0.
    :param head: the same, or None for a source that knows of no heads.
    :param valid: (H, W) bool: where all flows are known.
    :param mask: (H, W) bool: the head; all true for a source that knows of no heads.
    """

    image1: NDArray[np.uint8]
    image2: NDArray[np.uint8]
    facial: Flow
    head: Flow | None
    valid: NDArray[np.bool_]
    mask: NDArray[np.bool_]


@dataclass(frozen=True)
class LazySample:
    """A sample whose files are read when it is known which rows of them are needed.

    :param height: of the images, pixels.
    :param width: of the images, pixels.
    :param read: gives the sample's rows; every array has ``stop - start`` rows.
    """

    height: int
    width: int
    read: Callable[[Rows], Sample]


class Source(Protocol):
    """An indexed collection of samples. It is picklable, and holds no open files."""

    @property
    def name(self) -> str:
        """For tables and logs."""

    @property
    def has_heads(self) -> bool:
        """Whether its samples have head flow and a mask."""

    def digest(self) -> str:
        """What identifies its content: the same for the same samples in the same order."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> LazySample: ...
