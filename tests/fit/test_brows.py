"""Brows painted on a forehead are found where they were painted, and nowhere else."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from ffngen.fit.brows import BrowFinder, likeness, load_cascade, patches
from ffngen.fit.calibration import calibration
from ffngen.fit.forehead import Strip
from ffngen.fit.observation import BROWS, FLIP, Brows, Observation
from ffngen.fit.prior import HEAD, RIGID, TRANSLATION, frame_prior
from ffngen.fit.reduced import FaceState, LandmarkModel
from ffngen.fit.solve import Problem
from ffngen.head.load import load_head
from ffngen.head.open_head.landmarks import MIRROR_LANDMARK

SIZE, FOCAL = 600, 1120.0
CENTRE = np.full(2, (SIZE - 1) / 2)


@pytest.fixture(scope="module")
def landmarks() -> LandmarkModel:
    return LandmarkModel(load_head("open"), n_betas=20, columns=frame_prior(load_head("open")).columns)


@pytest.fixture(scope="module")
def finder(landmarks: LandmarkModel) -> BrowFinder:
    return BrowFinder(landmarks)


def face(landmarks: LandmarkModel, head: tuple[float, float, float], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A frame's unknowns, and the landmarks of somebody who frowns or raises brows, pixels."""
    rng = np.random.default_rng(seed)
    names, expression = landmarks.model.expression_names, np.zeros(len(landmarks.columns))
    for name in rng.choice(["browInnerUp", "browDownLeft", "browOuterUpRight"], size=2, replace=False):
        expression[list(landmarks.columns).index(names.index(name))] = rng.uniform(0.2, 0.8)
    x = np.zeros(RIGID + len(landmarks.columns))
    x[HEAD], x[TRANSLATION] = head, (0.0, 0.0, 1.0)
    points = landmarks.points(rng.normal(size=20), FaceState(x[HEAD], np.zeros(3), expression)) * FLIP + x[TRANSLATION]
    return x, FOCAL * points[:, :2] / points[:, 2:] + CENTRE


@pytest.fixture(scope="module")
def detector_landmarks(landmarks: LandmarkModel, finder: BrowFinder) -> LandmarkModel:
    """Where MediaPipe usually sees them."""
    offsets, start = np.zeros((68, 3)), finder.cascade.start
    offsets[BROWS] = np.concatenate([start[::-1] * [-1, 1, 1], start])
    columns = frame_prior(landmarks.model).columns
    return LandmarkModel(landmarks.model, n_betas=20, columns=columns, offsets=offsets)


def painted(pixels: np.ndarray, *, brows: bool = True) -> np.ndarray:
    """Skin, dark eyes, and brows through their landmarks."""
    image = np.full((SIZE, SIZE, 3), (190, 150, 130), np.uint8)
    strokes = [(pixels[17:22], 5), (pixels[22:27], 5)] if brows else []
    for points, width in [*strokes, (pixels[36:40], 2), (pixels[42:46], 2)]:
        line = np.round(points * 16).astype(np.int32)
        cv2.polylines(image, [line], False, (60, 45, 40), width, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(image, (0, 0), 1.5)


def seen_at(pixels: np.ndarray, shift: tuple[float, float] = (0, 0)) -> Observation:
    """What a detector says that draws brows too high or low."""
    points = pixels.copy()
    points[BROWS] += shift
    return Observation(points, FOCAL, CENTRE, Brows.UNKNOWN)


@pytest.mark.parametrize("yaw", [-0.3, 0.0, 0.3])
@pytest.mark.parametrize("shift", [(0, -4), (0, 4), (3, 0)])
def test_brows_are_found(
    landmarks: LandmarkModel,
    detector_landmarks: LandmarkModel,
    finder: BrowFinder,
    yaw: float,
    shift: tuple[float, float],
) -> None:
    (x, true), (_, drawn) = (face(one, (0.05, yaw, 0.1), int(10 * yaw) + 5) for one in (landmarks, detector_landmarks))
    seen = seen_at(drawn, shift)
    found = finder(painted(true), seen, x)
    assert found.brows is Brows.FOUND
    before, after = (np.linalg.norm((one.points - true)[BROWS], axis=1).mean() for one in (seen, found))
    assert after < 3.5
    assert after < 0.4 * before
    others = np.delete(np.arange(68), np.arange(68)[BROWS])
    assert np.array_equal(found.points[others], seen.points[others])


def test_a_larger_picture_is_the_same(landmarks: LandmarkModel, finder: BrowFinder) -> None:
    x, true = face(landmarks, (0, 0.1, 0))
    image, seen = painted(true), seen_at(true, (0, 2))
    large = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    wide = Observation((seen.points + 0.5) * 3 - 0.5, 3 * FOCAL, (CENTRE + 0.5) * 3 - 0.5, Brows.UNKNOWN)
    small, big = finder(image, seen, x).points, (finder(large, wide, x).points + 0.5) / 3 - 0.5
    assert np.abs(small - big).max() < 1


def test_a_mirrored_picture_has_mirrored_brows(landmarks: LandmarkModel, finder: BrowFinder) -> None:
    x, true = face(landmarks, (0, 0.2, 0.1))
    image, seen = painted(true), seen_at(true, (0, 2))
    turned = x * 1
    turned[HEAD] *= [1, -1, -1]
    points = seen.points[list(MIRROR_LANDMARK)] * [-1, 1] + [SIZE - 1, 0]
    other = finder(image[:, ::-1], replace(seen, points=points), turned)
    back = other.points[list(MIRROR_LANDMARK)] * [-1, 1] + [SIZE - 1, 0]
    assert np.abs(back - finder(image, seen, x).points).max() < 0.6


def test_without_brows_the_detector_stays(
    landmarks: LandmarkModel, detector_landmarks: LandmarkModel, finder: BrowFinder
) -> None:
    """On bare skin, and under a fringe, points lie where the detector's usually mean."""
    (x, true), (_, drawn) = (face(one, (0, 0, 0)) for one in (landmarks, detector_landmarks))
    seen = seen_at(drawn)
    noise = np.random.default_rng(0).integers(0, 80, (SIZE, SIZE, 3), dtype=np.uint8)
    for image in (painted(true, brows=False), noise):
        found = finder(image, seen, x)
        assert found.brows is Brows.GUESSED
        assert np.abs((found.points - true)[BROWS]).max() < 5


def test_a_profile_shows_no_brows(landmarks: LandmarkModel, finder: BrowFinder) -> None:
    x, true = face(landmarks, (0, np.pi / 2, 0))
    assert finder(painted(true), Observation(true, FOCAL, CENTRE), x).brows is Brows.UNKNOWN


@pytest.mark.parametrize("head", [(0, 0, 0), (0.2, -0.4, 0.1)])
def test_a_strip_is_seen_from_the_front(landmarks: LandmarkModel, finder: BrowFinder, head: tuple) -> None:
    """The mean face's eyes and nose lie where they do in a frontal view, and the way back is the inverse."""
    x = np.zeros(RIGID + len(landmarks.columns))
    x[HEAD], x[TRANSLATION] = head, (0.02, -0.03, 0.8)
    nothing = FaceState(x[HEAD], np.zeros(3), np.zeros(len(landmarks.columns)))
    points = landmarks.points(np.zeros(20), nothing) * FLIP + x[TRANSLATION]
    pixels = FOCAL * points[:, :2] / points[:, 2:] + CENTRE
    strip = Strip(finder.forehead, painted(pixels), Observation(pixels, FOCAL, CENTRE), x)
    rest = finder.forehead.rest
    assert np.abs(strip.to_face(pixels, rest[:, 2]) - rest[:, :2])[17:48].max() < 1e-6
    places = finder.forehead.grid[::500]
    depth = finder.forehead.depth_at(places)
    assert np.abs(strip.to_face(strip.to_picture(places, depth), depth) - places).max() < 1e-9
    # The brows' skin is where the surface is, within what smoothing takes.
    assert np.abs(finder.forehead.depth_at(rest[BROWS, :2]) - rest[BROWS, 2]).max() < 0.004
    assert np.abs(finder.forehead.metres(finder.forehead.column_row(places)) - places).max() < 1e-12


def test_patches_do_not_depend_on_light() -> None:
    rng = np.random.default_rng(3)
    pixels = rng.uniform(0, 100, (57, 133)).astype(np.float32)
    points = rng.uniform(20, 40, (5, 2))
    typical = load_cascade().typical
    bright, dark = (patches(pixels * factor + level, points) for factor, level in ((2, 30), (1, 0)))
    assert likeness(bright, dark) > 0.999
    assert abs(likeness(bright, typical)) < 0.3
    assert likeness(typical, typical) == pytest.approx(1)


def test_unknown_brows_do_not_count(landmarks: LandmarkModel) -> None:
    known = calibration("open")
    problem = Problem(landmarks, frame_prior(landmarks.model), known)
    x, true = face(landmarks, (0, 0, 0))
    moved = true.copy()
    moved[BROWS] += [0, 8]
    shared = np.zeros(problem.n_shared)
    costs = {
        brows: [problem.cost(shared, x, Observation(points, FOCAL, CENTRE, brows)) for points in (true, moved)]
        for brows in Brows
    }
    gain = {brows: abs(there - here) for brows, (here, there) in costs.items()}
    assert gain[Brows.UNKNOWN] < 1 < gain[Brows.GUESSED] < gain[Brows.FOUND]
