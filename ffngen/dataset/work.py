"""One sequence's way into the dataset: request, raw files to dataset files, move into place.

Everything is written below ``.partial/RUN/SEQUENCE`` with the dataset's own layout, and moved when it
is whole; the metadata file comes last and marks the sequence complete. Whatever kills the process on
the way, the dataset holds no half sequence that counts as one.
"""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen import __version__
from ffngen.atomic import sha256_file, write_atomic
from ffngen.dataset.arrays import SequenceVertices, encode_mask, encode_vertices
from ffngen.dataset.compose import ComposedSequence, compose
from ffngen.dataset.contact_sheet import SheetPair, contact_sheet, shown_frames
from ffngen.dataset.context import JobContext, encode_fast_png
from ffngen.dataset.labels.avatar import open_avatar
from ffngen.dataset.labels.layout import LabelKind, parse_kinds
from ffngen.dataset.labels.make import open_head
from ffngen.dataset.labels.sequence import SequenceLabels
from ffngen.dataset.layout import Output, Record, log_path, old_log_path, sequence_folders
from ffngen.dataset.metadata import (
    FileEntry,
    HeadModel,
    Parameters,
    SequenceMetadata,
    Versions,
)
from ffngen.dataset.plan import SequencePlan
from ffngen.dataset.store import Store
from ffngen.errors import FfngenError
from ffngen.flow.exr import write_depth_exr
from ffngen.flow.files import write_flow
from ffngen.images import encode_jpeg, encode_png
from ffngen.job import Job
from ffngen.render.process import RenderedFrame
from ffngen.render.raw import read_backplate, read_colour, read_truth
from ffngen.render.request import RawPass
from ffngen.splat.ply import find_avatar

_IMAGES = {RawPass.FACIAL_COLOUR: Output.FACIAL_IMAGE, RawPass.HEAD_COLOUR: Output.HEAD_IMAGE}

#: How much of a render process's chatter is kept with a failure.
_LOG_TAIL = 20_000


def _nested(poses: NDArray[np.float64] | None) -> Any:
    """Matrices as the tuples that the metadata's model wants."""
    return None if poses is None else tuple(tuple(tuple(row) for row in pose) for pose in poses.tolist())


def job_labels(job: Job) -> tuple[LabelKind, ...]:
    """The labels that a job asks for."""
    return parse_kinds((*job.labels, *(("pairs",) if job.label_pairs else ())))


class SequenceWork:
    """A :class:`ffngen.render.pool.SequenceWork` that makes one sequence of a dataset."""

    def __init__(
        self, context: JobContext, plan: SequencePlan, store: Store, run_folder: Path, save_blend: Path | None
    ) -> None:
        self._context = context
        self._plan = plan
        self._store = store
        self._folder = run_folder / plan.name
        self._save_blend = save_blend
        self._composed: ComposedSequence | None = None
        self._shown: dict[tuple[Output, int], NDArray[Any]] = {}

    @property
    def name(self) -> str:
        """The sequence's name."""
        return self._plan.name

    @property
    def save_blend(self) -> Path | None:
        """Where to keep the Blender scene, if anywhere."""
        return self._save_blend

    def prepare(self) -> Path:
        """Compose the sequence and write its request."""
        self.abandon()
        self._composed = compose(self._context, self._plan)
        self._request_folder.mkdir(parents=True)
        composed = self._composed
        composed.request.write(self._request_folder, composed.atlas_png, encode_fast_png(composed.background))
        for folder in sequence_folders(self._plan.layout.key):
            (self._folder / folder).mkdir(parents=True)
        return self._request_folder

    @property
    def _request_folder(self) -> Path:
        return self._folder / "request"

    def frame_done(self, frame: RenderedFrame) -> None:
        """Turn one raw file into images, or flow, mask and depth."""
        number = self._plan.layout.facial_frames[frame.frame]
        raw = frame.kind.path(self._request_folder, frame.frame)
        if frame.kind is RawPass.TRUTH:
            self._write_truth(frame, raw, number)
        elif frame.kind is RawPass.BACKPLATE:
            assert self._composed is not None
            self._composed = self._composed.before(read_backplate(raw, self._composed.request.template))
        else:
            assert self._composed is not None
            composed = self._composed
            development, seed = composed.development, composed.noise_seed(frame.kind, frame.frame)
            image = read_colour(raw, frame.crop, composed.background_of(frame.frame), development, seed)
            output = _IMAGES[frame.kind]
            self._keep(output, number, image)
            job = self._context.job
            encoded = encode_png(image) if job.image_format == "png" else encode_jpeg(image, job.jpeg_quality)
            write_atomic(self._path(output, number), encoded)
        raw.unlink(missing_ok=True)

    def _write_truth(self, frame: RenderedFrame, raw: Path, number: int) -> None:
        assert self._composed is not None
        request = self._composed.request
        camera = request.camera_of(frame.frame)
        later = request.camera_of(min(frame.frame + 1, len(request.facial) - 1))
        truth = read_truth(raw, frame.crop, plane=request.background, camera=camera, later=later)
        mask = truth.mask.astype(np.uint8)
        self._keep(Output.MASK, number, mask)
        self._keep(Output.DEPTH, number, truth.depth)
        write_atomic(self._path(Output.MASK, number), encode_mask(mask))
        write_depth_exr(self._path(Output.DEPTH, number), truth.depth)
        if number in self._plan.layout.pair_frames:
            for output, flow in ((Output.FACIAL_FLOW, truth.facial_flow), (Output.HEAD_FLOW, truth.head_flow)):
                self._keep(output, number, flow)
                write_flow(self._path(output, number), flow, flow_format=self._plan.layout.flow_format)

    def finish(self) -> None:
        """Write the records, move everything into place, and mark the sequence complete."""
        assert self._composed is not None
        request = self._composed.request
        layout = self._plan.layout
        vertices = SequenceVertices(
            request.facial, request.head, request.faces, np.array(layout.facial_frames, dtype=np.int32)
        )
        write_atomic(self._folder / layout.record(Record.VERTICES), encode_vertices(vertices))
        write_atomic(self._folder / layout.record(Record.CONTACT_SHEET), encode_png(self._sheet()))
        metadata = self._metadata({str(path): self._entry(path) for path in layout.files()})
        if self._store.labels_go_along:
            self._label(metadata)
        self._store.put_sequence(self._folder, metadata)
        self._store.remove(log_path(self.name), old_log_path(self.name))
        self.abandon()

    def _label(self, metadata: SequenceMetadata) -> None:
        """Add the job's labels to what has been written."""
        job = self._context.job
        if kinds := job_labels(job):
            model = open_head(job.head, job.head_family, metadata.model.digest)
            avatar = None if job.avatar is None else open_avatar(find_avatar(job.avatar), self._folder, metadata)
            labels = SequenceLabels(self._folder, self._folder / "labels", metadata, model, avatar)
            labels.add(kinds, job.label_pairs)

    def abandon(self) -> None:
        """Remove what was written so far."""
        self._shown.clear()
        self._composed = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def give_up(self, error: Exception, log: Path) -> None:
        """Write the sequence's log: the fault, and the end of what Blender printed."""
        reason = str(error) if isinstance(error, FfngenError) else f"{type(error).__name__}: {error}"
        chatter = log.read_bytes()[-_LOG_TAIL:].decode(errors="replace") if log.is_file() else ""
        text = f"{self._plan.layout.key}\n{reason}\n\n{chatter}"
        self._store.write(log_path(self.name), text.encode(), self._folder.parent)

    def _path(self, output: Output, number: int) -> Path:
        return self._folder / self._plan.layout.file(output, number)

    def _keep(self, output: Output, number: int, array: NDArray[Any]) -> None:
        """Keep what the contact sheet shows: of three pairs, both frames."""
        shown = shown_frames(self._plan.layout.pair_frames)
        if number in shown or (number - 1 in shown and output in _IMAGES.values()):
            self._shown[output, number] = array

    def _sheet(self) -> NDArray[np.uint8]:
        shown, layout = self._shown, self._plan.layout
        pairs = [
            SheetPair(
                frame=t,
                image1=shown[Output.FACIAL_IMAGE, t],
                image2=shown[Output.FACIAL_IMAGE, t + 1],
                head_image2=shown[Output.HEAD_IMAGE, t + 1],
                facial_flow=shown[Output.FACIAL_FLOW, t],
                head_flow=shown[Output.HEAD_FLOW, t],
                mask=shown[Output.MASK, t],
                depth=shown[Output.DEPTH, t],
            )
            for t in shown_frames(layout.pair_frames)
        ]
        return contact_sheet(pairs, f"{self._plan.identity}   {layout.key.emotion}   n = {layout.n_frames}")

    def _entry(self, path: PurePosixPath) -> FileEntry:
        file = self._folder / path
        return FileEntry(bytes=file.stat().st_size, sha256=sha256_file(file))

    def _metadata(self, entries: dict[str, FileEntry]) -> SequenceMetadata:
        assert self._composed is not None
        composed, context, layout = self._composed, self._context, self._plan.layout
        parameters, model = composed.parameters, context.model
        return SequenceMetadata(
            sequence=layout.key.sequence,
            split=layout.key.split,
            emotion=layout.key.emotion,
            is_spread=layout.key.is_spread,
            identity=self._plan.identity,
            n_frames=layout.n_frames,
            include_neutral=layout.include_neutral,
            motion_scale=None if context.job.motion == "tracked" else 1 / layout.n_frames,
            motion=composed.motion,
            job_digest=context.digest,
            seeds=composed.seeds,
            parameters=Parameters(
                betas=tuple(parameters.betas.tolist()),
                expression=tuple(parameters.expression.tolist()),
                pose=tuple(parameters.pose.tolist()),
                family=parameters.family,
                source=parameters.source,
            ),
            model=HeadModel(family=model.family, version=model.version, digest=model.digest),
            camera=composed.request.camera.to_json(),
            camera_poses=_nested(composed.request.poses),
            background_depth=composed.request.background_depth,
            engine=context.job.engine,
            flow_format=layout.flow_format,
            image_format=layout.image_format,
            scene=composed.record,
            versions=Versions(ffngen=__version__, blender=version("bpy") if context.job.engine == "cycles" else None),
            files=entries,
        )
