"""How different people look to a face-recognition network: Table 1 of the FacialFlowNet paper, and more.

The paper names its measures without formulas. Here, with one vector per person, each of unit length:

- ``std``: the standard deviation of each component over people, averaged over components. Unit vectors cannot have
  more than ``1 / sqrt(D)``, so vectors of different sizes compare by ``std * sqrt(D)``.
- ``cv``: the standard deviation of each component over the magnitude of its mean, averaged over components. A component
  whose mean is near 0 makes it huge; its median over components is told as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array64 = NDArray[np.float64]

#: At most so many people are compared with each other.
_MOST_COMPARED = 2000


def spread(vectors: NDArray[Any]) -> dict[str, float]:
    """Measures of one vector per person (N, D), N >= 2: see this module.

    ``between`` is the mean cosine similarity of two different people, over all pairs.
    """
    unit = _unit(vectors)
    count, size = unit.shape
    std, mean = unit.std(axis=0), unit.mean(axis=0)
    ratios = std / np.maximum(np.abs(mean), 1e-12)
    total = unit.sum(axis=0)
    return {
        "people": float(count),
        "std": float(std.mean()),
        "std_times_sqrt_size": float(std.mean() * np.sqrt(size)),
        "cv": float(ratios.mean()),
        "cv_median": float(np.median(ratios)),
        # |sum|^2 is the sum over all pairs, each vector with itself included.
        "between": float((total @ total - count) / (count * (count - 1))),
    }


def similarities(vectors: NDArray[Any], people: Sequence[str]) -> tuple[Array64, Array64]:
    """Cosine similarities of pairs of pictures: of the same person (S,), and of different people (P,).

    Of more than 2000 people, the first 2000 are compared.

    :param vectors: (N, D), one per picture.
    :param people: (N,), who each shows.
    """
    unit = _unit(vectors)
    number = {person: i for i, person in enumerate(dict.fromkeys(people))}
    who = np.array([number[person] for person in people])
    chosen = who < _MOST_COMPARED
    unit, who = unit[chosen], who[chosen]
    same, first = [], []
    for person in range(who.max(initial=-1) + 1):
        of_person = np.flatnonzero(who == person)
        first.append(of_person[0])
        upper = np.triu_indices(len(of_person), k=1)
        same.append((unit[of_person] @ unit[of_person].T)[upper])
    one_each = unit[first]
    between = (one_each @ one_each.T)[np.triu_indices(len(first), k=1)]
    return np.concatenate(same) if same else np.zeros(0), between


def closer_than(vectors: NDArray[Any], bound: float) -> float:
    """The share of all pairs of vectors (N, D), as they are, whose Euclidean distance is less than ``bound``.

    Of more than 2000, the first 2000 are compared.
    """
    wide = np.asarray(vectors[:_MOST_COMPARED], dtype=np.float64)
    square = (wide * wide).sum(axis=1)
    squares = square[:, None] + square[None] - 2 * wide @ wide.T
    return float((squares[np.triu_indices(len(wide), k=1)] < bound * bound).mean())


def told_apart(same: Array64, between: Array64) -> float:
    """How often a pair of the same person is more similar than a pair of different people; 0.5 is chance."""
    ordered = np.sort(between)
    below = np.searchsorted(ordered, same, side="left") + np.searchsorted(ordered, same, side="right")
    return float(below.mean() / (2 * len(ordered)))


def _unit(vectors: NDArray[Any]) -> Array64:
    wide = np.asarray(vectors, dtype=np.float64)
    unit: Array64 = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    return unit
