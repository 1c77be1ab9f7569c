"""Joints and skinning of the open head: FLAME's five joints out of MakeHuman's bones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from ffngen.head.open_head.source import MakeHumanData
from ffngen.head.open_head.surface import PIECES, HeadSurface

Array64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: FLAME's joints in order, and the index of each one's parent; the root's is the largest uint32, as in FLAME's files.
JOINTS = ("root", "neck", "jaw", "left_eye", "right_eye")
PARENTS = (4294967295, 0, 1, 1, 1)
#: The groups of the base mesh (cubes) whose middles are the rig's joints that FLAME's correspond to. FLAME's neck
#: joint is where the head turns on the spine, so it is the head bone's beginning here.
JOINT_CUBES = {"root": "joint-neck", "neck": "joint-head", "jaw": "joint-mouth"}
#: How a bone's weight is shared between root and neck: the part that follows the neck joint. Bones below a bone of this
#: table follow it; all others stay with the root.
NECK_SHARE = {"head": 1.0, "neck03": 0.7, "neck02": 0.35, "neck01": 0.1}
#: A joint's regressor uses vertices up to this distance (metres) along y and z ...
REGRESSOR_REACH = {"root": 0.05, "neck": 0.08, "jaw": 0.08}
#: ... that no facial action moves by more than this, metres.
STILL = 5e-4
#: Weight of the conditions "the weights sum to 1" and "exact on the mean head" among the fitted samples.
EXACTNESS = 30.0


def skinning_weights(surface: HeadSurface, data: MakeHumanData) -> Array64:
    """Weights (V, 5) float64 of the joints, rows sum to 1."""
    parents = data.bones()
    base = np.unique(surface.blend.indices)
    names = list(parents)
    table = data.bone_weights(base, names)
    shares = np.array([_joint_shares(name, parents) for name in names])
    joint_weights = np.zeros((surface.blend.shape[1], len(JOINTS)))
    joint_weights[base] = table @ shares
    weights = surface.blend @ joint_weights
    rigid = {
        "left_eyeball": "left_eye",
        "right_eyeball": "right_eye",
        "upper_teeth": "neck",
        "lower_teeth": "jaw",
    }
    for piece, joint in rigid.items():
        weights[surface.vertex_piece == PIECES.index(piece)] = np.eye(len(JOINTS))[JOINTS.index(joint)]
    normalised: Array64 = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def _joint_shares(bone: str, parents: dict[str, str]) -> list[float]:
    """How one bone's weight is shared between the joints (the eye bones move only the eyeballs, set apart)."""
    while bone and bone != "jaw" and bone not in NECK_SHARE:
        bone = parents[bone]
    if bone == "jaw":
        return [0.0, 0.0, 1.0, 0.0, 0.0]
    share = NECK_SHARE.get(bone, 0.0)
    return [1.0 - share, share, 0.0, 0.0, 0.0]


def joint_regressor(
    surface: HeadSurface,
    samples: Array64,
    joints: dict[str, Array64],
    mirror: NDArray[np.int64],
    usable: Mask,
    motion: Array64,
) -> Array64:
    """Rows that give each joint as a weighted mean of the head's vertices: (5, V) float64.

    Root, neck and jaw: non-negative least squares over samples of the population, on vertices near the joint that
    no facial action moves, then made symmetric. Eyes: exactly the middle of the eyeball.

    :param samples: (S, V, 3), metres; the first is the mean head, which is met exactly (to the solver's accuracy).
    :param joints: for each of :data:`JOINT_CUBES`, its true places (S, 3).
    :param mirror: (V,) the vertex at the mirror place.
    :param usable: (F,) the faces whose vertices may serve: the outer skin without the ears, which vary on their own.
    :param motion: (V,) the largest displacement by any facial action, metres.
    """
    regressor = np.zeros((len(JOINTS), surface.blend.shape[0]))
    skin = np.isin(np.arange(surface.blend.shape[0]), surface.faces[usable])
    for name, places in joints.items():
        near = (np.abs(samples[0] - places[0])[:, 1:] < REGRESSOR_REACH[name]).all(axis=1)
        candidates = np.flatnonzero(skin & near & (motion < STILL))
        row = _fit(samples[:, candidates], places)
        regressor[JOINTS.index(name), candidates] = row
    regressor = 0.5 * (regressor + regressor[:, mirror])
    for name in ("left", "right"):
        eyeball = surface.vertex_piece == PIECES.index(f"{name}_eyeball")
        regressor[JOINTS.index(f"{name}_eye"), eyeball] = _centre_weights(surface.eyeball.vertices)
    normalised: Array64 = regressor / regressor.sum(axis=1, keepdims=True)
    return normalised


def _fit(samples: Array64, places: Array64) -> Array64:
    """Weights w >= 0 (K,) that minimise |sum_k w_k sample_k - place|, with nearly sum 1 and an exact first sample."""
    emphasis = np.ones(len(samples))
    emphasis[0] = EXACTNESS
    system = (samples * emphasis[:, None, None]).transpose(0, 2, 1).reshape(-1, samples.shape[1])
    right = (places * emphasis[:, None]).ravel()
    system = np.concatenate([system, np.full((1, samples.shape[1]), EXACTNESS)])
    weights, _ = nnls(system, np.append(right, EXACTNESS))
    fitted: Array64 = weights / weights.sum()
    return fitted


def _centre_weights(sphere: Array64) -> Array64:
    """Weights (K,), sum 1, under which the mean of the unit sphere's vertices is its centre; the least uneven ones."""
    count = len(sphere)
    conditions = np.concatenate([np.ones((1, count)), sphere.T])
    weights: Array64 = np.linalg.pinv(conditions) @ np.array([1.0, 0.0, 0.0, 0.0])
    return weights
