"""Inverses of many small matrices in closed form, which is much quicker than a general solver."""

from __future__ import annotations

import numpy as np

from ffngen.splat.avatar import Array64


def inverse_2x2(matrices: Array64) -> Array64:
    """(N, 2, 2): the inverses of regular matrices (N, 2, 2), by their adjugates."""
    (a, b), (c, d) = np.moveaxis(matrices, 0, -1)
    adjugate = np.stack([np.stack([d, -b], axis=-1), np.stack([-c, a], axis=-1)], axis=-2)
    return np.asarray(adjugate / (a * d - b * c)[:, None, None])


def inverse_3x3(matrices: Array64) -> Array64:
    """(N, 3, 3): the inverses of regular matrices (N, 3, 3): their rows are the columns' cross products."""
    first, second, third = np.moveaxis(matrices, 2, 0)
    across = np.cross(second, third)
    rows = np.stack([across, np.cross(third, first), np.cross(first, second)], axis=1)
    return np.asarray(rows / np.einsum("ni,ni->n", first, across)[:, None, None])
