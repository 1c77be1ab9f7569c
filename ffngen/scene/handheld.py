"""A camera that is held by hand: where it is in each frame.

A hand's tremor and drift fall off with frequency; each of the six ways to move is a sum of sines between
:data:`SLOWEST` and :data:`FASTEST`, each of an amplitude that is inversely proportional to its frequency.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.errors import JobError
from ffngen.geometry.camera import Camera

Array64 = NDArray[np.float64]

#: Hertz.
SLOWEST, FASTEST = 0.4, 6.0

#: Standard deviation of each rotation (radians) and of each shift (metres) at strength 1.
TURN, SHIFT = np.radians(0.3), 0.0025

#: Frames per second that a sequence without a speed of its own is taken to have.
FPS = 25.0

_SINES = 8


def handheld_poses(
    camera: Camera, strength: float, count: int, rng: np.random.Generator, *, fps: float = FPS
) -> Array64:
    """The places of a hand-held camera.

    :param camera: where it is held.
    :param strength: 1 is a calm hand (:data:`TURN`, :data:`SHIFT`); both grow with it.
    :param count: how many frames.
    :param fps: of the sequence.
    :returns: (count, 4, 4) float64, ``T_world_cam`` of each frame: the camera turned about itself and shifted.
    """
    time = np.arange(count) / fps
    poses = np.empty((count, 4, 4))
    turns = np.stack([_tremor(time, rng) for _ in range(3)], axis=1) * (strength * TURN)
    shifts = np.stack([_tremor(time, rng) for _ in range(3)], axis=1) * (strength * SHIFT)
    for pose, turn, shift in zip(poses, turns, shifts, strict=True):
        T_cam_shaken = np.eye(4)
        T_cam_shaken[:3, :3] = cv2.Rodrigues(turn)[0]
        T_cam_shaken[:3, 3] = shift
        pose[:] = camera.T_world_cam @ T_cam_shaken
    return poses


def view_margin(camera: Camera, poses: Array64, depth: float) -> tuple[int, int]:
    """Pixels (x, y) by which a picture on the plane at ``depth`` must reach beyond the view of ``camera``.

    So far the other places see of it: a picture of the plane with this margin fills each of their frames.

    :raises JobError: some place sees past the plane, or so much beside the view that the picture would be huge.
    """
    width, height = camera.width, camera.height
    corners = np.array([[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5], [width - 0.5, height - 0.5]])
    rays = np.concatenate([corners, np.ones((4, 1))], axis=1) @ np.linalg.inv(camera.K).T
    margin = np.zeros(2)
    axis = camera.T_world_cam[:3, 2]
    for pose in poses:
        directions = rays @ pose[:3, :3].T
        along = directions @ axis
        if along.min() <= 0:
            raise _too_much()
        reach = (camera.position + depth * axis - pose[:3, 3]) @ axis / along
        seen, _ = camera.project(pose[:3, 3] + reach[:, None] * directions)
        margin = np.maximum(margin, np.maximum(-0.5 - seen, seen - [width - 0.5, height - 0.5]).max(axis=0))
    if not (margin <= [2 * width, 2 * height]).all():
        raise _too_much()
    # One pixel more for the interpolation of the picture.
    x, y = (np.ceil(margin) + 1).astype(int).tolist()
    return x, y


def _too_much() -> JobError:
    what = "the camera shakes so much that the background cannot fill the picture"
    return JobError(what, where="camera.handheld", mend="lower it, or use a longer lens")


def _tremor(time: Array64, rng: np.random.Generator) -> Array64:
    """(T,) of unit variance over long times."""
    frequency = SLOWEST * (FASTEST / SLOWEST) ** rng.random(_SINES)
    phase = 2 * np.pi * rng.random(_SINES)
    amplitude = 1 / frequency
    amplitude *= np.sqrt(2 / (amplitude**2).sum())
    tremor: Array64 = (amplitude * np.sin(2 * np.pi * frequency * time[:, None] + phase)).sum(axis=1)
    return tremor
