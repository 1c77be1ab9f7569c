"""Intervals of a mean over pairs whose subjects were drawn, and not the pairs: bootstrap over subjects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: So many draws; the interval's ends then move by less than a hundredth of its width from seed to seed.
DRAWS = 10_000
#: Draws times subjects that are held at once.
_AT_ONCE = 1 << 21


def subject_interval(
    values: Sequence[float], subjects: Sequence[str], *, seed: int = 0, share: float = 0.95
) -> tuple[float, float] | None:
    """The percentile interval of the mean of all values (Efron and Tibshirani 1993, chapter 13).

    Each draw takes as many subjects as there are, with replacement, each with all its values (a cluster bootstrap:
    values of one subject are alike).

    :param values: one per pair.
    :param subjects: whose it is.
    :returns: both ends; None with fewer than two subjects, of which nothing can be drawn.
    """
    names, index = np.unique(np.asarray(subjects, dtype=np.str_), return_inverse=True)
    if len(names) < 2:
        return None
    sums = np.bincount(index, weights=np.asarray(values, dtype=np.float64))
    counts = np.bincount(index)
    rng = np.random.default_rng(seed)
    means = []
    step = max(1, _AT_ONCE // len(names))
    for start in range(0, DRAWS, step):
        size = min(step, DRAWS - start)
        times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=size)
        means.append((times @ sums) / (times @ counts))
    low, high = np.quantile(np.concatenate(means), [(1 - share) / 2, (1 + share) / 2])
    return float(low), float(high)
