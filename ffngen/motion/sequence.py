"""The two motions of one sequence: the whole face, and the head alone.

FacialFlowNet, equations 2 to 4; CONVENTIONS.md, "The three flows". Both kinds of motion end here: the one that is
interpolated from the neutral face to a parameter set, and the one that a tracker saw (:mod:`ffngen.motion.tracked`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import JobError
from ffngen.motion.profile import MotionProfile
from ffngen.params.parameter_set import JOINTS, ParameterSet

#: Whose motion the jaw's rotation is: the head's pose (as in the paper) or the expression's.
JawMotion = Literal["pose", "expression"]

#: Where the jaw's axis-angle triple lies in a pose vector.
_JAW = slice(3 * JOINTS.index("jaw"), 3 * JOINTS.index("jaw") + 3)

Array64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FaceFrames:
    """Parameters of T frames of one face.

    :param expression: (T, E) float64.
    :param pose: (T, 15) float64, radians.
    :param translation: (T, 3) float64, metres.
    :param eyelids: (T, 2) float64.
    :param dynamic_offset: (T, V, 3) float32, metres, or None.
    :param eyelid_turn: (T, 3) float64, radians, axis-angle: how the eyelids' displacement is turned; None for not.
    """

    expression: Array64
    pose: Array64
    translation: Array64
    eyelids: Array64
    dynamic_offset: NDArray[np.float32] | None = None
    eyelid_turn: Array64 | None = None

    def __post_init__(self) -> None:
        arrays = (self.expression, self.pose, self.translation, self.eyelids, self.dynamic_offset, self.eyelid_turn)
        for array in arrays:
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.pose)


@dataclass(frozen=True, eq=False)
class MotionSequence:
    """Facial frames, and the head-only frame that follows each of them but the last.

    :param betas: (B,) the identity, the same in every frame.
    :param static_offset: (V, 3) float32, metres, or None: the identity's own, beside the betas.
    :param facial: N frames. N is n, or n + 1 with the neutral frame.
    :param head: N - 1 head-only frames. Frame ``i`` is compared with facial frame ``i`` (the image before) and shares
        its number with facial frame ``i + 1``.
    :param frame_numbers: (N,) the t of each facial frame.
    """

    betas: Array64
    static_offset: NDArray[np.float32] | None
    facial: FaceFrames
    head: FaceFrames
    frame_numbers: tuple[int, ...]


def make_sequence(
    parameters: ParameterSet,
    n_frames: int,
    *,
    include_neutral: bool = False,
    jaw_motion: JawMotion = "pose",
    profile: MotionProfile | None = None,
) -> MotionSequence:
    """The frames that lead from the neutral face to a parameter set: at t, ``t / n`` of the way with a linear profile.

    The face stays where the set's translation puts it; static and dynamic offsets are the set's own throughout.

    :param parameters: the target (theta, psi) of the identity beta.
    :param n_frames: n >= 2.
    :param include_neutral: prepend the frame t = 0.
    :param jaw_motion: with ``"expression"`` the jaw's rotation stays with the expression in the
        head-only frames.
    :param profile: how far pose and expression have come at each t; linear, as in the paper, when absent.
    :raises JobError: for n < 2 or an unknown ``jaw_motion``.
    """
    if n_frames < 2:
        raise JobError(f"a sequence needs at least 2 frames, not {n_frames}", where="n_frames", mend="use 2 or more")
    frame_numbers = tuple(range(0 if include_neutral else 1, n_frames + 1))
    # t / n first: its last value is exactly 1, so the last frame is exactly the target.
    time = np.array(frame_numbers, dtype=np.float64)[:, None] / n_frames
    profile = profile or MotionProfile()
    expression, pose = profile.expression_progress(time), profile.pose_progress(time)
    count = len(frame_numbers)
    offset = parameters.dynamic_offset
    facial = FaceFrames(
        expression=expression * parameters.expression,
        pose=pose * parameters.pose,
        translation=np.tile(parameters.translation, (count, 1)),
        eyelids=expression * parameters.eyelids,
        dynamic_offset=None if offset is None else np.repeat(offset[None], count, axis=0),
    )
    return sequence_of(parameters.betas, parameters.static_offset, facial, frame_numbers, jaw_motion)


def sequence_of(
    betas: Array64,
    static_offset: NDArray[np.float32] | None,
    facial: FaceFrames,
    frame_numbers: tuple[int, ...],
    jaw_motion: JawMotion,
) -> MotionSequence:
    """Add the head-only frames: pose and translation move on, expression, eyelids and offsets stay.

    :raises JobError: for an unknown ``jaw_motion``.
    """
    if jaw_motion not in get_args(JawMotion):
        raise JobError(
            f"unknown jaw motion {jaw_motion!r}", where="jaw_motion", mend=f"use {' or '.join(get_args(JawMotion))}"
        )
    # Slices of the facial frames, so what both share is equal in every bit.
    pose = facial.pose[1:].copy()
    if jaw_motion == "expression":
        pose[:, _JAW] = facial.pose[:-1, _JAW]
    head = FaceFrames(
        expression=facial.expression[:-1].copy(),
        pose=pose,
        translation=facial.translation[1:].copy(),
        eyelids=facial.eyelids[:-1].copy(),
        dynamic_offset=None if facial.dynamic_offset is None else facial.dynamic_offset[:-1],
        eyelid_turn=None if facial.eyelid_turn is None else facial.eyelid_turn[1:].copy(),
    )
    return MotionSequence(betas, static_offset, facial, head, frame_numbers)
