"""A head model reduced to its 68 landmarks: their positions and derivatives, exact and quick.

Linear blend skinning is linear in identity and expression once the joints' rotations are given, the joints' places
included. So a landmark is ``M(rotations) @ (1, betas, expression, pose feature)``, and M is made of sums over the
corners of the landmark's triangle that are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import HeadModelError
from ffngen.head.model import HeadModel
from ffngen.head.skinning import Array64, rodrigues

#: The neck's share of the head's rotation; the rest is the global rotation's. Landmarks cannot tell them apart, and
#: sampled heads (:func:`ffngen.params.head_pose.sample_pose`) turn most by the neck.
NECK_SHARE = 0.75

#: Step of the central differences of the rotations, radians.
_STEP = 1e-5


@dataclass(frozen=True, eq=False)
class FaceState:
    """One frame's unknowns in the head frame.

    :param head: (3,) axis-angle of the head's whole rotation, radians.
    :param jaw: (3,) axis-angle of the jaw, radians.
    :param expression: (E',) of the columns that are fitted.
    """

    head: Array64
    jaw: Array64
    expression: Array64


class LandmarkModel:
    """The landmarks of a head model as functions of identity, expression and pose.

    :param model: the head model; it needs landmarks.
    :param n_betas: how many identity components are fitted, the first ones.
    :param columns: (E',) which expression components are fitted.
    :param offsets: (68, 3) metres, added to the landmarks on the face at rest: where a detector sees them.
    :raises HeadModelError: the model has no landmarks.
    """

    def __init__(
        self,
        model: HeadModel,
        *,
        n_betas: int,
        columns: Sequence[int] | NDArray[np.int64],
        offsets: Array64 | None = None,
    ) -> None:
        if model.landmarks is None:
            mend = "put FLAME's landmark embedding beside the model"
            raise HeadModelError("the head model has no landmarks to fit", where=model.path, mend=mend)
        self.model = model
        self.columns = np.asarray(columns, dtype=np.int64)
        self.n_betas = min(n_betas, model.shape_count)
        landmarks = model.landmarks
        corners = landmarks.faces[landmarks.face_index]
        count = len(corners)
        shape = model.shape_basis[:, :, : self.n_betas].astype(np.float64)
        expression = model.expression_basis_64[:, :, self.columns]
        self._has_pose_basis = bool(model.pose_basis.any())
        parts = [model.template[:, :, None], shape, expression]
        if self._has_pose_basis:
            parts.append(model.pose_basis_64)
        # One row of numbers per corner: constant, identity, expression and pose corrective.
        table = np.concatenate([part[corners] for part in parts], axis=-1)
        if offsets is not None:
            table[..., 0] += offsets[:, None, :]
        weights = landmarks.barycentric[:, :, None] * model.skin_weights[corners]
        self._joints_used = np.flatnonzero(weights.any(axis=(0, 1)))
        weights = weights[:, :, self._joints_used]
        #: (68, J, 3, C): the sum over corners of what joint j moves.
        self._moved = np.einsum("lkj,lkac->ljac", weights, table)
        #: (68, J)
        self._share = weights.sum(axis=1)
        joints = [
            np.einsum("jv,vac->jac", model.joint_regressor.toarray(), part)
            for part in (model.template[:, :, None], shape, expression)
        ]
        if self._has_pose_basis:
            joints.append(np.zeros((5, 3, 36)))
        #: (5, 3, C): the joints at rest.
        self._joints = np.concatenate(joints, axis=-1)
        #: The same as (J, 3, 68 C), for one product.
        self._flat = np.ascontiguousarray(
            self._moved.transpose(1, 2, 0, 3).reshape(len(self._joints_used), 3, count * table.shape[-1])
        )
        self.count = count

    def points(self, betas: Array64, state: FaceState) -> Array64:
        """The landmarks (68, 3), metres, in the head frame."""
        rotations = _rotations(state)
        coefficients = self._coefficients(betas, state, rotations)
        return self._place(self._moved @ coefficients, self._joints @ coefficients, rotations)

    def derivatives(self, betas: Array64, state: FaceState) -> tuple[Array64, Array64, Array64, Array64]:
        """The landmarks and how they move.

        :returns: points (68, 3) and their derivatives by betas (68, 3, B'), by expression (68, 3, E') and by the six
            numbers of the rotations, head and jaw (68, 3, 6).
        """
        rotations = _rotations(state)
        coefficients = self._coefficients(betas, state, rotations)
        linear, offset = _movements(rotations, self._joints, self.model.parents)
        linear, offset = linear[self._joints_used], offset[self._joints_used]
        count, width = self.count, self._moved.shape[-1]
        matrix = sum(linear[j] @ self._flat[j] for j in range(len(linear))).reshape(3, count, width).transpose(1, 0, 2)
        matrix = matrix + np.tensordot(self._share, offset, axes=1)
        first = 1 + self.n_betas
        return (
            matrix @ coefficients,
            matrix[:, :, 1:first],
            matrix[:, :, first : first + len(self.columns)],
            self._by_rotation(betas, state, coefficients),
        )

    def eyes(self, betas: Array64, state: FaceState) -> tuple[Array64, Array64]:
        """The centres (2, 3) of the left and the right eye, metres, and the head's rotation (3, 3)."""
        rotations = _rotations(state)
        joints = self._joints @ self._coefficients(betas, state, rotations)
        linear, offset = _movements(rotations, joints[..., None], self.model.parents)
        centres = np.einsum("jab,jb->ja", linear[3:], joints[3:]) + offset[3:, :, 0]
        return centres, linear[3]

    def _by_rotation(self, betas: Array64, state: FaceState, coefficients: Array64) -> Array64:
        """(68, 3, 6), by central differences; the costly sums are made once where rotations do not enter them."""
        moved, joints = self._moved @ coefficients, self._joints @ coefficients
        derivative = np.empty((self.count, 3, 6))
        for axis in range(6):
            ends = []
            for sign in (1, -1):
                step = np.zeros(6)
                step[axis] = sign * _STEP
                turned = _rotations(FaceState(state.head + step[:3], state.jaw + step[3:], state.expression))
                if self._has_pose_basis:
                    feature = self._coefficients(betas, state, turned)[-36:] - coefficients[-36:]
                    ends.append(self._place(moved + self._moved[..., -36:] @ feature, joints, turned))
                else:
                    ends.append(self._place(moved, joints, turned))
            derivative[:, :, axis] = (ends[0] - ends[1]) / (2 * _STEP)
        return derivative

    def _coefficients(self, betas: Array64, state: FaceState, rotations: Array64) -> Array64:
        parts = [np.ones(1), betas, state.expression]
        if self._has_pose_basis:
            parts.append((rotations[1:] - np.eye(3)).ravel())
        return np.concatenate(parts)

    def _place(self, moved: Array64, joints: Array64, rotations: Array64) -> Array64:
        linear, offset = _movements(rotations, joints[..., None], self.model.parents)
        used = self._joints_used
        placed: Array64 = np.einsum("jab,ljb->la", linear[used], moved) + self._share @ offset[used, :, 0]
        return placed


def pose_vector(head: Array64, jaw: Array64) -> Array64:
    """A pose (15,), radians, of the head's whole rotation and the jaw's; the eyes look straight ahead."""
    return np.concatenate([(1 - NECK_SHARE) * head, NECK_SHARE * head, jaw, np.zeros(6)])


def _rotations(state: FaceState) -> Array64:
    return rodrigues(pose_vector(state.head, state.jaw).reshape(5, 3))


def _movements(rotations: Array64, joints: Array64, parents: tuple[int, ...]) -> tuple[Array64, Array64]:
    """:func:`ffngen.head.skinning.joint_transforms` for joints that are linear in C coefficients.

    :param joints: (5, 3, C).
    :returns: linear parts (5, 3, 3) and offsets (5, 3, C).
    """
    linear = np.empty((5, 3, 3))
    offsets = np.empty(joints.shape)
    for joint, parent in enumerate(parents):
        turn = rotations[joint]
        offset = joints[joint] - turn @ joints[joint]
        if parent >= 0:
            offset = linear[parent] @ offset + offsets[parent]
            turn = linear[parent] @ turn
        linear[joint], offsets[joint] = turn, offset
    return linear, offsets
