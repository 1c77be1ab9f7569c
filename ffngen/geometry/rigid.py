"""Rigid motion between two sets of the same points."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def rotation_between(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.float64]:
    """The rotation (3, 3) that best takes points (P, 3) to points (P, 3) (Kabsch 1976)."""
    a = np.asarray(before, dtype=np.float64)
    b = np.asarray(after, dtype=np.float64)
    u, _, vt = np.linalg.svd((a - a.mean(axis=0)).T @ (b - b.mean(axis=0)))
    flip = np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation: NDArray[np.float64] = (u @ flip @ vt).T
    return rotation
