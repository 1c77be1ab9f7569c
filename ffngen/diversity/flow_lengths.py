"""Histograms of how far pixels move, on a logarithmic scale, that add up over any number of pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

#: Bins per doubling of the length; a quantile is off by at most 1/8 octave, 9%.
_PER_OCTAVE = 8
#: Lower edges of the bins, pixels: 1/1024 to 1024. Shorter ones are in the first bin, longer ones in the last.
EDGES: Final = 2.0 ** (np.arange(-10 * _PER_OCTAVE, 10 * _PER_OCTAVE + 1) / _PER_OCTAVE)
BINS: Final = len(EDGES) + 1


@dataclass
class FlowLengths:
    """How many pixels moved how far.

    :param counts: (:data:`BINS`,) int64.
    :param total: the sum of all lengths, pixels.
    :param longest: pixels.
    """

    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, dtype=np.int64))
    total: float = 0.0
    longest: float = 0.0

    def add(self, lengths: NDArray[Any]) -> None:
        """Add lengths (P,), pixels."""
        if not lengths.size:
            return
        self.counts += np.bincount(np.searchsorted(EDGES, lengths, side="right"), minlength=BINS)
        self.total += float(lengths.sum(dtype=np.float64))
        self.longest = max(self.longest, float(lengths.max()))

    def merge(self, other: FlowLengths) -> None:
        """Add what another histogram holds."""
        self.counts += other.counts
        self.total += other.total
        self.longest = max(self.longest, other.longest)

    @property
    def pixels(self) -> int:
        """How many lengths were added."""
        return int(self.counts.sum())

    @property
    def mean(self) -> float:
        """Mean length, pixels; 0 where there is none."""
        return self.total / max(self.pixels, 1)

    def quantile(self, share: float) -> float:
        """The length, pixels, that this share of the pixels does not exceed; interpolated within its bin."""
        if not self.pixels:
            return 0.0
        below = np.concatenate([[0], np.cumsum(self.counts)])
        bounds = np.concatenate([[0.0], EDGES, [max(self.longest, EDGES[-1])]])
        return min(float(np.interp(share * self.pixels, below, bounds)), self.longest)
