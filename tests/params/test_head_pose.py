"""Head and gaze directions: limits, spread, and the geometry of the split."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffngen.errors import JobError
from ffngen.params.head_pose import HeadPoseRange, sample_pose

COUNT = 2000


@pytest.fixture(scope="module")
def poses() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([sample_pose(HeadPoseRange(), rng) for _ in range(COUNT)])


def angles(rotation: Rotation) -> np.ndarray:
    """(N, 3) degrees, yaw, pitch, roll of R_y R_x R_z, from the matrix itself."""
    R = rotation.as_matrix()
    yaw, pitch, roll = np.arctan2(R[:, 0, 2], R[:, 2, 2]), -np.arcsin(R[:, 1, 2]), np.arctan2(R[:, 1, 0], R[:, 1, 1])
    return np.degrees(np.stack([yaw, pitch, roll], axis=-1))


def head_rotation(poses: np.ndarray) -> Rotation:
    return Rotation.from_rotvec(poses[:, 0:3]) * Rotation.from_rotvec(poses[:, 3:6])


def test_limits_and_spread_of_the_head(poses: np.ndarray) -> None:
    limits = np.array([35, 20, 15])
    found = angles(head_rotation(poses))
    assert (np.abs(found) <= limits + 1e-9).all()
    assert (np.abs(found).max(axis=0) > 0.9 * limits).all()
    # Six standard errors of the mean; a normal cut at two deviations has 0.880 of its deviation.
    assert (np.abs(found.mean(axis=0)) < 6 * 0.44 * limits / np.sqrt(COUNT)).all()
    np.testing.assert_allclose(found.std(axis=0), 0.880 * limits / 2, rtol=0.06)


def test_yaw_pitch_and_roll_are_independent(poses: np.ndarray) -> None:
    correlation = np.corrcoef(angles(head_rotation(poses)).T)
    assert np.abs(correlation - np.eye(3)).max() < 0.1


def test_neck_and_global_share_one_axis(poses: np.ndarray) -> None:
    whole = head_rotation(poses).as_rotvec()
    np.testing.assert_allclose(poses[:, 0:3] + poses[:, 3:6], whole, atol=1e-12)
    share = np.linalg.norm(poses[:, 3:6], axis=1) / np.linalg.norm(whole, axis=1)
    assert share.min() >= 0.6 - 1e-12
    assert share.max() <= 0.9 + 1e-12
    assert share.std() > 0.05


def test_signs() -> None:
    # Of yaw alone, pitch alone and roll alone: where the face (z) and the top of the head (y) go.
    rng = np.random.default_rng(0)
    for field, moving, towards, sign in (("yaw", 2, 0, 1), ("pitch", 2, 1, -1), ("roll", 1, 0, -1)):
        only = HeadPoseRange(**{"yaw": 0, "pitch": 0, "roll": 0, field: 0.5})
        pose = np.stack([sample_pose(only, rng) for _ in range(50)])
        rotations = head_rotation(pose)
        angle = angles(rotations)[:, ["yaw", "pitch", "roll"].index(field)]
        moved = rotations.as_matrix()[:, towards, moving]
        assert (np.sign(moved) == sign * np.sign(angle)).all()
        assert np.abs(angle).min() > 0


def test_eyes_look_the_same_way_but_for_vergence(poses: np.ndarray) -> None:
    left, right = (angles(Rotation.from_rotvec(poses[:, i : i + 3])) for i in (9, 12))
    np.testing.assert_allclose(left[:, 2], 0, atol=1e-9)
    np.testing.assert_allclose(left[:, 1], right[:, 1], atol=1e-9)
    assert np.abs(left[:, 1]).max() <= 15 + 1e-9
    across = (left[:, 0] + right[:, 0]) / 2
    assert 13 < np.abs(across).max() <= 15 + 1e-9
    # The left eye is at +x; inwards it turns to -x, so it has the smaller yaw. Their lines meet in front.
    inwards = (right[:, 0] - left[:, 0]) / 2
    assert inwards.min() >= 0
    assert 1.8 < inwards.max() <= 2 + 1e-9


def test_jaw_is_at_rest_unless_asked_for(poses: np.ndarray) -> None:
    assert not poses[:, 6:9].any()
    rng = np.random.default_rng(0)
    jaws = np.stack([sample_pose(HeadPoseRange(jaw=0.3), rng) for _ in range(500)])[:, 6:9]
    assert not jaws[:, 1:].any()
    assert 0 <= jaws[:, 0].min() < 0.01
    assert 0.29 < jaws[:, 0].max() <= 0.3


def test_no_range_is_a_frontal_pose() -> None:
    still = HeadPoseRange(yaw=0, pitch=0, roll=0, gaze=0, vergence=0)
    assert not sample_pose(still, np.random.default_rng(0)).any()


@pytest.mark.parametrize("value", [-0.1, 2.0, float("nan"), float("inf")])
def test_impossible_range(value: float) -> None:
    with pytest.raises(JobError, match="head pose: yaw must lie in 0 to 90 degrees"):
        HeadPoseRange(yaw=value)
