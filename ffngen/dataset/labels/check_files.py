"""Are a sequence's label files there, whole, and of the vertices that it has?"""

from __future__ import annotations

from pathlib import Path

from ffngen.atomic import sha256_file
from ffngen.dataset.check_files import compare_sizes
from ffngen.dataset.labels.layout import LABELS_FILE
from ffngen.dataset.labels.record import LabelsRecord, label_layout, read_labels
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.report import Failure, Fault
from ffngen.errors import DatasetError


def check_label_sizes(root: Path, metadata: SequenceMetadata) -> list[Failure]:
    """Compare the sizes of one sequence's label files with its record."""
    where = str(label_layout(metadata).record(LABELS_FILE))
    try:
        record = read_labels(root, metadata)
    except DatasetError as error:
        return [Failure(Fault.LABEL_RECORD, where, error.what)]
    if record is None:
        return []
    failures = compare_sizes(root, _paths(metadata, record), record.files)
    if not record.fits(metadata):
        failures.append(
            Failure(Fault.LABEL_RECORD, where, "the labels were made from other vertices, or of another avatar")
        )
    return failures


def check_label_contents(root: Path, metadata: SequenceMetadata) -> list[Failure]:
    """Compare the digests of one sequence's label files with its record."""
    try:
        record = read_labels(root, metadata)
    except DatasetError:
        return []  # as above
    failures: list[Failure] = []
    if record is None:
        return failures
    for path in sorted(_paths(metadata, record)):
        try:
            if path in record.files and sha256_file(root / path) != record.files[path].sha256:
                failures.append(Failure(Fault.DIGEST, path, "its content has changed since it was written"))
        except FileNotFoundError:
            continue  # reported by check_dataset_files
        except OSError as error:
            failures.append(Failure(Fault.UNREADABLE, path, error.strerror or str(error)))
    return failures


def _paths(metadata: SequenceMetadata, record: LabelsRecord) -> set[str]:
    return set(map(str, label_layout(metadata, record.gaps).files(record.kinds)))
