"""One dataset of several that hold parts of the same job, rendered in different places."""

from __future__ import annotations

import json
import shutil
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffngen.atomic import read_bounded, sha256_file, sync, write_atomic
from ffngen.dataset.dataset_file import encode_record, stated_digest
from ffngen.dataset.layout import (
    DATASET_FILE,
    FARM_FOLDER,
    PARTIAL_FOLDER,
    Output,
    Record,
    SequenceKey,
    complete_sequences,
    require_dataset,
)
from ffngen.dataset.manifest import build_manifest
from ffngen.dataset.metadata import SequenceMetadata, read_sequence
from ffngen.dataset.place import place_sequence
from ffngen.dataset.run_folder import run_folder
from ffngen.errors import DatasetError

_MAX_BYTES = 4 << 20

#: What does not depend on who rendered it.
_TRUTH = tuple(output.value for output in (Output.FACIAL_FLOW, Output.HEAD_FLOW, Output.MASK, Output.DEPTH))


@dataclass
class MergeRun:
    """A run of :func:`merge_datasets`, filled in while it goes on.

    :param sequences: how many the datasets hold together, each counted once.
    :param missing: those that the new dataset lacked when the run began.
    :param merged: those that this run has brought in.
    :param shared: those that several datasets hold.
    :param bytes: what has been copied.
    """

    sequences: int = 0
    missing: int = 0
    merged: int = 0
    shared: int = 0
    bytes: int = 0


def merge_datasets(sources: Sequence[Path], out: Path) -> Generator[MergeRun, None, None]:
    """Copy every complete sequence of some datasets into one, comparing each file with its digest on the way.

    Yields the run's state before the first sequence and after each one. What ``out`` has already is kept, so that a
    merge that was stopped goes on, and a dataset that has grown can be merged again. Labels are not copied: they are
    computed from what is (``ffngen label``).

    :param out: a new or empty folder, or a dataset of the same job.
    :raises DatasetError: a folder is no dataset, two are of different jobs, two hold different truth of one sequence,
        or a file is missing or damaged.
    """
    records = [_record(root) for root in sources]
    _require_one_job(sources, records)
    if out.exists() and any(entry.name not in (PARTIAL_FOLDER, FARM_FOLDER) for entry in out.iterdir()):
        _require_one_job([sources[0], out], [records[0], _record(out)])
        records.append(_record(out))
    places: dict[SequenceKey, list[Path]] = {}
    for root in sources:
        for key in complete_sequences(root):
            places.setdefault(key, []).append(root)
    there = set(complete_sequences(out)) if out.exists() else set()
    run = MergeRun(len(places.keys() | there), sum(key not in there for key in places))
    run.shared = sum(len(roots) > 1 for roots in places.values())
    yield run
    with run_folder(out) as scratch:
        _write_record(out, scratch, records)
        for key in sorted(places):
            found = [read_sequence(root, key) for root in places[key]]
            _require_same_truth(places[key], found)
            if key not in there:
                run.bytes += _copy(places[key][0], out, scratch / key.sequence, found[0])
                run.merged += 1
                yield run
        build_manifest(out, scratch=scratch)
    yield run


def _record(root: Path) -> dict[str, Any]:
    require_dataset(root)
    if stated_digest(root) is None:
        raise DatasetError("is damaged", where=root / DATASET_FILE, mend="run its job again, which restores it")
    record: dict[str, Any] = json.loads(read_bounded(root / DATASET_FILE, _MAX_BYTES))
    return record


def _require_one_job(roots: Sequence[Path], records: Sequence[dict[str, Any]]) -> None:
    for root, record in zip(roots, records, strict=True):
        if record["digest"] != records[0]["digest"]:
            fields = record["job"].keys() | records[0]["job"].keys()
            differ = sorted(name for name in fields if record["job"].get(name) != records[0]["job"].get(name))
            what = f"{differ[0]} differs" if differ else "its model or its files differ"
            raise DatasetError(
                f"is of another job than {roots[0]} ({what})", where=root, mend="merge datasets of one job"
            )


def _write_record(out: Path, scratch: Path, records: Sequence[dict[str, Any]]) -> None:
    """``dataset.json`` for as many identities, and all the lengths, that any of the datasets goes to."""
    beside = ("format_version", "digest", "identities", "n_frames")
    content = {name: value for name, value in records[0].items() if name not in beside}
    identities = max(record["identities"] for record in records)
    n_frames = sorted({n for record in records for n in record["n_frames"]})
    write_atomic(scratch / DATASET_FILE, encode_record(content, identities=identities, n_frames=n_frames))
    (scratch / DATASET_FILE).replace(out / DATASET_FILE)
    sync(out)


def _require_same_truth(roots: Sequence[Path], found: Sequence[SequenceMetadata]) -> None:
    """Several places may have rendered one sequence; images may differ by the machine, flow, depth and masks not."""
    for root, metadata in zip(roots, found, strict=True):
        for path, entry in metadata.files.items():
            other = found[0].files.get(path)
            if path.startswith(_TRUTH) and (other is None or other.sha256 != entry.sha256):
                raise DatasetError(
                    f"holds other values than {roots[0]}", where=root / path, mend="ffngen verify says which is wrong"
                )


def _copy(root: Path, out: Path, staged: Path, metadata: SequenceMetadata) -> int:
    """Copy a sequence whole and move it into place; returns its bytes."""
    shutil.rmtree(staged, ignore_errors=True)
    if set(metadata.files) != set(map(str, metadata.layout.files())):
        # Checked first: names from a file must not lead out of the folders.
        where = root / metadata.layout.record(Record.METADATA)
        raise DatasetError("lists other files than its sequence has", where=where, mend="render its sequence again")
    for name, entry in metadata.files.items():
        source, target = root / name, staged / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source, target)
        except FileNotFoundError as error:
            raise DatasetError("is missing", where=source, mend="render its sequence again") from error
        if sha256_file(target) != entry.sha256:
            raise DatasetError("is damaged: its digest differs", where=source, mend="render its sequence again")
        sync(target)
    place_sequence(out, staged, metadata)
    shutil.rmtree(staged, ignore_errors=True)
    return sum(entry.bytes for entry in metadata.files.values())
