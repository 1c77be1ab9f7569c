"""The two motions of one sequence: the whole face, and the head alone.

FacialFlowNet, equations 2 to 4; CONVENTIONS.md, "The three flows".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import JobError
from ffngen.params.parameter_set import JOINTS, ParameterSet

#: Whose motion the jaw's rotation is: the head's pose (as in the paper) or the expression's.
JawMotion = Literal["pose", "expression"]

#: Where the jaw's axis-angle triple lies in a pose vector.
_JAW = slice(3 * JOINTS.index("jaw"), 3 * JOINTS.index("jaw") + 3)


@dataclass(frozen=True)
class MotionSequence:
    """Facial frames, and the head-only frame that follows each of them but the last.

    Row ``i`` of the head-only arrays is compared with facial row ``i`` (the image before) and shares
    its frame number with facial row ``i + 1``. N is n, or n + 1 with the neutral frame. The arrays
    are float64 and read-only.

    :param betas: (B,) the identity, the same in every frame.
    :param facial_expression: (N, E) ``t psi / n``.
    :param facial_pose: (N, 15) radians, ``t theta / n``.
    :param head_expression: (N - 1, E) ``t psi / n`` of the frame before.
    :param head_pose: (N - 1, 15) radians, ``(t + 1) theta / n``.
    :param n_frames: n, the number of steps from the neutral face to the target.
    :param include_neutral: whether the frame t = 0 comes first.
    :param motion_scale: ``1 / n``, the share of the whole motion in one step.
    :param frame_numbers: (N,) the t of each facial frame.
    """

    betas: NDArray[np.float64]
    facial_expression: NDArray[np.float64]
    facial_pose: NDArray[np.float64]
    head_expression: NDArray[np.float64]
    head_pose: NDArray[np.float64]
    n_frames: int
    include_neutral: bool
    motion_scale: float
    frame_numbers: tuple[int, ...]


def make_sequence(
    parameters: ParameterSet,
    n_frames: int,
    *,
    include_neutral: bool = False,
    jaw_motion: JawMotion = "pose",
) -> MotionSequence:
    """The frames that lead from the neutral face to a parameter set.

    :param parameters: the target (theta, psi) of the identity beta.
    :param n_frames: n >= 2.
    :param include_neutral: prepend the frame t = 0.
    :param jaw_motion: with ``"expression"`` the jaw's rotation stays with the expression in the
        head-only frames.
    :raises JobError: for n < 2 or an unknown ``jaw_motion``.
    """
    if n_frames < 2:
        raise JobError(f"a sequence needs at least 2 frames, not {n_frames}", where="n_frames", mend="use 2 or more")
    if jaw_motion not in get_args(JawMotion):
        raise JobError(
            f"unknown jaw motion {jaw_motion!r}", where="jaw_motion", mend=f"use {' or '.join(get_args(JawMotion))}"
        )
    frame_numbers = tuple(range(0 if include_neutral else 1, n_frames + 1))
    # t / n first: its last value is exactly 1, so the last frame is exactly the target.
    progress = np.array(frame_numbers, dtype=np.float64)[:, None] / n_frames
    facial_expression = progress * parameters.expression
    facial_pose = progress * parameters.pose
    # Slices of the facial frames, so what both share is equal in every bit.
    head_expression = facial_expression[:-1].copy()
    head_pose = facial_pose[1:].copy()
    if jaw_motion == "expression":
        head_pose[:, _JAW] = facial_pose[:-1, _JAW]
    for array in (facial_expression, facial_pose, head_expression, head_pose):
        array.setflags(write=False)
    return MotionSequence(
        betas=parameters.betas,
        facial_expression=facial_expression,
        facial_pose=facial_pose,
        head_expression=head_expression,
        head_pose=head_pose,
        n_frames=n_frames,
        include_neutral=include_neutral,
        motion_scale=1 / n_frames,
        frame_numbers=frame_numbers,
    )
