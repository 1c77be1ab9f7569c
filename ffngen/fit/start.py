"""Where the fit of a frame begins: the average face, turned and placed so that its landmarks lie about right."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from ffngen.fit.observation import FLIP, INNER, Observation
from ffngen.fit.prior import HEAD, RIGID, TRANSLATION
from ffngen.fit.solve import PersonFit, Problem, solve, state_of
from ffngen.head.skinning import Array64

_EYES = (slice(36, 42), slice(42, 48))
#: Radians: a fit to a profile does not find its way from a frontal face.
_YAWS = (0.0, 0.6, -0.6)


def first_guess(problem: Problem, seen: Observation) -> Array64:
    """A frame's unknowns (N,): the best of a few rigid fits of the average face."""
    betas = np.zeros(problem.n_shared)
    candidates: list[tuple[float, Array64]] = []
    for yaw in _YAWS:
        x = _placed(problem, seen, yaw)
        fitted = solve(problem, [seen], PersonFit(betas, x[None]), fit_identity=False).frames[0]
        candidates.append((problem.cost(betas, fitted, seen), fitted))
        if yaw == 0 and candidates[0][0] < 2 * len(seen.points):
            break  # a fit within the detector's error needs no other
    return min(candidates, key=lambda candidate: candidate[0])[1]


def _placed(problem: Problem, seen: Observation, yaw: float) -> Array64:
    x = np.zeros(RIGID + len(problem.prior.columns))
    right, left = (seen.points[eye].mean(axis=0) for eye in _EYES)
    across = left - right
    roll = -np.arctan2(across[1], across[0])
    x[HEAD] = (Rotation.from_euler("z", roll) * Rotation.from_euler("y", yaw)).as_rotvec()
    points = problem.model.points(np.zeros(problem.model.n_betas), state_of(x)) * FLIP
    spread = np.sqrt(points[INNER, :2].var(axis=0).sum())
    wanted = max(np.sqrt(seen.points[INNER].var(axis=0).sum()), 1e-3)
    depth = seen.focal * spread / wanted
    x[TRANSLATION] = [*((seen.points[INNER].mean(axis=0) - seen.centre) * depth / seen.focal), depth]
    x[TRANSLATION] -= points[INNER].mean(axis=0)
    return x
