"""The motion that a tracker saw: a video's frames as a sequence, at its own rate or another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ffngen.errors import InputFileError, JobError
from ffngen.motion.sequence import FaceFrames, JawMotion, MotionSequence, sequence_of
from ffngen.params.parameter_set import ParameterSet

#: Frames of a sequence; their numbers have four digits.
MAX_FRAMES = 9999

Array64 = NDArray[np.float64]


@dataclass(frozen=True)
class TrackSampling:
    """Which moments of a video become frames.

    :param step: every so many of the video's frames: larger steps, larger motion.
    :param first: the number of the first frame that is taken; the track's first when absent.
    :param last: the number of the last one that may be taken; the track's last when absent.
    :param fps: frames per second that are wanted, instead of the video's own.
    """

    step: int = 1
    first: int | None = None
    last: int | None = None
    fps: float | None = None


def sample_times(track: Sequence[ParameterSet], sampling: TrackSampling) -> Array64:
    """The moments that are taken, in the track's own frame numbers; a moment between two frames is interpolated.

    :param track: frames of one video, by rising number.
    :raises InputFileError: fewer than two moments, or more than :data:`MAX_FRAMES`, are left.
    :raises JobError: another rate is asked for, and the track does not say its own.
    """
    numbers = [_number(one) for one in track]
    first = numbers[0] if sampling.first is None else max(sampling.first, numbers[0])
    last = numbers[-1] if sampling.last is None else min(sampling.last, numbers[-1])
    step = float(sampling.step)
    if sampling.fps is not None:
        fps = track[0].fps
        if fps is None:
            mend = "leave fps away, or import the parameters with --fps"
            raise JobError(f"the rate of {track[0].track} is not known", where="fps", mend=mend)
        step *= fps / sampling.fps
    # A hair more, so that the last frame is not lost to rounding.
    count = int(np.floor((last - first) / step + 1e-9)) + 1 if last >= first else 0
    if count < 2:
        what = f"{count} frame{'s' if count != 1 else ''} of {track[0].track} would be left"
        raise InputFileError(what, where=track[0].source, mend="take a smaller step or a longer range")
    if count > MAX_FRAMES:
        what = f"{count} frames of {track[0].track} are more than a sequence holds ({MAX_FRAMES})"
        raise InputFileError(what, where=track[0].source, mend="take a larger step or a shorter range")
    times = first + step * np.arange(count)
    return np.minimum(times, last)


def tracked_sequence(
    track: Sequence[ParameterSet], sampling: TrackSampling, *, jaw_motion: JawMotion = "pose"
) -> MotionSequence:
    """A video as facial and head-only frames: head-only frame t+1 takes frame t+1's pose with frame t's expression.

    Between tracked frames, and across frames in which no face was found, rotations take the shortest way
    (Shoemake 1985, slerp) and everything else a straight line; a moment that is a tracked frame is that frame exactly.
    The identity is the mean of the frames' betas.

    :param track: frames of one video, by rising number.
    :raises InputFileError, JobError: as :func:`sample_times`.
    """
    times = sample_times(track, sampling)
    numbers = np.array([_number(one) for one in track], dtype=np.float64)
    if any(later <= earlier for earlier, later in pairwise(numbers)):
        raise InputFileError(f"the frames of {track[0].track} are not in order", where=track[0].source)
    before = np.clip(np.searchsorted(numbers, times, side="right") - 1, 0, len(numbers) - 1)
    after = np.minimum(before + 1, len(numbers) - 1)
    gap = np.where(after > before, numbers[after] - numbers[before], 1.0)
    share = (times - numbers[before]) / gap
    exact = share == 0

    def between(values: Array64) -> Array64:
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        mixed: Array64 = values[before] + weight * (values[after] - values[before])
        return mixed

    pose = _turned(np.stack([one.pose for one in track]), numbers, times)
    turn = np.stack([one.eyelid_turn for one in track])
    tracked = np.stack([track[i].pose for i in before])
    pose[exact] = tracked[exact]
    facial = FaceFrames(
        expression=between(np.stack([one.expression for one in track])),
        pose=pose,
        translation=between(np.stack([one.translation for one in track])),
        eyelids=between(np.stack([one.eyelids for one in track])),
        dynamic_offset=_offsets(track, before, after, share),
        eyelid_turn=_turned(turn, numbers, times) if turn.any() else None,
    )
    betas = np.mean([one.betas for one in track], axis=0)
    return sequence_of(betas, track[0].static_offset, facial, tuple(range(1, len(times) + 1)), jaw_motion)


def _number(frame: ParameterSet) -> int:
    assert frame.frame is not None, "only frames of a track have a motion of their own"
    return frame.frame


def _turned(vectors: Array64, numbers: Array64, times: Array64) -> Array64:
    """Axis-angle triples (N, 3 J) at ``times``, each on the shortest way: (T, 3 J)."""
    joints = [
        Slerp(numbers, Rotation.from_rotvec(vectors[:, j : j + 3]))(times).as_rotvec()
        for j in range(0, vectors.shape[1], 3)
    ]
    result: Array64 = np.concatenate(joints, axis=1)
    return result


def _offsets(
    track: Sequence[ParameterSet], before: NDArray[np.int64], after: NDArray[np.int64], share: Array64
) -> NDArray[np.float32] | None:
    if all(one.dynamic_offset is None for one in track):
        return None
    result: list[NDArray[np.float32]] = []
    for one, other, weight in zip(before, after, share, strict=True):
        first, second = track[one].dynamic_offset, track[other].dynamic_offset
        if first is None or second is None:
            raise InputFileError("some frames have dynamic offsets and some have none", where=track[0].source)
        result.append(first + np.float32(weight) * (second - first))
    return np.stack(result).astype(np.float32, copy=False)
