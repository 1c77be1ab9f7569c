"""Where a job's parameter sets come from: the sampler, or the files of a tracker."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

from ffngen.errors import HeadModelError, InputFileError, JobError
from ffngen.head.load import OPEN
from ffngen.head.model import HeadModel
from ffngen.job import EMOTIONS, Job
from ffngen.params.expression_file import ExpressionFile, default_expressions, read_expressions
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.read import read_parameter_sets
from ffngen.params.sampler import (
    emotion_for,
    sample_flame_parameter_set,
    sample_parameter_set,
    sampled_identity,
)


class ParameterSource(Protocol):
    """Numbered parameter sets; identity and emotion can be asked for without making the set."""

    def __len__(self) -> int:
        """How many sets there are."""

    def identity(self, index: int) -> str:
        """Whose set it is."""

    def emotion(self, index: int) -> str:
        """The set's label."""

    def parameters(self, index: int) -> ParameterSet:
        """The set itself; the first frame of a tracked motion."""

    def track(self, index: int) -> Sequence[ParameterSet]:
        """All frames of a tracked motion, by rising number; elsewhere the set alone."""


class SampledSource:
    """One set for each sampled identity, its emotion each of the job's in turn."""

    def __init__(self, job: Job, model: HeadModel) -> None:
        self._job = job
        self._model = model
        self._file: ExpressionFile = (
            default_expressions() if job.expressions is None else read_expressions(job.expressions)
        )
        # Happy comes first, so that a single face, which a newcomer renders, moves visibly.
        if job.emotions is not None and not model.expression_names:
            raise JobError(
                f"{model.family}'s expressions have no names, so that no emotion can be sampled",
                where="emotions",
                mend="leave it away, or give parameters with --params",
            )
        names = (*EMOTIONS[1:], EMOTIONS[0]) if job.expressions is None else tuple(self._file.expressions)
        self._emotions = job.emotions if job.emotions is not None else names

    def __len__(self) -> int:
        return self._job.identities

    def identity(self, index: int) -> str:
        """The sampler's name of an identity."""
        return sampled_identity(self._model.family, index)

    def emotion(self, index: int) -> str:
        """The emotion whose turn it is; FLAME's expression components have no names to make one of."""
        return emotion_for(index, self._emotions) if self._model.expression_names else "none"

    def parameters(self, index: int) -> ParameterSet:
        """Sample the set."""
        model, seed = self._model, self._job.seed
        if model.expression_names:
            return sample_parameter_set(
                model.shape_count,
                model.expression_names,
                seed=seed,
                identity_index=index,
                emotion=self.emotion(index),
                expressions=self._file,
            )
        return sample_flame_parameter_set(
            model.shape_basis.any(axis=(0, 1)),
            model.expression_basis.any(axis=(0, 1)),
            family=model.family,
            seed=seed,
            identity_index=index,
        )

    def track(self, index: int) -> Sequence[ParameterSet]:
        """The set alone."""
        return (self.parameters(index),)


class GivenSource:
    """The sets of a tracker's files, all checked against the model before any work begins."""

    def __init__(self, sets: Sequence[ParameterSet], model: HeadModel, emotions: Sequence[str] | None) -> None:
        for one in sets:
            check_fits(one, model)
        self._sets = [one for one in sets if emotions is None or one.emotion in emotions]

    def __len__(self) -> int:
        return len(self._sets)

    def identity(self, index: int) -> str:
        """The set's identity."""
        return self._sets[index].identity

    def emotion(self, index: int) -> str:
        """The set's label."""
        return self._sets[index].emotion

    def parameters(self, index: int) -> ParameterSet:
        """The set."""
        return self._sets[index]

    def track(self, index: int) -> Sequence[ParameterSet]:
        """The set alone."""
        return (self._sets[index],)


class TrackedSource:
    """The videos of a tracker's files: each is one motion.

    :param frame_range: the numbers of the first and the last frame that are taken.
    :raises InputFileError: no set is a frame of a video, or two have one number.
    """

    def __init__(
        self,
        sets: Sequence[ParameterSet],
        model: HeadModel,
        emotions: Sequence[str] | None,
        frame_range: tuple[int | None, int | None] = (None, None),
    ) -> None:
        tracks: dict[tuple[str, str], list[ParameterSet]] = {}
        for one in sets:
            check_fits(one, model)
            if one.track is not None:
                tracks.setdefault((one.identity, one.track), []).append(one)
        if sets and not tracks:
            what = "holds no frames of a video, but single pictures"
            raise InputFileError(what, where=sets[0].source, mend="leave --motion tracked away")
        whole = [sorted(tracks[key], key=_frame_number) for key in sorted(tracks)]
        whole = [track for track in whole if emotions is None or track[0].emotion in emotions]
        # Where a range leaves none of a video, sampling it says so.
        self._tracks = [_within(track, frame_range) or track for track in whole]
        for track in whole:
            for one, other in pairwise(track):
                if one.frame == other.frame:
                    what = f"frame {one.frame} of {one.track} is there twice"
                    raise InputFileError(what, where=other.source, mend="give each video a folder of its own")

    def __len__(self) -> int:
        return len(self._tracks)

    def identity(self, index: int) -> str:
        """The track's identity."""
        return self._tracks[index][0].identity

    def emotion(self, index: int) -> str:
        """The label of the track's first frame."""
        return self._tracks[index][0].emotion

    def parameters(self, index: int) -> ParameterSet:
        """The first frame."""
        return self._tracks[index][0]

    def track(self, index: int) -> Sequence[ParameterSet]:
        """The frames."""
        return self._tracks[index]


def _within(track: Sequence[ParameterSet], frame_range: tuple[int | None, int | None]) -> list[ParameterSet]:
    first, last = frame_range
    return [
        one
        for one in track
        if (first is None or _frame_number(one) >= first) and (last is None or _frame_number(one) <= last)
    ]


def _frame_number(one: ParameterSet) -> int:
    return one.frame if one.frame is not None else -1


def parameter_source(job: Job, model: HeadModel) -> ParameterSource:
    """The parameter sets of a job.

    :raises InputFileError: the parameters cannot be read, or none is left of the emotions asked for.
    :raises HeadModelError: they do not fit the model.
    """
    if job.params == "sample":
        return SampledSource(job, model)
    sets = read_parameter_sets(Path(job.params), job.params_format)
    source: TrackedSource | GivenSource
    if job.motion == "tracked":
        source = TrackedSource(sets, model, job.emotions, job.frame_range)
    else:
        source = GivenSource(sets, model, job.emotions)
    if len(source) == 0:
        raise InputFileError(
            f"holds no parameter set of the emotions {', '.join(job.emotions or ())}",
            where=job.params,
            mend="leave --emotion away to take all",
        )
    return source


def check_fits(parameters: ParameterSet, model: HeadModel) -> None:
    """Refuse a set of another model's coefficients, or of more than the model has.

    :raises HeadModelError: says which, and the way out.
    """
    if parameters.family != model.family:
        raise HeadModelError(
            f"these parameters are {parameters.family}'s, and the head is {model.family}'s: their coefficients differ",
            where=parameters.source,
            mend="use --head open" if parameters.family == OPEN else f"give a {parameters.family} model with --head",
        )
    for name, given, known in (
        ("betas", parameters.betas.size, model.shape_count),
        ("expression coefficients", parameters.expression.size, model.expression_count),
    ):
        if given > known:
            raise HeadModelError(f"{given} {name}, of which the model has {known}", where=parameters.source)
    if parameters.eyelids.any() and model.eyelids is None:
        what = "closes the eyelids, and the head has no blendshapes for that"
        mend = "put the tracker's l_eyelid.npy and r_eyelid.npy beside the model, or import with --without-eyelids"
        raise HeadModelError(what, where=parameters.source, mend=mend)
    for name in ("static_offset", "dynamic_offset"):
        offset = getattr(parameters, name)
        if offset is not None and len(offset) != model.vertex_count:
            what = f"{name} is for {len(offset)} vertices, and the head has {model.vertex_count}"
            mend = "use --head-teeth" if len(offset) > model.vertex_count else "leave --head-teeth away"
            raise HeadModelError(what, where=parameters.source, mend=mend)
