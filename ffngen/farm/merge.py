"""One dataset of several that hold parts of the same job, rendered in different places."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffngen.atomic import sha256_file, sync, write_atomic
from ffngen.dataset.dataset_file import BESIDE_CONTENT, encode_record, read_record
from ffngen.dataset.labels.layout import LABELS_FILE
from ffngen.dataset.labels.record import MAX_LABELS_BYTES, decode_labels, label_layout
from ffngen.dataset.layout import (
    DATASET_FILE,
    FARM_FOLDER,
    PARTIAL_FOLDER,
    Output,
    SequenceKey,
    metadata_path,
    require_dataset,
)
from ffngen.dataset.manifest import build_manifest
from ffngen.dataset.metadata import MAX_METADATA_BYTES, FileEntry, SequenceMetadata, decode_sequence
from ffngen.dataset.store import Store, open_store
from ffngen.errors import DatasetError, InputFileError
from ffngen.url import Place

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


def merge_datasets(sources: Sequence[Place], out: Place) -> Generator[MergeRun, None, None]:
    """Copy every complete sequence of some datasets into one, comparing each file with its digest on the way.

    Yields the run's state before the first sequence and after each one. What ``out`` has already is kept, so that a
    merge that was stopped goes on, and a dataset that has grown can be merged again. Labels come along with the
    sequences that are new.

    :param out: a new or empty place, or a dataset of the same job.
    :raises DatasetError: a place holds no dataset, two are of different jobs, two hold different truth of one sequence,
        or a file is missing or damaged.
    """
    stores = [open_store(place) for place in sources]
    records = [_record(store) for store in stores]
    _require_one_job(sources, records)
    target = open_store(out)
    if target.entries() - {PARTIAL_FOLDER, FARM_FOLDER}:
        _require_one_job([sources[0], out], [records[0], _record(target)])
        records.append(_record(target))
    places: dict[SequenceKey, list[Store]] = {}
    for store in stores:
        for key in store.complete():
            places.setdefault(key, []).append(store)
    there = set(target.complete())
    run = MergeRun(len(places.keys() | there), sum(key not in there for key in places))
    run.shared = sum(len(several) > 1 for several in places.values())
    yield run
    with target.run_folder() as scratch:
        _write_record(target, scratch, records)
        for key in sorted(places):
            found = [_read(store, key) for store in places[key]]
            _require_same_truth(places[key], found)
            if key not in there:
                run.bytes += _copy(places[key][0], target, scratch / key.sequence, found[0])
                run.merged += 1
                yield run
        build_manifest(target, scratch)
    yield run


def _record(store: Store) -> dict[str, Any]:
    if isinstance(store.place, Path):
        require_dataset(store.place)
    return read_record(store)


def _read(store: Store, key: SequenceKey) -> SequenceMetadata:
    path = metadata_path(key)
    return decode_sequence(store.read(path, MAX_METADATA_BYTES), key, store.place / path)


def _require_one_job(places: Sequence[Place], records: Sequence[dict[str, Any]]) -> None:
    for place, record in zip(places, records, strict=True):
        if record["digest"] != records[0]["digest"]:
            fields = record["job"].keys() | records[0]["job"].keys()
            differ = sorted(name for name in fields if record["job"].get(name) != records[0]["job"].get(name))
            what = f"{differ[0]} differs" if differ else "its model or its files differ"
            raise DatasetError(
                f"is of another job than {places[0]} ({what})", where=str(place), mend="merge datasets of one job"
            )


def _write_record(store: Store, scratch: Path, records: Sequence[dict[str, Any]]) -> None:
    """``dataset.json`` for as many identities, and all the lengths, that any of the datasets goes to."""
    content = {name: value for name, value in records[0].items() if name not in BESIDE_CONTENT}
    identities = max(record["identities"] for record in records)
    n_frames = sorted({n for record in records for n in record["n_frames"]})
    avatar = records[0].get("avatar_path")
    store.write(
        DATASET_FILE, encode_record(content, identities=identities, n_frames=n_frames, avatar_path=avatar), scratch
    )


def _require_same_truth(stores: Sequence[Store], found: Sequence[SequenceMetadata]) -> None:
    """Several places may have rendered one sequence; images may differ by the machine, flow, depth and masks not."""
    for store, metadata in zip(stores, found, strict=True):
        for path, entry in metadata.files.items():
            other = found[0].files.get(path)
            if path.startswith(_TRUTH) and (other is None or other.sha256 != entry.sha256):
                what, mend = f"holds other values than {stores[0].place}", "ffngen verify says which is wrong"
                raise DatasetError(what, where=store.place / path, mend=mend)


def _fetch(source: Store, staged: Path, files: Mapping[str, FileEntry]) -> None:
    source.fetch(files, staged)
    for name, entry in files.items():
        if sha256_file(staged / name) != entry.sha256:
            where = source.place / name
            raise DatasetError("is damaged: its digest differs", where=where, mend="render its sequence again")
        sync(staged / name)


def _fetch_labels(source: Store, staged: Path, metadata: SequenceMetadata) -> None:
    """Copy a sequence's labels, where it has any that were made of its vertices as they are."""
    path = str(label_layout(metadata).record(LABELS_FILE))
    try:
        data = source.read(path, MAX_LABELS_BYTES)
    except InputFileError:  # it has none
        return
    record = decode_labels(data, source.place / path)
    if not record.fits(metadata):
        return
    if set(record.files) != set(map(str, label_layout(metadata, record.gaps).files(record.kinds))):
        mend = "delete it and label the dataset again"
        raise DatasetError("lists other files than its labels have", where=source.place / path, mend=mend)
    _fetch(source, staged, record.files)
    write_atomic(staged / path, data)


def _copy(source: Store, target: Store, staged: Path, metadata: SequenceMetadata) -> int:
    """Copy a sequence whole and bring it in; returns its bytes."""
    shutil.rmtree(staged, ignore_errors=True)
    if set(metadata.files) != set(map(str, metadata.layout.files())):
        # Checked first: names from a file must not lead out of the folders.
        where = source.place / metadata_path(metadata.key)
        raise DatasetError("lists other files than its sequence has", where=where, mend="render its sequence again")
    _fetch(source, staged, metadata.files)
    _fetch_labels(source, staged, metadata)
    target.put_sequence(staged, metadata)
    shutil.rmtree(staged, ignore_errors=True)
    return sum(entry.bytes for entry in metadata.files.values())
