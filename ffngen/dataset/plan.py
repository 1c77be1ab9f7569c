"""What a job comes to: its sequences, numbered, each with its place in the dataset."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ffngen.dataset.layout import MAX_ENTRIES, ImageFormat, SequenceKey, SequenceLayout, is_safe_name, metadata_path
from ffngen.errors import JobError
from ffngen.flow.files import FlowFormat
from ffngen.job import Job
from ffngen.motion.tracked import TrackSampling, sample_times
from ffngen.params.source import ParameterSource
from ffngen.scene.rig import rig_size

#: Bytes per pixel of each file, measured on sequences of jobs/facialflownet.yaml, of a person with hair and of one
#: without: compressed formats vary by a third with the picture.
_BYTES = {"jpg": 0.3, "png": 1.6, "mask": 1.0, "depth": 1.3}
#: The same of flow in each format.
FLOW_BYTES = {"flo": 8.0, "exr": 1.42, "exr-half": 0.57, "compact": 0.46, "flo5": 1.1, "npz": 1.58}
#: Of the vertices, for each image, and of the contact sheet.
_VERTEX_BYTES = 175_000
_SHEET_BYTES = 700_000


@dataclass(frozen=True, slots=True)
class SequencePlan:
    """One sequence of a job: a pure function of the job and ``index``.

    :param index: position in the job.
    :param parameters_index: which parameter set of the job's source.
    :param identity: whose face it is.
    :param layout: where its files lie.
    :param view: which of the job's rig of cameras sees it; None without one.
    """

    index: int
    parameters_index: int
    identity: str
    layout: SequenceLayout
    view: int | None = None

    @property
    def take(self) -> str:
        """What the views of the same moments share: the name without the view."""
        return self.name if self.view is None else self.name.removesuffix(_view_suffix(self.view))

    @property
    def name(self) -> str:
        """The sequence's folder name."""
        return self.layout.key.sequence

    @property
    def pairs(self) -> int:
        """How many image pairs (and flows of each kind) it has."""
        return len(self.layout.pair_frames)

    @property
    def images(self) -> int:
        """How many colour images are rendered for it, facial and head-only."""
        return len(self.layout.facial_frames) + self.pairs


def plan_sequences(job: Job, source: ParameterSource) -> list[SequencePlan]:
    """All sequences of a job: for each parameter set one of each length, before each camera of its rig.

    :raises JobError: a folder would hold more than :data:`ffngen.dataset.layout.MAX_ENTRIES` sequences, and the job
        does not say that it may.
    :raises FfngenError: the rig's cameras cannot be read.
    """
    plans = _plans(job, source)
    folder, entries = largest_folder(plans) if job.folders is None and len(plans) > MAX_ENTRIES else ("", 0)
    if entries > MAX_ENTRIES:
        raise JobError(
            f"the folder {folder} would hold {entries} sequences, which slows file systems down",
            where="folders",
            mend="say spread (256 folders per emotion), or published to have it so: in the job, or with --folders",
        )
    return plans


def largest_folder(plans: Sequence[SequencePlan]) -> tuple[str, int]:
    """The folder of the dataset with the most sequences, such as ``train/happy``, and how many; of the whole job."""
    counts = Counter(plan.layout.key.folder.rpartition("/")[0] for plan in plans)
    (folder, count), *_ = counts.most_common(1) or [("", 0)]
    return folder, count


def _plans(job: Job, source: ParameterSource) -> list[SequencePlan]:
    views = _views(job)
    seen: Counter[str] = Counter()
    plans: list[SequencePlan] = []
    tracks = Counter(source.identity(index) for index in range(len(source))) if job.motion == "tracked" else Counter()
    for index in range(len(source)):
        identity = source.identity(index)
        if job.motion == "tracked":
            for view in views:
                alone = tracks[identity] == 1
                plans.append(_plan_track(job, source, index, len(plans), view, alone=alone))
            continue
        # Which of this identity's sets it is; part of the name, as several may share an identity.
        number = seen[identity]
        seen[identity] += 1
        for n, view in itertools.product(job.n_frames, views):
            name = f"{folder_name(identity)}_e{number}_n{n}{_view_suffix(view)}"
            key = SequenceKey(job.splits.of(identity), source.emotion(index), name, is_spread=job.folders == "spread")
            layout = SequenceLayout(
                key, n, job.include_neutral, ImageFormat(job.image_format), FlowFormat(job.flow_format)
            )
            plans.append(SequencePlan(len(plans), index, identity, layout, view))
    return plans


def count_sequences(job: Job, source: ParameterSource) -> int:
    """How many sequences :func:`plan_sequences` makes of a job."""
    return len(source) * (1 if job.motion == "tracked" else len(job.n_frames)) * len(_views(job))


def _views(job: Job) -> tuple[int | None, ...]:
    if job.rig is None:
        return (None,)
    return job.views if job.views is not None else tuple(range(rig_size(job.rig)))


def _view_suffix(view: int | None) -> str:
    return "" if view is None else f"_v{view:02d}"


def _plan_track(
    job: Job, source: ParameterSource, index: int, number: int, view: int | None, *, alone: bool
) -> SequencePlan:
    """One sequence of a video; its name says which video, and which step."""
    track = source.track(index)
    times = sample_times(track, track_sampling(job))
    identity, video = source.identity(index), track[0].track or ""
    # A recording is often its own person's only one, and named as the person is.
    named_alike = PurePath(video).stem == PurePath(identity).name
    whole = identity if alone and named_alike else f"{identity}/{video}"
    name = f"{folder_name(whole)}_s{job.frame_step}{_view_suffix(view)}"
    key = SequenceKey(job.splits.of(identity), source.emotion(index), name, is_spread=job.folders == "spread")
    layout = SequenceLayout(key, len(times), False, ImageFormat(job.image_format), FlowFormat(job.flow_format))
    return SequencePlan(number, index, identity, layout, view)


def track_sampling(job: Job) -> TrackSampling:
    """Which moments of its videos a job takes."""
    first, last = job.frame_range
    return TrackSampling(job.frame_step, first, last, job.fps)


def folder_name(identity: str) -> str:
    """An identity as part of a folder's name; one that must be changed for it gets a hash, to stay unique."""
    if is_safe_name(identity) and len(identity) <= 64:
        return identity
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", identity).strip(".-_") or "identity"
    return f"{plain[-48:].lstrip('.-_')}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def estimate_bytes(job: Job, plan: SequencePlan) -> int:
    """Roughly the disk space of a sequence."""
    pixels = job.width * job.height
    facial = len(plan.layout.facial_frames)
    per_frame = plan.images * _BYTES[job.image_format] + facial * (_BYTES["mask"] + _BYTES["depth"])
    records = _SHEET_BYTES + plan.images * _VERTEX_BYTES
    return int(pixels * (per_frame + 2 * plan.pairs * FLOW_BYTES[job.flow_format])) + records


def estimate_core_seconds(job: Job, plan: SequencePlan) -> float:
    """Roughly the CPU time of a sequence on one core, from the cost of the demo's colour images.

    ``tests/bench/colour.py`` and ``splat.py`` measure it; machines differ by a factor of two or three, GPUs far more.
    """
    megapixels = job.width * job.height / 1e6
    if job.engine == "splat":
        return plan.images * (0.6 + 0.5 * megapixels + 4e-6 * job.gaussians)
    per_image = 0.25 + megapixels * (0.75 * job.samples + (3.5 if job.denoise else 0.0))
    return plan.images * per_image


def is_complete(root: Path, plan: SequencePlan) -> bool:
    """Whether the sequence is finished: its metadata file, which is written last, is there."""
    return os.path.isfile(f"{root}/{metadata_path(plan.layout.key)}")  # noqa: PTH113
