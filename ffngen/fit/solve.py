"""The fit: regularised least squares by Gauss-Newton steps within limits.

Every frame has unknowns of its own (pose, place, expression) and shares the identity with the person's other frames.
A step solves all of them together: the frames' blocks are eliminated first (Schur complement), so that the cost
grows with the number of frames and not with its cube.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.fit.calibration import Calibration
from ffngen.fit.observation import FLIP, Observation
from ffngen.fit.prior import HEAD, JAW, RIGID, TRANSLATION, FramePrior
from ffngen.fit.reduced import FaceState, LandmarkModel
from ffngen.head.skinning import Array64

_MAX_STEPS = 25
#: The cost of a step that is no longer worth taking, relative.
_ENOUGH = 1e-4
_NEAREST = 0.05  # metres


@dataclass(frozen=True, eq=False)
class PersonFit:
    """What a person's frames share, (B' + K,) betas and biases of the detector, and their unknowns (T, N)."""

    shared: Array64
    frames: Array64


class Problem:
    """What is minimised, for one person.

    :param model: the reduced model.
    :param prior: of the frames.
    :param known: how the detector errs.
    """

    def __init__(self, model: LandmarkModel, prior: FramePrior, known: Calibration) -> None:
        self.model = model
        self.prior = prior
        self._detected, self._refined = (
            np.linalg.inv(np.linalg.cholesky(of)) for of in (known.detected, known.refined)
        )
        self._biases, self._unbiased = known.biases, np.zeros_like(known.biases)
        #: How many numbers a person's frames share.
        self.n_shared = model.n_betas + len(known.biases)
        #: The identity among them.
        self.identity = slice(0, model.n_betas)

    def project(self, shared: Array64, x: Array64, seen: Observation) -> Array64:
        """The landmarks (68, 2), pixels, without what the detector adds."""
        return _to_pixels(self.model.points(shared[self.identity], state_of(x)), x, seen)[0]

    def cost(self, shared: Array64, x: Array64, seen: Observation) -> float:
        """One frame's share of what is minimised."""
        pixels, depth = _to_pixels(self.model.points(shared[self.identity], state_of(x)), x, seen)
        if depth.min() < _NEAREST:
            return np.inf
        residual = self._whitened(self._residual(shared, pixels, seen).ravel(), seen)
        return 0.5 * float(residual @ residual) + self.prior.cost(x)

    def _residual(self, shared: Array64, pixels: Array64, seen: Observation) -> Array64:
        """Errors (68, 2), shares of the inter-ocular distance, with the eyes level."""
        residual: Array64 = (pixels - seen.points) @ (seen.level.T / seen.scale)
        return residual + (shared[self.identity.stop :] @ self._biases_of(seen)).reshape(-1, 2)

    def _biases_of(self, seen: Observation) -> Array64:
        """Modes (K, 136) of what all of a person's pictures like this one have in common."""
        return self._unbiased if seen.deviation is None else self._biases

    def _whitened(self, rows: Array64, seen: Observation) -> Array64:
        """Errors (136, ...) in deviations, independent of each other."""
        if seen.deviation is None:
            return self._detected @ rows
        return (self._refined / np.repeat(seen.deviation, 2)) @ rows

    def linearised(
        self, shared: Array64, x: Array64, seen: Observation
    ) -> tuple[Array64, Array64, Array64, Array64, Array64]:
        """Normal equations of one frame: H_xx, H_xs, H_ss (without the prior of what is shared), g_x, g_s."""
        points, by_betas, by_expression, by_rotation = self.model.derivatives(shared[self.identity], state_of(x))
        pixels, depth = _to_pixels(points, x, seen)
        residual = self._residual(shared, pixels, seen)
        in_camera = points * FLIP + x[TRANSLATION]
        # d(u, v) / d(camera point), in the residual's unit
        factor = seen.focal / (seen.scale * depth)
        pixel_by_point = np.zeros((len(points), 2, 3))
        pixel_by_point[:, 0, 0] = pixel_by_point[:, 1, 1] = factor
        pixel_by_point[:, :, 2] = -factor[:, None] * in_camera[:, :2] / depth[:, None]
        pixel_by_point = seen.level @ pixel_by_point
        by_head_point = pixel_by_point * FLIP
        count, size, betas = 2 * len(points), len(x), self.model.n_betas
        table = np.empty((count, size + self.n_shared + 1))
        rotation = (by_head_point @ by_rotation).reshape(count, 6)
        table[:, HEAD], table[:, JAW] = rotation[:, :3], rotation[:, 3:]
        table[:, TRANSLATION] = pixel_by_point.reshape(count, 3)
        table[:, RIGID:size] = (by_head_point @ by_expression).reshape(count, -1)
        table[:, size : size + betas] = (by_head_point @ by_betas).reshape(count, -1)
        table[:, size + betas : -1] = self._biases_of(seen).T
        table[:, -1] = residual.ravel()
        table = self._whitened(table, seen)
        normal = table.T @ table
        return (
            normal[:size, :size] + self.prior.precision,
            normal[:size, size:-1],
            normal[size:-1, size:-1],
            normal[:size, -1] + self.prior.precision @ x + self.prior.slope,
            normal[size:-1, -1],
        )


def solve(
    problem: Problem,
    seen: list[Observation],
    start: PersonFit,
    *,
    fit_identity: bool = True,
    smooth: Array64 | None = None,
    anchor: Array64 | None = None,
) -> PersonFit:
    """Improve a person's fit until a step is no longer worth taking.

    :param seen: T frames.
    :param fit_identity: whether what the frames share is free.
    :param smooth: (T, N) weights of the squared difference of each frame from the one before, the first one's from
        the anchor, or None for frames of their own. The identity is fixed then.
    :param anchor: (N,) the frame before the first one, already fitted.
    """
    shared, frames = start.shared.copy(), start.frames.copy()
    damping = 1e-3
    best = _total(problem, shared, frames, seen, smooth, anchor)
    for _ in range(_MAX_STEPS):
        blocks = [problem.linearised(shared, x, one) for x, one in zip(frames, seen, strict=True)]
        improved = False
        while damping < 1e6:
            if smooth is None:
                step_s, step_x = _schur_step(problem.prior, shared, frames, blocks, damping, fit_identity)
            else:
                step_s, step_x = np.zeros_like(shared), _chain_step(problem, frames, blocks, damping, smooth, anchor)
            new_frames = np.clip(frames + step_x, problem.prior.low, problem.prior.high)
            total = _total(problem, shared + step_s, new_frames, seen, smooth, anchor)
            if total < best:
                improved = True
                break
            damping *= 8
        if not improved:
            break
        gain, best = best - total, total
        shared, frames = shared + step_s, new_frames
        damping = max(damping / 8, 1e-6)
        if gain < _ENOUGH * (1 + abs(best)):
            break
    return PersonFit(shared, frames)


def state_of(x: Array64) -> FaceState:
    """The face in a frame's unknowns."""
    return FaceState(x[HEAD], x[JAW], x[RIGID:])


def _to_pixels(points: Array64, x: Array64, seen: Observation) -> tuple[Array64, Array64]:
    in_camera = points * FLIP + x[TRANSLATION]
    depth = in_camera[:, 2]
    safe = np.maximum(depth, 1e-6)
    pixels: Array64 = seen.focal * in_camera[:, :2] / safe[:, None] + seen.centre
    return pixels, depth


def _total(
    problem: Problem,
    shared: Array64,
    frames: Array64,
    seen: list[Observation],
    smooth: Array64 | None,
    anchor: Array64 | None,
) -> float:
    total = 0.5 * float(shared @ shared) + sum(
        problem.cost(shared, x, one) for x, one in zip(frames, seen, strict=True)
    )
    if smooth is not None:
        total += 0.5 * float((smooth * _differences(frames, anchor) ** 2).sum())
    return total


def _differences(frames: Array64, anchor: Array64 | None) -> Array64:
    """(T, N): each frame's from the one before; the first one's is 0 without an anchor."""
    return np.diff(frames, axis=0, prepend=frames[:1] if anchor is None else anchor[None])


def _held(prior: FramePrior, x: Array64, gradient: Array64) -> NDArray[np.bool_]:
    """Unknowns at a limit that the gradient pushes further."""
    held: NDArray[np.bool_] = ((x <= prior.low) & (gradient > 0)) | ((x >= prior.high) & (gradient < 0))
    return held


def _schur_step(
    prior: FramePrior,
    shared: Array64,
    frames: Array64,
    blocks: Sequence[tuple[Array64, ...]],
    damping: float,
    fit_identity: bool,
) -> tuple[Array64, Array64]:
    size = len(shared)
    matrix, right = np.eye(size) * (1 + damping), -shared
    solved: list[tuple[Array64, Array64]] = []
    for x, (H_xx, H_xs, H_ss, g_x, g_s) in zip(frames, blocks, strict=True):
        held = _held(prior, x, g_x)
        H = H_xx + damping * np.diag(np.diag(H_xx))
        coupling, gradient = H_xs.copy(), g_x.copy()
        H[held, :] = 0
        H[:, held] = 0
        H[held, held] = 1
        coupling[held], gradient[held] = 0, 0
        if not fit_identity:
            solved.append((coupling, np.linalg.solve(H, gradient)))
            continue
        both = np.linalg.solve(H, np.column_stack([coupling, gradient]))
        solved.append((both[:, :-1], both[:, -1]))
        matrix += H_ss + damping * np.diag(np.diag(H_ss)) - coupling.T @ both[:, :-1]
        right += -g_s + coupling.T @ both[:, -1]
    if not fit_identity:
        return np.zeros(size), np.array([-own for _, own in solved])
    step_s = np.linalg.solve(matrix, right)
    return step_s, np.array([-own - by_s @ step_s for by_s, own in solved])


def _chain_step(
    problem: Problem,
    frames: Array64,
    blocks: Sequence[tuple[Array64, ...]],
    damping: float,
    smooth: Array64,
    anchor: Array64 | None,
) -> Array64:
    """The step of frames that pull at their neighbours: a block-tridiagonal system, eliminated from the front."""
    count, size = frames.shape
    pull = smooth * _differences(frames, anchor)
    pull[:-1] -= pull[1:]
    ties = smooth.copy()
    if anchor is None:
        ties[0] = 0
    ties[:-1] += smooth[1:]
    factors: list[Array64] = []
    rights: list[Array64] = []
    links: list[Array64] = []
    blocked = np.zeros(size, dtype=bool)
    for t in range(count):
        H_xx, g_x = blocks[t][0], blocks[t][3]
        gradient = g_x + pull[t]
        held = _held(problem.prior, frames[t], gradient)
        H = H_xx + damping * np.diag(np.diag(H_xx)) + np.diag(ties[t])
        H[held, :] = 0
        H[:, held] = 0
        H[held, held] = 1
        right = np.where(held, 0, -gradient)
        if t:
            # The coupling to the frame before is minus the weight, where neither is held.
            before = np.where(held | blocked, 0, smooth[t])
            links.append(before)
            inverse = factors[t - 1]
            H -= before[:, None] * inverse * before
            right = right + before * (inverse @ rights[t - 1])
        blocked = held
        factors.append(np.linalg.inv(H))
        rights.append(right)
    step = np.empty_like(frames)
    step[-1] = factors[-1] @ rights[-1]
    for t in range(count - 2, -1, -1):
        step[t] = factors[t] @ (rights[t] + links[t] * step[t + 1])
    return step
