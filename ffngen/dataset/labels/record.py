"""``labels.json``: which labels a sequence has, and their files. It is written last, in the metadata folder.

The sequence's ``metadata.json`` stays as it was rendered, so that labels can be added at any time, and what was trained
or converted from the dataset still finds the one that it knows.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ffngen.atomic import read_bounded
from ffngen.dataset.labels.layout import LABELS_FILE, MAX_GAPS, Gap, LabelKind, LabelLayout
from ffngen.dataset.layout import Record, metadata_folder
from ffngen.dataset.metadata import Digest, FileEntry, SequenceMetadata
from ffngen.errors import DatasetError, InputFileError

FORMAT_VERSION: Final = 1

MAX_LABELS_BYTES = 16 << 20


class LabelsRecord(BaseModel):
    """The labels of one sequence.

    ``vertices`` is the SHA-256 of the ``vertices.npz`` that they were computed from, and ``avatar`` that of the file of
    the captured avatar, where there is one; ``gaps`` are the distances of distant pairs; ``files`` maps every file's
    path, relative to the dataset's root, to its size and digest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = FORMAT_VERSION
    vertices: Digest
    avatar: Digest | None = None
    kinds: tuple[LabelKind, ...]
    gaps: tuple[Annotated[int, Field(strict=True, ge=1)] | Literal["first-last"], ...] = Field((), max_length=MAX_GAPS)
    files: dict[str, FileEntry]

    def encode(self) -> bytes:
        """The bytes of ``labels.json``."""
        data = self.model_dump(mode="json", exclude_none=True)
        return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()

    def fits(self, metadata: SequenceMetadata) -> bool:
        """Whether the labels were made from the sequence's vertices as they are, and of its avatar."""
        return self.vertices == vertices_digest(metadata) and self.avatar == metadata.avatar_digest


def label_layout(metadata: SequenceMetadata, gaps: tuple[Gap, ...] = ()) -> LabelLayout:
    """Where a sequence's labels lie."""
    return LabelLayout(metadata.layout, gaps)


def vertices_digest(metadata: SequenceMetadata) -> str:
    """The SHA-256 of the sequence's ``vertices.npz``, as its metadata states it; empty where it does not."""
    entry = metadata.files.get(str(metadata.layout.record(Record.VERTICES)))
    return "" if entry is None else entry.sha256


def read_labels(root: Path, metadata: SequenceMetadata) -> LabelsRecord | None:
    """The labels of a sequence, None where it has none; raises :class:`DatasetError` when the record is damaged."""
    path = root / metadata_folder(metadata.key) / LABELS_FILE
    if not path.exists():
        return None
    try:
        return decode_labels(read_bounded(path, MAX_LABELS_BYTES), path)
    except InputFileError as error:
        raise DatasetError(error.what, where=path) from error


def decode_labels(data: bytes, where: str | Path) -> LabelsRecord:
    """The record of a ``labels.json`` found at ``where``; raises :class:`DatasetError` when it is damaged."""
    try:
        return LabelsRecord.model_validate_json(data)
    except ValidationError as error:
        raise DatasetError("is damaged", where=where, mend="delete it and label the dataset again") from error


def label_paths(root: Path, metadata: SequenceMetadata) -> set[str]:
    """Every file of a sequence's labels, relative to the root; none where they have no record, or a damaged one."""
    try:
        record = read_labels(root, metadata)
    except DatasetError:
        record = None
    if record is None:
        return set()
    layout = label_layout(metadata, record.gaps)
    return {str(path) for path in (*layout.files(record.kinds), layout.record(LABELS_FILE))}
