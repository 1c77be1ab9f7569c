"""The solver on landmarks of known faces: what landmarks tell comes back, and nothing leaves its limits."""

import time

import numpy as np
import pytest

from ffngen.fit.calibration import calibration
from ffngen.fit.observation import Observation
from ffngen.fit.prior import HEAD, N_BETAS, RIGID, TRANSLATION, frame_prior
from ffngen.fit.reduced import LandmarkModel
from ffngen.fit.solve import PersonFit, Problem, solve
from ffngen.fit.start import first_guess
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel

CENTRE = np.array([255.5, 255.5])
FOCAL = 950.0


@pytest.fixture(scope="module")
def model() -> HeadModel:
    return load_head("open")


@pytest.fixture(scope="module")
def problem(model: HeadModel) -> Problem:
    prior = frame_prior(model)
    known = calibration("open")
    reduced = LandmarkModel(model, n_betas=N_BETAS, columns=prior.columns, offsets=known.offsets)
    return Problem(reduced, prior, known)


def place(problem: Problem, name: str) -> int:
    names = problem.model.model.expression_names
    return RIGID + problem.prior.columns.index(names.index(name))


def unknowns(problem: Problem, head: tuple[float, float, float], **actions: float) -> np.ndarray:
    x = np.zeros(RIGID + len(problem.prior.columns))
    x[HEAD], x[TRANSLATION] = head, (0.01, -0.02, 0.6)
    for name, value in actions.items():
        for side in (name, name + "Left", name + "Right"):
            if side in problem.model.model.expression_names:
                x[place(problem, side)] = value
    return x


def observe(problem: Problem, shared: np.ndarray, x: np.ndarray, noise: float = 0.0, seed: int = 0) -> Observation:
    blank = Observation(np.zeros((68, 2)), FOCAL, CENTRE)
    pixels = problem.project(shared, x, blank)
    return Observation(pixels + noise * np.random.default_rng(seed).normal(size=pixels.shape), FOCAL, CENTRE)


def fitted(problem: Problem, seen: list[Observation]) -> PersonFit:
    starts = np.array([first_guess(problem, one) for one in seen])
    return solve(problem, seen, PersonFit(np.zeros(problem.n_shared), starts))


def person(problem: Problem, seed: int) -> np.ndarray:
    shared = np.zeros(problem.n_shared)
    shared[:10] = np.random.default_rng(seed).normal(size=10)
    return shared


def error(problem: Problem, fit: PersonFit, t: int, seen: Observation) -> float:
    distance = np.linalg.norm(problem.project(fit.shared, fit.frames[t], seen) - seen.points, axis=1)
    return float(np.sqrt((distance**2).mean()) / seen.scale)


@pytest.mark.parametrize("degrees", [-40, -20, 0, 20, 40])
def test_pose(problem: Problem, degrees: float) -> None:
    x = unknowns(problem, (0.1, np.radians(degrees), -0.1))
    seen = observe(problem, np.zeros(problem.n_shared), x, noise=0.3)
    fit = fitted(problem, [seen])
    assert np.degrees(np.abs(fit.frames[0][HEAD] - x[HEAD])).max() < 4
    assert error(problem, fit, 0, seen) < 0.01


def test_actions_of_a_person_with_noise(problem: Problem) -> None:
    rng = np.random.default_rng(1)
    names = ["jawOpen", "mouthSmile", "browDown", "eyeBlink", "browInnerUp", "mouthFrown", "eyeWide"]
    true, found = [], []
    for number in range(4):
        shared = person(problem, number)
        frames = [unknowns(problem, (0, 0.1 * t, 0)) for t in range(5)]
        for t, x in enumerate(frames[1:]):
            x += unknowns(problem, (0, 0, 0), **{names[(number + 2 * t) % 7]: rng.uniform(0.3, 0.9)})
            x[TRANSLATION] /= 2
        fit = fitted(problem, [observe(problem, shared, x, 0.4, seed=t) for t, x in enumerate(frames)])
        true += [x[RIGID:] for x in frames]
        found += list(fit.frames[:, RIGID:])
        assert fit.frames[:, RIGID:].min() >= 0
        assert fit.frames[:, RIGID:].max() <= 1
    for name in ("jawOpen", "mouthSmileLeft", "browDownRight", "eyeBlinkLeft", "browInnerUp"):
        column = place(problem, name) - RIGID
        assert np.corrcoef(np.array(true)[:, column], np.array(found)[:, column])[0, 1] > 0.9, name


def test_many_pictures_tell_brows_from_faces(problem: Problem) -> None:
    """Whether somebody's brows are raised or high, one picture does not tell; ten do."""
    column = place(problem, "browInnerUp")
    true, alone, together = [], [], []
    for number in range(3):
        rng = np.random.default_rng(50 + number)
        shared = np.zeros(problem.n_shared)
        shared[problem.identity] = rng.normal(size=problem.model.n_betas)
        values = rng.uniform(0.2, 0.9, 10) * (rng.uniform(size=10) < 0.4)
        frames = [unknowns(problem, (0, rng.uniform(-0.2, 0.2), 0), browInnerUp=value) for value in values]
        seen = [observe(problem, shared, x, 0.4, seed=20 * number + t) for t, x in enumerate(frames)]
        true += list(values)
        together += list(fitted(problem, seen).frames[:, column])
        alone += [fitted(problem, [one]).frames[0, column] for one in seen]
    one, many = (np.corrcoef(true, found)[0, 1] for found in (alone, together))
    assert many > 0.85
    assert one < many - 0.1


def test_identity_is_shared(problem: Problem) -> None:
    shared = person(problem, 7)
    seen = [observe(problem, shared, unknowns(problem, (0, yaw, 0)), 0.3) for yaw in (-0.4, 0.0, 0.4)]
    fit = fitted(problem, seen)
    assert fit.shared.shape == (problem.n_shared,)
    assert np.corrcoef(fit.shared[:10], shared[:10])[0, 1] > 0.4


def test_smoothing_lessens_jitter_and_keeps_motion(problem: Problem) -> None:
    shared = person(problem, 3)
    opening = 0.8 * np.sin(np.linspace(0, np.pi, 20)) ** 2
    truth = [unknowns(problem, (0, 0.3 * np.sin(t / 6), 0), jawOpen=value) for t, value in enumerate(opening)]
    seen = [observe(problem, shared, x, 1.2, seed=t) for t, x in enumerate(truth)]
    start = fitted(problem, seen)
    weights = np.tile((25 / problem.prior.pace) ** 2, (20, 1))
    smooth = solve(problem, seen, start, fit_identity=False, smooth=weights)
    assert np.array_equal(smooth.shared, start.shared)
    for part in (slice(0, 3), slice(place(problem, "jawOpen"), place(problem, "jawOpen") + 1)):
        jitter = [np.abs(np.diff(fit.frames[:, part], n=2, axis=0)).mean() for fit in (start, smooth)]
        assert jitter[1] < 0.7 * jitter[0]
    assert np.corrcoef(smooth.frames[:, place(problem, "jawOpen")], opening)[0, 1] > 0.97


def test_a_chain_equals_one_dense_system(problem: Problem) -> None:
    """Frames tied to each other and to an anchor: the stretch solved from both ends gives the same optimum."""
    truth = [unknowns(problem, (0, 0.05 * t, 0), jawOpen=0.1 * t) for t in range(4)]
    shared = np.zeros(problem.n_shared)
    seen = [observe(problem, shared, x, 1.0, seed=t) for t, x in enumerate(truth)]
    weights = np.tile((25 / problem.prior.pace) ** 2, (4, 1))
    forwards = solve(problem, seen, PersonFit(shared, np.array(truth)), fit_identity=False, smooth=weights)
    backwards = solve(problem, seen[::-1], PersonFit(shared, np.array(truth[::-1])), fit_identity=False, smooth=weights)
    assert np.abs(forwards.frames - backwards.frames[::-1]).max() < 0.02
    held = solve(
        problem, seen, PersonFit(shared, np.array(truth)), fit_identity=False, smooth=1e8 * weights, anchor=truth[0]
    )
    assert np.abs(held.frames - truth[0]).max() < 1e-3


def test_flame_form(model: HeadModel) -> None:
    """A model without names of actions: expression components, and a jaw that turns."""
    from dataclasses import replace

    flame = replace(model, family="flame2020", expression_names=())
    prior = frame_prior(flame)
    known = calibration("flame2020")
    reduced = LandmarkModel(flame, n_betas=40, columns=prior.columns, offsets=known.offsets)
    problem = Problem(reduced, prior, known)
    x = np.zeros(RIGID + len(prior.columns))
    x[TRANSLATION], x[6] = (0, 0, 0.6), 0.25
    seen = observe(problem, np.zeros(problem.n_shared), x)
    fit = fitted(problem, [seen])
    assert error(problem, fit, 0, seen) < 0.02
    assert fit.frames[0][6] > -0.06


def test_time(problem: Problem, capsys: pytest.CaptureFixture[str]) -> None:
    seen = [observe(problem, person(problem, 1), unknowns(problem, (0, 0.1, 0), mouthSmile=0.5), 0.5)]
    start = time.perf_counter()
    fitted(problem, seen)
    with capsys.disabled():
        print(f" one frame fitted in {time.perf_counter() - start:.3f} s ", end="")
