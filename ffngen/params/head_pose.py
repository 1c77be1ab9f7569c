"""Head and gaze directions as people hold them."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ffngen.errors import JobError
from ffngen.params.draw import truncated_normal


@dataclass(frozen=True)
class HeadPoseRange:
    """Limits, in radians, to either side; the deviation of each is half of its limit.

    The head's limits are those of everyday looking around, about half of what the neck can do (70 to
    80 degrees of rotation, 50 to 60 of flexion and extension, 40 to 45 to the side); beyond 15 degrees
    or so the head, not the eyes, does the turning.

    :param yaw: to the left and right, about y.
    :param pitch: down and up, about x.
    :param roll: towards a shoulder, about z.
    :param gaze: of the eyes in the head, across and up and down.
    :param vergence: the most that each eye turns inwards, to look at something near.
    :param jaw: the most that the jaw opens; 0 for a head whose jaw is an action of its expression.
    """

    yaw: float = radians(35)
    pitch: float = radians(20)
    roll: float = radians(15)
    gaze: float = radians(15)
    vergence: float = radians(2)
    jaw: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            # Beyond a right angle, yaw, pitch and roll no longer name one direction.
            if not 0 <= value <= radians(90):
                raise JobError(f"{name} must lie in 0 to 90 degrees, not {np.degrees(value):.6g}", where="head pose")


def sample_pose(limits: HeadPoseRange, rng: np.random.Generator) -> NDArray[np.float64]:
    """A pose vector (15,), radians.

    The head's rotation is ``R_y(yaw) R_x(pitch) R_z(roll)``; positive angles turn it to the subject's
    left, down, and towards the right shoulder. The global rotation and the neck's share it: they have
    its axis and add up to its angle, so that they compose to it exactly. Both eyes look the same way,
    but for a little vergence.
    """
    yaw, pitch, roll = (
        limit * deviate
        for limit, deviate in zip((limits.yaw, limits.pitch, limits.roll), _deviates(rng, 3), strict=True)
    )
    head = Rotation.from_euler("YXZ", [yaw, pitch, roll]).as_rotvec()
    # The neck does most of it: the trunk follows a little, and the neck's lower end stays about where it is.
    neck_share = rng.uniform(0.6, 0.9)
    across, down = limits.gaze * _deviates(rng, 2)
    inwards = rng.uniform(0, limits.vergence)
    jaw = rng.uniform(0, limits.jaw)
    return np.concatenate(
        [
            (1 - neck_share) * head,
            neck_share * head,
            [jaw, 0.0, 0.0],
            # The left eye is on the +x side: turning inwards is turning right, a negative rotation about y.
            Rotation.from_euler("YX", [across - inwards, down]).as_rotvec(),
            Rotation.from_euler("YX", [across + inwards, down]).as_rotvec(),
        ]
    )


def _deviates(rng: np.random.Generator, size: int) -> NDArray[np.float64]:
    """Normal, of deviation 1/2, within [-1, 1]."""
    return truncated_normal(rng, size, limit=2.0) / 2
