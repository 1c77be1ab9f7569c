"""Checking a whole dataset, without Blender: files, splits, and the truth of flow, depth and masks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ffngen.dataset.check_files import check_contents, check_dataset_files, check_sequences, check_sizes, limited
from ffngen.dataset.check_truth import check_truth
from ffngen.dataset.labels.check import check_labels
from ffngen.dataset.labels.check_files import check_label_contents, check_label_sizes
from ffngen.dataset.layout import complete_sequences, metadata_folder, require_dataset
from ffngen.dataset.metadata import SequenceMetadata, read_sequence
from ffngen.dataset.report import Failure, Fault, VerifyReport
from ffngen.errors import DatasetError


def verify_dataset(
    root: str | Path,
    *,
    sample: int | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Check a dataset.

    Names and sizes are checked for every file. Digests, image sizes, flow, depth and masks are checked for
    every sequence, or for a random sample of them.

    :param root: the dataset's folder.
    :param sample: check the content of so many sequences; None for all.
    :param seed: of the sample.
    :param progress: called with (sequences done, sequences to do) after each one.
    :raises DatasetError: the folder is no dataset.
    :raises MissingPackageError: embreex is not installed.
    """
    root = Path(root)
    require_dataset(root)
    sequences, failures = _read_all(root)
    failures += check_dataset_files(root, sequences)
    failures += check_sequences(root, sequences)
    failures += limited(failure for metadata in sequences for failure in check_sizes(root, metadata))
    failures += limited(failure for metadata in sequences for failure in check_label_sizes(root, metadata))
    truths, labels = [], []
    chosen = _choose(sequences, sample, seed)
    for done, metadata in enumerate(chosen, start=1):
        failures += limited(check_contents(root, metadata))
        truth, found = check_truth(root, metadata)
        failures += limited(found)
        if truth is not None:
            truths.append(truth)
        failures += limited(check_label_contents(root, metadata))
        label_truth, found = check_labels(root, metadata)
        failures += limited(found)
        if label_truth is not None:
            labels.append(label_truth)
        if progress is not None:
            progress(done, len(chosen))
    return VerifyReport(
        root=str(root),
        sequences=len(sequences),
        pairs=sum(len(metadata.layout.pair_frames) for metadata in sequences),
        truths=truths,
        failures=failures,
        labels=labels,
    )


def _read_all(root: Path) -> tuple[list[SequenceMetadata], list[Failure]]:
    sequences, failures = [], []
    for key in complete_sequences(root):
        try:
            sequences.append(read_sequence(root, key))
        except DatasetError as error:
            failures.append(Failure(Fault.METADATA, str(metadata_folder(key)), error.what))
    if not sequences:
        failures.append(Failure(Fault.EMPTY, str(root), "it has no complete sequence"))
    return sequences, limited(failures)


def _choose(sequences: list[SequenceMetadata], sample: int | None, seed: int) -> list[SequenceMetadata]:
    if sample is None or sample >= len(sequences):
        return sequences
    chosen = np.random.default_rng(seed).choice(len(sequences), size=sample, replace=False)
    return [sequences[index] for index in sorted(chosen)]
