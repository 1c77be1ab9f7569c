"""A motion as vertices of a head model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ffngen.head.model import HeadModel
from ffngen.head.stages import ShapedHead
from ffngen.motion.sequence import FaceFrames, MotionSequence


def sequence_vertices(model: HeadModel, motion: MotionSequence) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The facial (N, V, 3) and the head-only (N - 1, V, 3) vertices, float32, metres.

    :raises HeadModelError: parameters that do not fit the model.
    """
    shaped = model.with_shape(motion.betas, motion.static_offset)
    return _vertices(shaped, motion.facial), _vertices(shaped, motion.head)


def _vertices(shaped: ShapedHead, frames: FaceFrames) -> NDArray[np.float32]:
    vertices = shaped.with_pose(frames.expression, frames.pose, frames.dynamic_offset).vertices()
    lids = shaped.model.eyelids
    if lids is not None and frames.eyelids.any():
        # After skinning, in the world's axes, as the trackers that have them add them (SMIRK, metrical-tracker).
        closed = np.tensordot(frames.eyelids, lids, axes=1)
        if frames.eyelid_turn is not None:
            turns = Rotation.from_rotvec(frames.eyelid_turn.copy()).as_matrix()
            closed = np.einsum("tij,tvj->tvi", turns, closed)
        vertices = vertices + closed.astype(np.float32)
    if frames.translation.any():
        vertices = (vertices + frames.translation[:, None]).astype(np.float32)
    return vertices
