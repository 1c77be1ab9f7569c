"""A picture's face as if seen from the front: where things lie in it, and the way back."""

import cv2
import numpy as np
import pytest

from ffngen.fit.frontal import SIZE, FrontalFace, FrontalView
from ffngen.fit.observation import FLIP, INNER, Observation
from ffngen.fit.prior import HEAD, RIGID, TRANSLATION, frame_prior
from ffngen.fit.reduced import FaceState, LandmarkModel
from ffngen.head.load import load_head

WIDTH, FOCAL = 600, 1120.0
CENTRE = np.full(2, (WIDTH - 1) / 2)


@pytest.fixture(scope="module")
def landmarks() -> LandmarkModel:
    return LandmarkModel(load_head("open"), n_betas=20, columns=frame_prior(load_head("open")).columns)


@pytest.fixture(scope="module")
def face(landmarks: LandmarkModel) -> FrontalFace:
    return FrontalFace(landmarks)


def seen_from(landmarks: LandmarkModel, head: tuple[float, float, float]) -> tuple[np.ndarray, Observation]:
    """A frame's unknowns, and the mean face's landmarks."""
    x = np.zeros(RIGID + len(landmarks.columns))
    x[HEAD], x[TRANSLATION] = head, (0.02, -0.03, 0.8)
    at_rest = FaceState(x[HEAD], np.zeros(3), np.zeros(len(landmarks.columns)))
    points = landmarks.points(np.zeros(20), at_rest) * FLIP + x[TRANSLATION]
    return x, Observation(FOCAL * points[:, :2] / points[:, 2:] + CENTRE, FOCAL, CENTRE)


def dotted(points: np.ndarray, width: int = WIDTH) -> np.ndarray:
    image = np.full((width, width, 3), (90, 80, 70), np.uint8)
    for point in points:
        cv2.circle(image, np.round(point * 16).astype(int).tolist(), width // 4, (255, 255, 255), -1, cv2.LINE_AA, 4)
    return image


@pytest.mark.parametrize("head", [(0, 0, 0), (0.2, -0.4, 0.1), (-0.1, 0.6, 0)])
def test_landmarks_lie_where_they_do_in_a_frontal_picture(
    landmarks: LandmarkModel, face: FrontalFace, head: tuple[float, float, float]
) -> None:
    x, seen = seen_from(landmarks, head)
    view = FrontalView(face, dotted(seen.points[[36, 45]]), seen, x)
    assert view.frontal == pytest.approx(np.cos(head[1]) * np.cos(head[0]), abs=0.02)
    rest = face.rest
    assert np.abs(view.to_face(seen.points, rest[:, 2]) - rest[:, :2])[17:48].max() < 1e-6
    # The surface that the picture is laid on is the skin.
    columns, rows = face.column_row(rest[INNER]).round().astype(int).T
    off = face.depth.reshape(SIZE)[rows, columns] - rest[INNER, 2]
    assert np.abs(off).max() < 0.015
    assert np.abs(off[[*range(10), *range(19, 31)]]).max() < 0.005


@pytest.mark.parametrize("head", [(0, 0, 0), (0.2, -0.4, 0.1), (0.1, 0.7, 0.2)])
def test_the_way_back(landmarks: LandmarkModel, face: FrontalFace, head: tuple[float, float, float]) -> None:
    x, seen = seen_from(landmarks, head)
    view = FrontalView(face, dotted(seen.points), seen, x)
    assert np.abs(face.metres(face.column_row(face.grid)) - face.grid).max() < 1e-12
    places = np.random.default_rng(0).uniform(0, SIZE[1], (51, 2))
    depth = face.rest[INNER, 2]
    assert np.abs(view.place(view.at(places, depth), depth) - places).max() < 1e-9


def test_pixels_are_the_picture_there(landmarks: LandmarkModel, face: FrontalFace) -> None:
    """A white disc about an eye's corner is a white disc about where that corner lies in the view."""
    x, seen = seen_from(landmarks, (0.1, -0.3, 0.2))
    image = np.full((WIDTH, WIDTH, 3), 40, np.uint8)
    cv2.circle(image, np.round(seen.points[45] * 16).astype(int).tolist(), 100, (255,) * 3, -1, cv2.LINE_AA, 4)
    view = FrontalView(face, image, seen, x)
    assert view.pixels.shape == SIZE
    weight = view.pixels - 40
    row, column = (np.indices(SIZE) * weight).sum(axis=(1, 2)) / weight.sum()
    assert np.abs(view.place(seen.points[45:46], face.rest[45:46, 2])[0] - [column, row]).max() < 0.7


def test_a_larger_picture_is_the_same(landmarks: LandmarkModel, face: FrontalFace) -> None:
    x, seen = seen_from(landmarks, (0, 0.2, 0))
    image = cv2.GaussianBlur(dotted(seen.points[[30]] / 6, 100).repeat(6, 0).repeat(6, 1), (0, 0), 6)
    large = cv2.resize(image, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    wide = Observation((seen.points + 0.5) * 3 - 0.5, 3 * FOCAL, (CENTRE + 0.5) * 3 - 0.5)
    small, big = FrontalView(face, image, seen, x), FrontalView(face, large, wide, x)
    assert np.abs(small.pixels - big.pixels).max() < 6
    assert np.ptp(small.pixels) > 100
