"""How a head is turned, measured on its vertices: what moved them does not matter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.geometry.camera import Camera
from ffngen.head.model import HeadModel

Array64 = NDArray[np.float64]

#: The joint that turns the head, and the least weight of vertices that go with it alone.
_HEAD_JOINT, _WHOLLY = 1, 0.9


def rigid_vertices(model: HeadModel) -> NDArray[np.int64]:
    """Indices of the vertices that go with the head, not with the neck, the jaw or an eyeball."""
    chosen: NDArray[np.int64] = np.flatnonzero(model.skin_weights[:, _HEAD_JOINT] > _WHOLLY)
    return chosen


def seen_angles(rotation: NDArray[Any], camera: Camera) -> tuple[float, float, float]:
    """Yaw, pitch and roll in degrees of a head that is turned by ``rotation`` (3, 3) in the world, as seen.

    All are 0 for a head that looks into the camera's direction upright. Yaw is positive to the subject's left,
    pitch downwards, roll towards the subject's right shoulder; the rotation is roll, then pitch, then yaw.
    """
    # A camera's axes are x right, y down, z forward; the frontal head's are x to its left, y up, z to the camera.
    R = np.diag([1.0, -1.0, -1.0]) @ camera.T_cam_world[:3, :3] @ rotation
    yaw = np.arctan2(R[0, 2], R[2, 2])
    pitch = -np.arcsin(np.clip(R[1, 2], -1, 1))
    roll = np.arctan2(R[1, 0], R[1, 1])
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
