"""Seeds of parts: each is a hash of the job's seed and of what it is for, so no part shifts another's."""

from __future__ import annotations

import hashlib

import numpy as np


def derive_seed(seed: int, *names: str | int) -> int:
    """A seed in 0 to 2**63 - 1 for the part that ``names`` spell, such as ``derive_seed(0, "skin", "open-000001")``."""
    text = "\0".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def derive_generator(seed: int, *names: str | int) -> np.random.Generator:
    """A generator with :func:`derive_seed`'s seed."""
    return np.random.default_rng(derive_seed(seed, *names))
