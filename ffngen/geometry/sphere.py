"""Directions all around."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fibonacci_sphere(count: int) -> NDArray[np.float64]:
    """(count, 3) float64: unit vectors, evenly over the sphere (a Fibonacci lattice)."""
    height = 1 - (2 * np.arange(count) + 1) / count
    around = np.pi * (1 + np.sqrt(5)) * np.arange(count)
    radius = np.sqrt(1 - height**2)
    directions: NDArray[np.float64] = np.stack([radius * np.cos(around), height, radius * np.sin(around)], axis=1)
    return directions
