"""Random numbers that depend on their key alone."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ffngen.errors import JobError


class Stream(IntEnum):
    """What a draw is for: streams never share numbers. The values are part of what a seed means."""

    IDENTITY = 0
    EXPRESSION = 1
    POSE = 2


def generator(seed: int, stream: Stream, *indices: int) -> np.random.Generator:
    """The generator of one draw, the same whatever else is drawn, before or after.

    :param seed: 0 or more.
    :param indices: 0 or more, below 2**32: which identity, which of its expressions.
    :raises JobError: for a negative seed or index.
    """
    if not 0 <= seed < 2**63:
        raise JobError(f"a seed must lie in 0 to 2**63 - 1, not {seed}", where="seed")
    for index in indices:
        if not 0 <= index < 2**32:
            raise JobError(f"an index must lie in 0 to 2**32 - 1, not {index}", where="identities")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(int(stream), *indices))))


def truncated_normal(rng: np.random.Generator, size: int, *, limit: float) -> NDArray[np.float64]:
    """Standard normal numbers within [-limit, limit], (size,) float64.

    By inversion, which takes one uniform number for each: a longer draw begins with the shorter one.
    """
    uniform = rng.random(size)
    quantiles: NDArray[np.float64] = ndtri(ndtr(-limit) + uniform * (ndtr(limit) - ndtr(-limit)))
    return quantiles.clip(-limit, limit)
