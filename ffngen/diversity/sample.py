"""Which sequences and frames of a dataset are measured: all of a person's sequences, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ffngen.dataset.layout import MANIFEST_FILE, SequenceKey, SequenceLayout, complete_sequences
from ffngen.dataset.manifest import SequenceRow, manifest_row, read_manifest
from ffngen.dataset.metadata import read_sequence
from ffngen.dataset.read import spread_evenly
from ffngen.errors import DatasetError


def dataset_rows(root: Path, split: str) -> list[SequenceRow]:
    """A row per sequence of a split, or of ``all``, from the manifest where there is one.

    :raises DatasetError: the folder is no dataset, a file is damaged, or the split is empty.
    """
    rows = [row for row in _rows(root) if split in ("all", row.split)]
    if not rows:
        raise DatasetError(f"has no sequence in the split {split}", where=root, mend="use --split")
    return rows


def _rows(root: Path) -> Iterator[SequenceRow]:
    if (root / MANIFEST_FILE).is_file():
        yield from read_manifest(root)
    else:
        yield from (manifest_row(root, read_sequence(root, key)) for key in complete_sequences(root))


def choose_sequences(rows: list[SequenceRow], limit: int) -> list[SequenceKey]:
    """At most ``limit`` sequences: people spread evenly over the dataset, each with all of their sequences.

    Where two people alone have more sequences than that, their sequences are spread evenly too.
    """
    of_person: dict[str, list[SequenceKey]] = {}
    for row in sorted(rows, key=lambda row: (row.identity, row.sequence)):
        of_person.setdefault(row.identity, []).append(row.key)
    people = list(of_person.values())
    wanted = max(min(limit * len(people) // len(rows), len(people)), min(2, len(people)))
    chosen = [key for i in spread_evenly(len(people), wanted) for key in people[i]]
    return [chosen[i] for i in spread_evenly(len(chosen), limit)]


def choose_frames(layout: SequenceLayout, count: int) -> tuple[list[int], list[int]]:
    """At most ``count`` numbers of facial frames whose images, and of frames whose flows, are measured."""
    facial, pairs = list(layout.facial_frames), list(layout.pair_frames)
    return [facial[i] for i in _spread(len(facial), count)], [pairs[i] for i in _spread(len(pairs), count)]


def _spread(count: int, limit: int) -> list[int]:
    """As :func:`spread_evenly`; the last alone where there is but one, as motion is furthest there."""
    return [count - 1] if limit == 1 else spread_evenly(count, limit)
