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
#: Lids whose distance is such a share of the eye's width hide the iris, or do not.
_CLOSED, _OPEN = 0.1, 0.2
#: The corners from left to right in a picture, and the upper and the lower lid, of both eyes among the landmarks.
_LIDS = (((42, 45), (43, 44), (47, 46)), ((36, 39), (37, 38), (41, 40)))
#: No eye turns further.
_LIMIT = radians(40)


def eye_pose(model: LandmarkModel, betas: Array64, x: Array64, seen: Observation, found: FoundFace) -> Array64:
    """Both eyes' rotations (6,), axis-angle, radians; they look the same way, the mean of what each iris says.

    Where an eye closes, its iris says less, and where both do, they look straight ahead.
    """
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
    seen_of = np.array([_seen(seen.points, *lids) for lids in _LIDS])
    # One open eye says as much as two.
    yaw, pitch = np.clip(seen_of @ angles / max(seen_of.sum(), 1.0), -_LIMIT, _LIMIT)
    return np.tile(Rotation.from_euler("YX", [yaw, pitch]).as_rotvec(), 2)


def _seen(points: Array64, corners: tuple[int, int], upper: tuple[int, int], lower: tuple[int, int]) -> float:
    """How much of an iris is to be seen, 0 to 1."""
    across = points[corners[1]] - points[corners[0]]
    down = np.array([-across[1], across[0]])
    # A lid that is closed hard lies below the other one.
    height = (points[list(lower)] - points[list(upper)]).mean(axis=0) @ down / max(float(across @ across), 1e-9)
    return float(np.clip((height - _CLOSED) / (_OPEN - _CLOSED), 0, 1))


def _iris_radius(model: HeadModel) -> float:
    iris = model.regions.get("iris")
    if iris is None or not len(iris):
        return _RADIUS
    points = model.template[np.unique(model.faces[iris])]
    eyes = (model.joint_regressor @ model.template)[3:]
    left = points[points[:, 0] > 0]
    return float(np.linalg.norm(left.mean(axis=0) - eyes[0]))
