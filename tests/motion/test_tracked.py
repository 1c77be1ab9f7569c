"""Videos as sequences: exact at tracked frames, the shortest way between them, and the head-only frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from ffngen.errors import InputFileError, JobError
from ffngen.motion.tracked import TrackSampling, sample_times, tracked_sequence
from ffngen.params.parameter_set import ParameterSet


def video(numbers: list[int], fps: float | None = 30.0) -> list[ParameterSet]:
    rng = np.random.default_rng(0)
    return [
        ParameterSet(
            rng.normal(size=10),
            rng.normal(size=6),
            rng.normal(size=15) * 0.5,
            "flame2020",
            "person",
            "none",
            f"frame {number}",
            translation=rng.normal(size=3),
            eyelids=rng.random(2),
            track="video",
            frame=number,
            fps=fps,
        )
        for number in numbers
    ]


def test_head_only_frames_take_the_next_pose_and_this_expression() -> None:
    track = video([7, 8, 9, 10])
    sequence = tracked_sequence(track, TrackSampling())
    assert sequence.frame_numbers == (1, 2, 3, 4)
    np.testing.assert_array_equal(sequence.betas, np.mean([one.betas for one in track], axis=0))
    for i, one in enumerate(track):
        for name in ("expression", "pose", "translation", "eyelids"):
            assert getattr(sequence.facial, name)[i].tobytes() == getattr(one, name).tobytes()
    for i in range(3):
        np.testing.assert_array_equal(sequence.head.pose[i], track[i + 1].pose)
        np.testing.assert_array_equal(sequence.head.translation[i], track[i + 1].translation)
        np.testing.assert_array_equal(sequence.head.expression[i], track[i].expression)
        np.testing.assert_array_equal(sequence.head.eyelids[i], track[i].eyelids)
    by_expression = tracked_sequence(track, TrackSampling(), jaw_motion="expression")
    np.testing.assert_array_equal(by_expression.head.pose[0, 6:9], track[0].pose[6:9])


@pytest.mark.parametrize(
    ("sampling", "times"),
    [
        (TrackSampling(), [3, 4, 5, 6, 7, 8, 9]),
        (TrackSampling(step=3), [3, 6, 9]),
        (TrackSampling(step=2, first=4, last=8), [4, 6, 8]),
        (TrackSampling(first=0, last=4), [3, 4]),
        (TrackSampling(fps=60), [3 + i / 2 for i in range(13)]),
        (TrackSampling(fps=20), [3, 4.5, 6, 7.5, 9]),
        (TrackSampling(fps=90, last=4), [3, 3 + 1 / 3, 3 + 2 / 3, 4]),
    ],
)
def test_moments(sampling: TrackSampling, times: list[float]) -> None:
    np.testing.assert_allclose(sample_times(video([3, 4, 6, 9]), sampling), times, rtol=1e-12)


def test_between_frames_rotations_take_the_shortest_way() -> None:
    """Half-way between two frames, and across a gap; the angle grows evenly."""
    first, last = video([0, 4])
    first = replace(first, pose=np.r_[Rotation.from_euler("y", 170, degrees=True).as_rotvec(), np.zeros(12)])
    last = replace(last, pose=np.r_[Rotation.from_euler("y", -170, degrees=True).as_rotvec(), np.zeros(12)])
    sequence = tracked_sequence([first, last], TrackSampling())
    assert len(sequence.facial) == 5
    angles = Rotation.from_rotvec(sequence.facial.pose[:, :3].copy()).as_euler("yxz", degrees=True)[:, 0]
    np.testing.assert_allclose(np.unwrap(angles, period=360), [170, 175, 180, 185, 190], atol=1e-9)
    middle = (first.expression + last.expression) / 2
    np.testing.assert_allclose(sequence.facial.expression[2], middle, atol=1e-12)


def test_offsets_move_with_the_expression() -> None:
    frames = [replace(one, dynamic_offset=np.full((4, 3), i, np.float32)) for i, one in enumerate(video([1, 2, 3]))]
    sequence = tracked_sequence(frames, TrackSampling(fps=60))
    assert sequence.facial.dynamic_offset is not None and sequence.head.dynamic_offset is not None
    np.testing.assert_allclose(sequence.facial.dynamic_offset[:, 0, 0], [0, 0.5, 1, 1.5, 2])
    np.testing.assert_allclose(sequence.head.dynamic_offset[:, 0, 0], [0, 0.5, 1, 1.5])
    frames[1] = replace(frames[1], dynamic_offset=None)
    with pytest.raises(InputFileError, match="some frames have dynamic offsets"):
        tracked_sequence(frames, TrackSampling())


def test_what_cannot_be_sampled() -> None:
    with pytest.raises(InputFileError, match="1 frame of video would be left; take a smaller step"):
        sample_times(video([1, 2]), TrackSampling(step=5))
    with pytest.raises(InputFileError, match="0 frames of video"):
        sample_times(video([1, 2]), TrackSampling(first=10))
    with pytest.raises(JobError, match="the rate of video is not known"):
        sample_times(video([1, 2], fps=None), TrackSampling(fps=10))
    with pytest.raises(InputFileError, match="more than a sequence holds"):
        sample_times(video([1, 20000]), TrackSampling())
    with pytest.raises(InputFileError, match="not in order"):
        tracked_sequence(video([1, 3, 2]), TrackSampling())
