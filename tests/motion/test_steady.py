"""A moving camera becomes the head's motion: the same pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffngen.errors import InputFileError
from ffngen.geometry.camera import Camera
from ffngen.head.load import load_head
from ffngen.motion.steady import holds_head_still, require_one_lens, steadied
from ffngen.motion.tracked import TrackSampling, tracked_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.sampler import sample_parameter_set

K = np.array([[900.0, 0, 130], [0, 880, 120], [0, 0, 1]])


def moving_camera(i: int) -> Camera:
    T = np.eye(4)
    T[:3, :3] = np.diag([1.0, -1, -1]) @ Rotation.from_rotvec([0.02 * i, -0.05 * i, 0.01 * i]).as_matrix()
    T[:3, 3] = [0.01 * i, 1.6 - 0.02 * i, 1.2 + 0.05 * i]
    return Camera(K, T, 256, 240)


def test_the_same_pixels() -> None:
    model = load_head("open")
    first = sample_parameter_set(model.shape_count, model.expression_names, seed=0, identity_index=0, emotion="happy")
    track = [
        replace(
            first,
            pose=first.pose * (1 + i),
            expression=first.expression * (0.5 + 0.1 * i),
            translation=np.array([0.02 * i, -0.01, 0.03]),
            camera=moving_camera(i),
            track="clip",
            frame=i,
        )
        for i in range(3)
    ]
    steady = steadied(track, model)
    assert all(one.camera == track[0].camera for one in steady)
    before, _ = sequence_vertices(model, tracked_sequence(track, TrackSampling()))
    after, _ = sequence_vertices(model, tracked_sequence(steady, TrackSampling()))
    for i in range(3):
        expected, _ = moving_camera(i).project(before[i])
        found, _ = moving_camera(0).project(after[i])
        np.testing.assert_allclose(found, expected, atol=2e-3)  # vertices are float32
        assert i == 0 or np.abs(found - moving_camera(0).project(before[i])[0]).max() > 5


def test_eyelids_turn_with_the_head() -> None:
    model = load_head("open")
    lids = np.zeros((2, model.vertex_count, 3), np.float32)
    lids[0, :50], lids[1, 50:90] = [0.001, -0.005, 0.002], [0, -0.004, 0.001]
    model = replace(model, eyelids=lids)
    first = sample_parameter_set(model.shape_count, model.expression_names, seed=0, identity_index=0, emotion="sad")
    track = [
        replace(first, eyelids=np.array([1.0, 0.7]), camera=moving_camera(8 * i), track="clip", frame=i)
        for i in range(2)
    ]
    before, _ = sequence_vertices(model, tracked_sequence(track, TrackSampling()))
    after, _ = sequence_vertices(model, tracked_sequence(steadied(track, model), TrackSampling()))
    expected, _ = moving_camera(8).project(before[1])
    found, _ = moving_camera(0).project(after[1])
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_which_trackers_hold_the_head_still() -> None:
    model = load_head("open")
    first = sample_parameter_set(model.shape_count, model.expression_names, seed=0, identity_index=0, emotion="sad")
    track = [replace(first, camera=moving_camera(i), track="clip", frame=i) for i in range(3)]
    assert holds_head_still(track)
    assert not holds_head_still([replace(one, camera=moving_camera(0)) for one in track])
    turned = replace(track[1], pose=track[1].pose + 0.01)
    assert not holds_head_still([track[0], turned, track[2]])


def test_another_lens_is_refused() -> None:
    model = load_head("open")
    first = sample_parameter_set(model.shape_count, model.expression_names, seed=0, identity_index=0, emotion="sad")
    camera = moving_camera(0)
    zoomed = Camera(camera.K * [[2], [2], [1]], camera.T_world_cam, 256, 240)
    track = [replace(first, camera=c, track="clip", frame=i) for i, c in enumerate((camera, zoomed))]
    with pytest.raises(InputFileError, match="changes its lens at frame 1"):
        require_one_lens(track)
    with pytest.raises(InputFileError, match="has no camera"):
        require_one_lens([track[0], replace(track[1], camera=None)])


def test_without_cameras_frames_stay_as_they_are() -> None:
    model = load_head("open")
    first = sample_parameter_set(model.shape_count, model.expression_names, seed=0, identity_index=0, emotion="sad")
    track = [replace(first, camera=c, track="clip", frame=i) for i, c in enumerate((moving_camera(0), None))]
    assert steadied(track, model) == track
