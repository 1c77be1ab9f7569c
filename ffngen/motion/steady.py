"""A moving camera, as motion of the head before a camera that stands still."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.spatial.transform import Rotation

from ffngen.errors import InputFileError
from ffngen.geometry.camera import Camera
from ffngen.head.model import HeadModel
from ffngen.params.parameter_set import ParameterSet


def steadied(track: Sequence[ParameterSet], model: HeadModel) -> list[ParameterSet]:
    """The same frames, all seen by the first one's camera; in the same pixels, where all cameras have one lens.

    The head takes over what the camera did: vertices v become M v, where M maps the frame's own world to the first
    camera's. As the model turns about its root joint J, with a rotation R and a translation t, that is the rotation
    M R and the translation M (J + t) - J. Eyelids are added in the world's axes, so
    that they are turned by M as well. Trackers that hold the head still and move the camera (metrical-tracker)
    have all of the head's motion there.

    :param track: frames of one video, by rising number; as they are where a frame has no camera.
    """
    first = track[0].camera
    if first is None or any(one.camera is None for one in track):
        return list(track)
    betas = np.mean([one.betas for one in track], axis=0)
    shaped = model.with_shape(betas, track[0].static_offset)
    frames = []
    for one in track:
        camera = one.camera
        assert camera is not None
        if camera == first:
            frames.append(one)
            continue
        M = first.T_world_cam @ camera.T_cam_world
        offset = None if one.dynamic_offset is None else one.dynamic_offset[None]
        root = shaped.with_pose(one.expression[None], np.zeros((1, 15)), offset).joints[0, 0]
        pose = one.pose.copy()
        pose[:3] = (Rotation.from_matrix(M[:3, :3]) * Rotation.from_rotvec(pose[:3])).as_rotvec()
        translation = M[:3, :3] @ (root + one.translation) + M[:3, 3] - root
        turn = (Rotation.from_matrix(M[:3, :3]) * Rotation.from_rotvec(one.eyelid_turn.copy())).as_rotvec()
        frames.append(replace(one, pose=pose, translation=translation, eyelid_turn=turn, camera=first))
    return frames


def holds_head_still(track: Sequence[ParameterSet]) -> bool:
    """Whether a tracker has all of a head's motion in its cameras: the head neither turns nor moves, they do."""
    first = track[0]
    still = all(
        np.array_equal(one.pose[:3], first.pose[:3]) and np.array_equal(one.translation, first.translation)
        for one in track
    )
    return still and any(one.camera != first.camera for one in track)


def require_one_lens(track: Sequence[ParameterSet]) -> Camera:
    """The first frame's camera, where all frames have one of its lens and size; raises :class:`InputFileError`."""
    first = track[0].camera
    for one in track:
        camera = one.camera
        if first is None or camera is None:
            what = "has no camera: its tracker gives none, or gives it in a file that is not there"
            raise InputFileError(what, where=one.source, mend="leave --camera tracked away")
        same_size = (camera.width, camera.height) == (first.width, first.height)
        if not same_size or not np.allclose(camera.K, first.K, rtol=1e-9):
            what = f"the camera of {one.track} changes its lens at frame {one.frame}"
            raise InputFileError(what, where=one.source, mend="leave --camera tracked away")
    assert first is not None
    return first
