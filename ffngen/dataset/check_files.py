"""Is every file there, whole, and nothing else?"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from ffngen.atomic import file_size, sha256_file
from ffngen.dataset.dataset_file import stated_digest
from ffngen.dataset.labels.record import label_paths
from ffngen.dataset.layout import DATASET_FILE, FARM_FOLDER, LOGS_FOLDER, MANIFEST_FILE, PARTIAL_FOLDER, Output, Record
from ffngen.dataset.manifest import SequenceRow, manifest_row, read_manifest
from ffngen.dataset.metadata import FileEntry, SequenceMetadata
from ffngen.dataset.report import Failure, Fault
from ffngen.errors import FfngenError
from ffngen.images import image_size

#: So many failures of one kind are listed; the rest is counted.
_LISTED = 20


def check_dataset_files(root: Path, sequences: list[SequenceMetadata]) -> list[Failure]:
    """Compare the files under a dataset's root, by name, with those that its complete sequences have.

    Of labels, those that a sequence's record lists.
    """
    expected = {DATASET_FILE, MANIFEST_FILE}
    for metadata in sequences:
        expected.add(str(metadata.layout.record(Record.METADATA)))
        expected.update(map(str, metadata.layout.files()))
        expected.update(label_paths(root, metadata))
    found = set(_files(root))
    return [
        *limited(Failure(Fault.MISSING_FILE, path, "it is not there") for path in sorted(expected - found)),
        *limited(Failure(Fault.STRAY_FILE, path, "no complete sequence has it") for path in sorted(found - expected)),
    ]


def _files(root: Path) -> Iterable[str]:
    for folder, folders, files in os.walk(root):
        relative = Path(folder).relative_to(root)
        if relative == Path():
            folders[:] = [name for name in folders if name not in (FARM_FOLDER, LOGS_FOLDER, PARTIAL_FOLDER)]
        for name in files:
            yield (relative / name).as_posix()


def check_sequences(root: Path, sequences: list[SequenceMetadata]) -> list[Failure]:
    """Check what holds between sequences: identities keep to one split, one job made all, the manifest is current."""
    failures = []
    splits = defaultdict(set)
    for metadata in sequences:
        splits[metadata.identity].add(metadata.split)
    for identity, names in sorted(splits.items()):
        if len(names) > 1:
            failures.append(Failure(Fault.SPLIT_LEAK, identity, f"this identity is in {', '.join(sorted(names))}"))
    jobs = {metadata.job_digest for metadata in sequences}
    if len(jobs) > 1:
        failures.append(Failure(Fault.MIXED_JOBS, str(root), f"{len(jobs)} different jobs made its sequences"))
    if jobs and stated_digest(root) not in jobs:
        failures.append(Failure(Fault.MIXED_JOBS, DATASET_FILE, "it is damaged, or another job made the sequences"))
    if (root / MANIFEST_FILE).is_file():
        try:
            failures += _compare_manifest(read_manifest(root), [manifest_row(root, metadata) for metadata in sequences])
        except FfngenError as error:
            failures.append(Failure(Fault.MANIFEST, MANIFEST_FILE, error.what))
    return limited(failures)


def _compare_manifest(stated: list[SequenceRow], found: list[SequenceRow]) -> list[Failure]:
    if [replace(row, metadata_sha256="") for row in stated] != [replace(row, metadata_sha256="") for row in found]:
        return [Failure(Fault.MANIFEST, MANIFEST_FILE, "it does not list the complete sequences")]
    return [
        Failure(Fault.DIGEST, row.metadata, "its content has changed since the manifest was written")
        for row, now in zip(stated, found, strict=True)
        if row.metadata_sha256 not in ("", now.metadata_sha256)
    ]


def check_sizes(root: Path, metadata: SequenceMetadata) -> list[Failure]:
    """Compare the sizes of one sequence's files with those that its metadata lists."""
    return compare_sizes(root, set(map(str, metadata.layout.files())), metadata.files)


def compare_sizes(root: Path, expected: set[str], listed: Mapping[str, FileEntry]) -> list[Failure]:
    """Compare the sizes of the files that a layout has with those that a record lists."""
    failures = []
    for path in sorted(expected ^ listed.keys()):
        what = "the metadata does not list it" if path in expected else "the metadata lists it, the layout has it not"
        failures.append(Failure(Fault.FILE_LIST, path, what))
    for path in sorted(expected & listed.keys()):
        try:
            size = file_size(root / path)
        except FfngenError:
            continue  # missing: reported by check_dataset_files
        if size != listed[path].bytes:
            failures.append(Failure(Fault.FILE_SIZE, path, f"{size} bytes instead of {listed[path].bytes}"))
    return failures


def check_contents(root: Path, metadata: SequenceMetadata) -> list[Failure]:
    """Compare the digests of one sequence's files, and the sizes of its images, with its metadata."""
    failures = []
    width, height = metadata.size
    layout = metadata.layout
    images = {
        str(layout.file(output, frame))
        for output in (Output.FACIAL_IMAGE, Output.HEAD_IMAGE)
        for frame in layout.frames(output)
    }
    for path in sorted(set(map(str, layout.files()))):
        if not (root / path).is_file():
            continue  # as above
        try:
            if path in metadata.files and sha256_file(root / path) != metadata.files[path].sha256:
                failures.append(Failure(Fault.DIGEST, path, "its content has changed since it was written"))
            if path in images and (size := image_size(root / path)) != (width, height):
                wanted = f"{width} x {height}"
                failures.append(Failure(Fault.IMAGE_SIZE, path, f"{size[0]} x {size[1]} instead of {wanted}"))
        except FfngenError as error:
            failures.append(Failure(Fault.UNREADABLE, path, error.what))
        except OSError as error:
            failures.append(Failure(Fault.UNREADABLE, path, error.strerror or str(error)))
    return failures


def limited(failures: Iterable[Failure]) -> list[Failure]:
    """The first few failures of each kind, and a line that counts the rest."""
    groups: dict[Fault, list[Failure]] = defaultdict(list)
    for failure in failures:
        groups[failure.fault].append(failure)
    result = []
    for fault, group in groups.items():
        result.extend(group[:_LISTED])
        if len(group) > _LISTED:
            result.append(Failure(fault, group[_LISTED].where, f"and {len(group) - _LISTED} more like these"))
    return result
