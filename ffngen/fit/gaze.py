"""Where the eyes look: the middle of an iris in the picture is a point on its eyeball."""

from __future__ import annotations

from math import radians

import numpy as np
from scipy.spatial.transform import Rotation

from ffngen.fit.detect import FoundFace
from ffngen.fit.observation import FLIP, Observation
from ffngen.fit.prior import TRANSLATION
from ffngen.fit.reduced import LandmarkModel
from ffngen.fit.solve import state_of
from ffngen.head.model import HeadModel
from ffngen.head.skinning import Array64

#: From the eye's centre to the iris, metres, where the model does not tell.
_RADIUS = 0.0105
#: No eye turns further.
_LIMIT = radians(40)


def eye_pose(model: LandmarkModel, betas: Array64, x: Array64, seen: Observation, found: FoundFace) -> Array64:
    """Both eyes' rotations (6,), axis-angle, radians; they look the same way, the mean of what each iris says."""
    centres, turn = model.eyes(betas, state_of(x))
    radius = _iris_radius(model.model)
    origin = -FLIP * x[TRANSLATION]
    angles = []
    for centre, iris in zip(centres, found.irises, strict=True):
        ray = FLIP * np.array([*((iris - seen.centre) / seen.focal), 1.0])
        ray /= np.linalg.norm(ray)
        nearest = (centre - origin) @ ray
        aside = np.linalg.norm(origin + nearest * ray - centre)
        depth = nearest - np.sqrt(max(radius**2 - float(aside) ** 2, 0.0))
        across, up, forward = turn.T @ (origin + depth * ray - centre)
        angles.append([np.arctan2(across, forward), -np.arctan2(up, np.hypot(across, forward))])
    yaw, pitch = np.clip(np.mean(angles, axis=0), -_LIMIT, _LIMIT)
    return np.tile(Rotation.from_euler("YX", [yaw, pitch]).as_rotvec(), 2)


def _iris_radius(model: HeadModel) -> float:
    iris = model.regions.get("iris")
    if iris is None or not len(iris):
        return _RADIUS
    points = model.template[np.unique(model.faces[iris])]
    eyes = (model.joint_regressor @ model.template)[3:]
    left = points[points[:, 0] > 0]
    return float(np.linalg.norm(left.mean(axis=0) - eyes[0]))
