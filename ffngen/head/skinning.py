"""The arithmetic of linear blend skinning, one frame at a time.

Formulas: Li et al., "Learning a model of facial shape and expression from 4D scans" (FLAME), equations 1 to 5,
and Loper et al., "SMPL", equations 2 to 10. Everything is float64.

No function here calls BLAS: its sums may be ordered by the number of threads or of frames, and the vertices of
a frame must be the same bytes whatever is computed beside it.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Array64 = NDArray[np.float64]

#: Below this angle (radians) Rodrigues' coefficients come from their series, which is exact there to 1e-17.
_SMALL_ANGLE = 1e-4


def rodrigues(axis_angle: Array64) -> Array64:
    """Rotation matrices of axis-angle vectors.

    :param axis_angle: (..., 3) float64, radians.
    :returns: (..., 3, 3) float64; exactly the identity for a zero vector.
    """
    squared = (axis_angle * axis_angle).sum(axis=-1)
    angle = np.sqrt(squared)
    small = angle < _SMALL_ANGLE
    safe = np.where(small, 1.0, angle)
    sine = np.where(small, 1.0 - squared / 6.0, np.sin(safe) / safe)
    # 1 - cos(a) = 2 sin^2(a/2): no cancellation for small angles.
    cosine = np.where(small, 0.5 - squared / 24.0, 2.0 * (np.sin(safe / 2.0) / safe) ** 2)
    x, y, z = axis_angle[..., 0], axis_angle[..., 1], axis_angle[..., 2]
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*axis_angle.shape[:-1], 3, 3)
    outer = axis_angle[..., :, None] * axis_angle[..., None, :]
    # K^2 = a a^T - |a|^2 I
    square = outer - squared[..., None, None] * np.eye(3)
    rotation = np.eye(3) + sine[..., None, None] * cross + cosine[..., None, None] * square
    return cast(Array64, rotation)


def blend(basis: NDArray[np.float32] | Array64, coefficients: Array64) -> Array64:
    """The offsets that a linear basis gives for one vector of coefficients.

    :param basis: (V, 3, C) float32 or float64 (faster, where it is summed often), metres per unit.
    :param coefficients: (C,) float64.
    :returns: (V, 3) float64, metres; exactly zero where all coefficients are zero.
    """
    vertices, axes, width = basis.shape
    # optimize=False keeps einsum away from BLAS.
    offsets = np.einsum("nc,c->n", basis.reshape(vertices * axes, width), coefficients, optimize=False)
    return cast(Array64, offsets.reshape(vertices, axes))


def joint_transforms(rotations: Array64, joints: Array64, parents: tuple[int, ...]) -> Array64:
    """Each joint's movement of the points that hang on it, in head coordinates.

    A joint turns its points about itself and is then moved by its parent:
    ``G_j(x) = G_parent(R_j (x - J_j) + J_j)``. With this form ``G_j`` is exactly the identity at zero pose.

    :param rotations: (J, 3, 3) float64, relative to the parent.
    :param joints: (J, 3) float64, metres, at rest.
    :param parents: parent of each joint, -1 for the root; a parent comes before its children.
    :returns: (J, 3, 4) float64, ``[A | b]`` with ``G_j(x) = A x + b``.
    """
    transforms = np.empty((len(parents), 3, 4))
    for joint, parent in enumerate(parents):
        linear = rotations[joint]
        offset = joints[joint] - _apply(linear, joints[joint])
        if parent >= 0:
            above = transforms[parent]
            linear = np.einsum("ab,bc->ac", above[:, :3], linear, optimize=False)
            offset = _apply(above[:, :3], offset) + above[:, 3]
        transforms[joint, :, :3] = linear
        transforms[joint, :, 3] = offset
    return transforms


def skin(rest: Array64, weights: Array64, transforms: Array64) -> Array64:
    """Linear blend skinning: ``v' = v + sum_j w_j (G_j(v) - v)``.

    This equals ``sum_j w_j G_j(v)`` because the weights of a vertex sum to 1, and it leaves a vertex exactly
    where it is when no joint moves.

    :param rest: (V, 3) float64, metres.
    :param weights: (V, J) float64.
    :param transforms: (J, 3, 4) float64, from :func:`joint_transforms`.
    :returns: (V, 3) float64, metres.
    """
    moves = transforms - np.eye(3, 4)
    blended = np.einsum("vj,jk->vk", weights, moves.reshape(len(moves), 12), optimize=False).reshape(-1, 3, 4)
    moved = rest + blended[:, :, 3]
    for axis in range(3):
        moved += blended[:, :, axis] * rest[:, axis, None]
    return cast(Array64, moved)


def _apply(linear: Array64, point: Array64) -> Array64:
    """(3, 3) times (3,), without BLAS."""
    return cast(Array64, (linear * point).sum(axis=-1))
