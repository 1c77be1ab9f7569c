"""Gaze from irises: of open eyes, of one, and of none."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffngen.fit.calibration import calibration
from ffngen.fit.detect import FoundFace
from ffngen.fit.gaze import eye_pose
from ffngen.fit.observation import FLIP, Observation
from ffngen.fit.prior import HEAD, N_BETAS, RIGID, TRANSLATION, frame_prior
from ffngen.fit.reduced import LandmarkModel, pose_vector
from ffngen.head.load import load_head

FOCAL, CENTRE = 900.0, np.array([255.5, 255.5])
LOOK = Rotation.from_euler("YX", [0.2, -0.1]).as_rotvec()


@pytest.fixture(scope="module")
def landmarks() -> LandmarkModel:
    model = load_head("open")
    return LandmarkModel(
        model, n_betas=N_BETAS, columns=frame_prior(model).columns, offsets=calibration("open").offsets
    )


def seen(landmarks: LandmarkModel, **closed: float) -> tuple[np.ndarray, Observation, FoundFace]:
    """A frame's unknowns, landmarks and irises of somebody who looks aside, with lids closed by so much."""
    model = landmarks.model
    x = np.zeros(RIGID + len(landmarks.columns))
    x[HEAD], x[TRANSLATION] = [0.05, -0.2, 0.1], [0.02, 0.01, 0.7]
    expression = np.zeros(model.expression_count)
    for name, value in closed.items():
        column = list(model.expression_names).index(name)
        expression[column] = x[RIGID + list(landmarks.columns).index(column)] = value
    pose = pose_vector(x[HEAD], np.zeros(3))
    pose[9:] = np.tile(LOOK, 2)
    vertices = model.vertices(np.zeros(1), expression[None], pose[None])[0]
    irises = np.unique(model.faces[model.regions["iris"]])
    middle = [vertices[np.intersect1d(irises, np.unique(model.faces[model.regions[f"{side}_eyeball"]]))].mean(axis=0)
              for side in ("left", "right")]  # fmt: skip
    assert model.landmarks is not None
    turn = Rotation.from_rotvec(x[HEAD]).as_matrix()
    there = model.landmarks.evaluate(vertices) + calibration("open").offsets @ turn.T
    points = np.concatenate([there, middle]) * FLIP + x[TRANSLATION]
    pixels = FOCAL * points[:, :2] / points[:, 2:] + CENTRE
    return x, Observation(pixels[:68], FOCAL, CENTRE), FoundFace(pixels[:68], pixels[68:])


def test_open_eyes(landmarks: LandmarkModel) -> None:
    pose = eye_pose(landmarks, np.zeros(N_BETAS), *seen(landmarks))
    assert np.abs(pose - np.tile(LOOK, 2)).max() < 0.02


@pytest.mark.parametrize(("closed", "iris"), [("eyeBlinkLeft", 0), ("eyeBlinkRight", 1)])
def test_one_open_eye_is_enough(landmarks: LandmarkModel, closed: str, iris: int) -> None:
    """What the detector says of the closed one does not count."""
    x, observation, found = seen(landmarks, **{closed: 1.0})
    found.irises[iris] += [4, 9]
    assert np.abs(eye_pose(landmarks, np.zeros(N_BETAS), x, observation, found) - np.tile(LOOK, 2)).max() < 0.02


def test_closed_eyes_look_straight_ahead(landmarks: LandmarkModel) -> None:
    assert not eye_pose(landmarks, np.zeros(N_BETAS), *seen(landmarks, eyeBlinkLeft=1.0, eyeBlinkRight=1.0)).any()
