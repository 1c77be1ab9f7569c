"""The labels of one sequence: computed, written aside, moved into place, and then recorded."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import sha256_file, write_atomic
from ffngen.dataset.arrays import read_vertices
from ffngen.dataset.labels import compute
from ffngen.dataset.labels.files import write_grey, write_normals, write_points, write_uv
from ffngen.dataset.labels.frames import Frames, MeshFrames, Moment
from ffngen.dataset.labels.layout import (
    LABELS_FILE,
    OUTPUTS,
    SHEET_FILE,
    SURFACE_FILE,
    Gap,
    LabelKind,
    LabelOutput,
    label_folder,
)
from ffngen.dataset.labels.record import LabelsRecord, label_layout, read_labels, vertices_digest
from ffngen.dataset.labels.sheet import draw_labels
from ffngen.dataset.labels.surface import Surface, encode_surface
from ffngen.dataset.layout import Record
from ffngen.dataset.metadata import FileEntry, SequenceMetadata
from ffngen.dataset.place import put_folder, take_away
from ffngen.errors import DatasetError
from ffngen.flow.exr import write_depth_exr
from ffngen.flow.files import write_flow
from ffngen.flow.values import Flow
from ffngen.head.model import HeadModel
from ffngen.images import encode_png
from ffngen.splat.avatar import Avatar

_L = LabelOutput
#: More faces than a mesh of a head and what it wears has.
_MOST_FACES = 10_000_000


def prop_faces(metadata: SequenceMetadata) -> dict[str, NDArray[np.int32]]:
    """Region -> indices of the faces of what the head wears, as the metadata tells; empty where it tells nothing."""
    found: dict[str, NDArray[np.int32]] = {}
    props = metadata.scene.get("props")
    for prop in props if isinstance(props, list) else ():
        match prop:
            case {"kind": str(kind), "faces": [int(first), int(last)]} if 0 <= first <= last <= _MOST_FACES:
                pass
            case _:
                raise DatasetError("its metadata names props in another form", where=metadata.sequence)
        # The hairs of a brow are not the brow's skin, which is a region of the head.
        name = "brow_hairs" if kind == "brows" else kind
        found[name] = np.append(found.get(name, np.zeros(0, np.int32)), np.arange(first, last, dtype=np.int32))
    return found


class SequenceLabels:
    """Adds labels to one sequence of a dataset.

    :param root: the dataset's folder.
    :param folder: a folder of its own on the same file system, for unfinished work.
    :param metadata: the sequence.
    :param model: its head model; needed for the kinds that need a surface.
    :param avatar: needed for, and only for, a sequence that shows a captured one; it has the kinds
        :data:`ffngen.dataset.labels.layout.OF_AVATARS` alone, and they need numba.
    :raises InputFileError, DatasetError: the vertices cannot be read, or are another sequence's.
    :raises FfngenError: the avatar is another head's.
    """

    def __init__(
        self,
        root: Path,
        folder: Path,
        metadata: SequenceMetadata,
        model: HeadModel | None,
        avatar: Avatar | None = None,
    ) -> None:
        self._root, self._folder, self._metadata = root, folder, metadata
        path = root / metadata.layout.record(Record.VERTICES)
        vertices = read_vertices(path)
        if vertices.frames.tolist() != list(metadata.layout.facial_frames):
            raise DatasetError("its frames are not those of the metadata", where=path)
        if sha256_file(path) != vertices_digest(metadata):
            raise DatasetError("has changed since it was rendered", where=path, mend="ffngen verify tells what else")
        self._mesh = MeshFrames(vertices, metadata)
        self._frames: Frames = self._mesh
        if avatar is not None:
            # Numba is an extra, and takes a second to import.
            from ffngen.dataset.labels.splats import SplatFrames

            self._frames = SplatFrames(vertices, metadata, avatar)
        self._surface = None if model is None else Surface.of(model, vertices.faces, prop_faces(metadata))

    def add(self, kinds: tuple[LabelKind, ...], gaps: tuple[Gap, ...]) -> tuple[int, int]:
        """Make labels, in place of those of the same kinds that are there.

        :returns: how many files were written, and their bytes.
        """
        there = read_labels(self._root, self._metadata)
        if there is not None and not there.fits(self._metadata):
            there = None
        layout = label_layout(self._metadata, gaps)
        shutil.rmtree(self._folder, ignore_errors=True)
        folders = [label_folder(output, layout.sequence.key) for kind in kinds for output in OUTPUTS[kind]]
        for folder in folders:
            (self._folder / folder).mkdir(parents=True)
        self._write(kinds, gaps)
        for folder in folders:
            target = self._root / folder
            target.parent.mkdir(parents=True, exist_ok=True)
            while not put_folder(self._folder / folder, target):
                take_away(target, self._folder / "replaced" / folder)
        shutil.rmtree(self._folder, ignore_errors=True)
        if self._surface is not None:
            write_atomic(self._root / layout.record(SURFACE_FILE), encode_surface(self._surface))
        return self._record(kinds, gaps, there)

    def _record(
        self, kinds: tuple[LabelKind, ...], gaps: tuple[Gap, ...], there: LabelsRecord | None
    ) -> tuple[int, int]:
        before = () if there is None else there.kinds
        if there is not None and LabelKind.PAIRS not in kinds:
            gaps = there.gaps
        together = tuple(kind for kind in LabelKind if kind in kinds or kind in before)
        layout = label_layout(self._metadata, gaps)
        sheet = encode_png(draw_labels(self._root, self._metadata, together, layout.distant_pairs))
        write_atomic(self._root / layout.record(SHEET_FILE), sheet)
        fresh = set(layout.files(kinds))
        files = {
            str(path): self._entry(path) if there is None or path in fresh else there.files[str(path)]
            for path in layout.files(together)
        }
        record = LabelsRecord(
            vertices=vertices_digest(self._metadata),
            avatar=self._metadata.avatar_digest,
            kinds=together,
            gaps=gaps,
            files=files,
        )
        write_atomic(self._root / layout.record(LABELS_FILE), record.encode())
        return len(fresh), sum(files[str(path)].bytes for path in fresh)

    def _entry(self, path: PurePosixPath) -> FileEntry:
        file = self._root / path
        return FileEntry(bytes=file.stat().st_size, sha256=sha256_file(file))

    def _path(self, output: LabelOutput, frame: int, later: int | None = None) -> Path:
        return self._folder / label_layout(self._metadata).file(output, frame, later)

    def _flow(self, output: LabelOutput, flow: Flow, frame: int, later: int | None = None) -> None:
        write_flow(self._path(output, frame, later), flow, flow_format=self._metadata.flow_format)

    def _write(self, kinds: tuple[LabelKind, ...], gaps: tuple[Gap, ...]) -> None:
        """Write every file of some kinds, frame by frame."""
        layout = self._metadata.layout
        for t in layout.facial_frames:
            for kind in kinds:
                self._write_frame(kind, t)
                if t in layout.pair_frames:
                    self._write_pair(kind, t, ("facial", t), ("facial", t + 1), ("head", t + 1))
        if LabelKind.PAIRS in kinds:
            for a, b in label_layout(self._metadata, gaps).distant_pairs:
                pair: tuple[Moment, Moment] = ("facial", a), ("facial", b)
                self._flow(_L.PAIR_FLOW, self._frames.flow(*pair), a, b)
                write_grey(self._path(_L.PAIR_OCCLUSION, a, b), self._frames.occlusion(*pair))

    def _write_pair(self, kind: LabelKind, t: int, first: Moment, second: Moment, head: Moment) -> None:
        match kind:
            case LabelKind.BACKWARD:
                self._flow(_L.FACIAL_BACKWARD, self._frames.flow(second, first), t + 1)
                self._flow(_L.HEAD_BACKWARD, self._frames.flow(head, first), t + 1)
            case LabelKind.OCCLUSION:
                for output, frame, one, other in (
                    (_L.FACIAL_OCCLUSION, t, first, second),
                    (_L.HEAD_OCCLUSION, t, first, head),
                    (_L.FACIAL_OCCLUSION_BACKWARD, t + 1, second, first),
                    (_L.HEAD_OCCLUSION_BACKWARD, t + 1, head, first),
                ):
                    write_grey(self._path(output, frame), self._frames.occlusion(one, other))
            case LabelKind.SCENE_FLOW:
                for output, other in ((_L.FACIAL_DEPTH_NEXT, second), (_L.HEAD_DEPTH_NEXT, head)):
                    write_depth_exr(self._path(output, t), self._frames.depth_next(first, other))
            case LabelKind.SEGMENTATION:
                assert self._surface is not None
                seen = self._mesh.seen(head)
                write_grey(self._path(_L.HEAD_SEGMENTATION, t + 1), compute.segmentation(seen, self._surface))
            case LabelKind.LANDMARKS:
                assert self._surface is not None
                mesh = self._mesh.seen(head).mesh
                write_points(self._path(_L.HEAD_LANDMARKS, t + 1), compute.points(mesh, self._surface))

    def _write_frame(self, kind: LabelKind, t: int) -> None:
        now: Moment = ("facial", t)
        match kind:
            case LabelKind.NORMALS:
                write_normals(self._path(_L.NORMALS, t), compute.normals(self._mesh.seen(now)))
            case LabelKind.COVERAGE:
                write_grey(self._path(_L.COVERAGE, t), compute.coverage(self._mesh.seen(now)))
            case LabelKind.SEGMENTATION:
                assert self._surface is not None
                regions = compute.segmentation(self._mesh.seen(now), self._surface)
                write_grey(self._path(_L.FACIAL_SEGMENTATION, t), regions)
            case LabelKind.UV:
                assert self._surface is not None
                write_uv(self._path(_L.UV, t), compute.uv(self._mesh.seen(now), self._surface))
            case LabelKind.LANDMARKS:
                assert self._surface is not None
                points = compute.points(self._mesh.seen(now).mesh, self._surface)
                write_points(self._path(_L.FACIAL_LANDMARKS, t), points)
