"""Colour over directions: real spherical harmonics up to degree 3, with 3D Gaussian Splatting's order and signs.

Basis functions after Sloan, "Efficient Spherical Harmonic Evaluation" (JCGT, 2013).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array64 = NDArray[np.float64]

#: The constant function: a colour c has the coefficient (c - 0.5) / CONSTANT.
CONSTANT = 0.28209479177387814


def basis(directions: Array64, count: int) -> Array64:
    """(N, count) float64: the functions' values in unit directions (N, 3).

    :param count: 1, 4, 9 or 16.
    """
    x, y, z = directions.T
    functions = [np.full_like(x, CONSTANT)]
    if count > 1:
        functions += [-0.4886025119029199 * y, 0.4886025119029199 * z, -0.4886025119029199 * x]
    if count > 4:
        functions += [
            1.0925484305920792 * x * y,
            -1.0925484305920792 * y * z,
            0.31539156525252005 * (2 * z * z - x * x - y * y),
            -1.0925484305920792 * x * z,
            0.5462742152960396 * (x * x - y * y),
        ]
    if count > 9:
        functions += [
            -0.5900435899266435 * y * (3 * x * x - y * y),
            2.890611442640554 * x * y * z,
            -0.4570457994644658 * y * (4 * z * z - x * x - y * y),
            0.3731763325901154 * z * (2 * z * z - 3 * x * x - 3 * y * y),
            -0.4570457994644658 * x * (4 * z * z - x * x - y * y),
            1.445305721320277 * z * (x * x - y * y),
            -0.5900435899266435 * x * (x * x - 3 * y * y),
        ]
    return np.stack(functions, axis=-1)


def colours(harmonics: Array64, directions: Array64) -> Array64:
    """(N, 3) float64, >= 0: the colours of Gaussians with harmonics (N, K, 3), seen along unit directions (N, 3)."""
    values = np.einsum("nk,nkc->nc", basis(directions, harmonics.shape[1]), harmonics)
    return np.asarray(np.maximum(values + 0.5, 0))
