"""The stages of a head between its model and its vertices: with an identity, then with expression and pose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffngen.errors import HeadModelError
from ffngen.head.skinning import blend, joint_transforms, rodrigues, skin

if TYPE_CHECKING:
    from ffngen.head.model import HeadModel

Array64 = NDArray[np.float64]

#: Five joints' axis-angle triples.
POSE_WIDTH = 15


@dataclass(frozen=True, eq=False)
class ShapedHead:
    """A head model with an identity.

    :param model: the model.
    :param neutral: (V, 3) float64, metres: the identity's face without expression, in the pose of the template.
    """

    model: HeadModel
    neutral: Array64

    def with_pose(self, expression: ArrayLike, pose: ArrayLike, dynamic_offset: ArrayLike | None = None) -> PosedHead:
        """This identity with an expression and a pose per frame.

        :param expression: (T, E'), E' <= E; the missing coefficients are 0.
        :param pose: (T, 15), radians, axis-angle of the five joints.
        :param dynamic_offset: (T, V, 3), metres: what a frame has beside its expression, or None.
        :raises HeadModelError: for other shapes, too many coefficients, or values that are not finite.
        """
        model = self.model
        psi = padded_coefficients(expression, model.expression_count, "expression", ndim=2)
        theta = padded_coefficients(pose, POSE_WIDTH, "pose", ndim=2, exact=True)
        if len(psi) != len(theta):
            raise HeadModelError(f"expression has {len(psi)} frames, but pose has {len(theta)}")
        frames = len(theta)
        offset = None
        if dynamic_offset is not None:
            offset = checked_offset(dynamic_offset, (frames, *self.neutral.shape), "dynamic_offset")
        rotations = rodrigues(theta.reshape(frames, 5, 3))
        feature = (rotations[:, 1:] - np.eye(3)).reshape(frames, 36)
        rest = np.empty((frames, *self.neutral.shape))
        joints = np.empty((frames, 5, 3))
        transforms = np.empty((frames, 5, 3, 4))
        for t in range(frames):
            expressive = self.neutral + blend(model.expression_basis_64, psi[t])
            if offset is not None:
                expressive = expressive + offset[t]
            joints[t] = model.joint_regressor @ expressive
            rest[t] = expressive + blend(model.pose_basis_64, feature[t])
            transforms[t] = joint_transforms(rotations[t], joints[t], model.parents)
        return PosedHead(model=model, rest=rest, joints=joints, transforms=transforms)


@dataclass(frozen=True, eq=False)
class PosedHead:
    """A head with identity, and with expression and pose per frame, before skinning.

    :param model: the model.
    :param rest: (T, V, 3) float64, metres: identity, expression and pose correctives, not yet turned.
    :param joints: (T, 5, 3) float64, metres: where the joints rest, given identity and expression.
    :param transforms: (T, 5, 3, 4) float64: each joint's movement ``x -> A x + b``.
    """

    model: HeadModel
    rest: Array64
    joints: Array64
    transforms: Array64

    def vertices(self) -> NDArray[np.float32]:
        """(T, V, 3) float32, metres, in the head frame (CONVENTIONS.md)."""
        skinned = np.empty(self.rest.shape, dtype=np.float32)
        for t in range(len(self.rest)):
            skinned[t] = skin(self.rest[t], self.model.skin_weights, self.transforms[t])
        return skinned


def checked_offset(value: ArrayLike, shape: tuple[int, ...], name: str) -> NDArray[np.floating[Any]]:
    """Offsets of vertices, as they are; raises :class:`HeadModelError` for another shape than the model's."""
    array = np.asarray(value)
    if array.shape != shape:
        what = f"{name} is for {array.shape[-2] if array.ndim > 1 else 0} vertices, and the head model has {shape[-2]}"
        raise HeadModelError(what, mend="offsets of 5143 vertices need FLAME with teeth" if array.ndim > 1 else None)
    if not np.isfinite(array).all():
        raise HeadModelError(f"{name} holds a value that is not finite")
    return array


def padded_coefficients(value: ArrayLike, width: int, name: str, *, ndim: int, exact: bool = False) -> Array64:
    """Coefficients as float64, padded with zeros to the width of their basis.

    :param value: (C,) or (T, C) numbers, as ``ndim`` says.
    :param width: how many coefficients the basis has.
    :param name: what they are, for the message.
    :param exact: whether fewer than ``width`` are refused.
    :raises HeadModelError: for another shape, too many coefficients, or values that are not finite.
    """
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise HeadModelError(f"{name} must be an array of numbers") from error
    if array.ndim != ndim:
        wanted = "one vector" if ndim == 1 else "one row per frame"
        raise HeadModelError(f"{name} must be {wanted}, not an array of shape {array.shape}")
    given = array.shape[-1]
    if given > width or (exact and given != width):
        raise HeadModelError(f"{name} has {given} coefficients, but the head model has {width}")
    if not np.isfinite(array).all():
        raise HeadModelError(f"{name} holds a value that is not finite")
    padding = [(0, 0)] * (ndim - 1) + [(0, width - given)]
    return cast(Array64, np.pad(array, padding))
