"""``dataset.json``: which job a dataset folder belongs to, and whether a job may write to it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ffngen.atomic import read_bounded, write_atomic
from ffngen.dataset.context import JobContext, digest_of
from ffngen.dataset.labels.layout import LabelOutput
from ffngen.dataset.layout import (
    DATASET_FILE,
    FARM_FOLDER,
    LOGS_FOLDER,
    MANIFEST_FILE,
    METADATA_FOLDER,
    PARTIAL_FOLDER,
    Output,
)
from ffngen.dataset.metadata import FORMAT_VERSION
from ffngen.errors import DatasetError, FfngenError

_MAX_BYTES = 4 << 20
_OVERWRITE = "give another --out, or --overwrite to delete what is there"

#: What of a job's content stands outside its fields, as words.
_PARTS = {
    "model": "the head model",
    "scene_preset": "the scene preset",
    "expressions": "the file of expressions",
    "parameters": "the folder of parameters",
    "textures": "the folder of textures",
    "backgrounds": "the folder of backgrounds",
    "source_images": "the folder of source images",
}

#: What ``dataset.json`` holds beside the job's content.
_BESIDE_CONTENT = ("format_version", "digest", "identities", "n_frames")


class _DatasetRecord(BaseModel):
    """What is read back of ``dataset.json``; the rest of it is :meth:`JobContext.content`, to be compared."""

    model_config = ConfigDict(extra="allow", strict=True)

    format_version: Literal[1] = FORMAT_VERSION
    digest: str
    identities: int
    n_frames: list[int]
    job: dict[str, Any]


def claim_folder(root: Path, context: JobContext, scratch: Path, *, overwrite: bool) -> None:
    """Make a folder that :func:`check_folder` has passed this job's dataset.

    Of several that claim the folder at once, one is first, and the others are checked against it.

    :param scratch: a folder on the same file system to write ``dataset.json`` in first.
    :param overwrite: delete the dataset that is there.
    :raises DatasetError, OutOfSpaceError: it cannot be written, or another job has claimed the folder meanwhile.
    """
    if overwrite and (root / DATASET_FILE).exists():
        _clear(root)
    job = context.job
    content = encode_record(context.content(), identities=job.identities, n_frames=sorted(job.n_frames))
    write_atomic(scratch / DATASET_FILE, content)
    try:
        # Unlike a rename, it fails where a file is there, and does so over NFS too.
        (root / DATASET_FILE).hardlink_to(scratch / DATASET_FILE)
    except FileExistsError:
        _check_same_job(root, _read(root / DATASET_FILE), context)
    except OSError:
        pass  # a file system without hard links
    else:
        (scratch / DATASET_FILE).unlink()
        return
    (scratch / DATASET_FILE).replace(root / DATASET_FILE)


def encode_record(content: dict[str, Any], *, identities: int, n_frames: list[int]) -> bytes:
    """The bytes of ``dataset.json`` for a job's content, which has a digest, and for how far the job goes so far."""
    data = {
        "format_version": FORMAT_VERSION,
        "digest": digest_of(content),
        "identities": identities,
        "n_frames": n_frames,
        **content,
    }
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def stated_digest(root: Path) -> str | None:
    """The digest of the job that ``dataset.json`` holds; None where the file is damaged or states another digest."""
    try:
        data = json.loads(read_bounded(root / DATASET_FILE, _MAX_BYTES))
        stated = data["digest"]
        content = {name: value for name, value in data.items() if name not in _BESIDE_CONTENT}
        return stated if stated == digest_of(content) else None
    except (FfngenError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def check_folder(root: Path, context: JobContext, *, overwrite: bool) -> None:
    """Check that a job's dataset may be written to ``root``; nothing is written.

    A new or empty folder is free. The same job goes on where it was left; it may have grown (more
    identities, more lengths). Any other job is refused, and so is a folder with other files in it.

    :param overwrite: whether another job's dataset may be there.
    :raises DatasetError: the folder belongs to something else, or cannot be read.
    """
    try:
        if not root.exists():
            return
        if not root.is_dir():
            raise DatasetError("is a file, not a folder", where=root, mend="give another --out")
        there = {entry.name for entry in root.iterdir()}
    except FileNotFoundError:
        return  # another run that came to nothing has just removed it
    except OSError as error:
        raise DatasetError(f"the folder cannot be read: {error.strerror}", where=root) from error
    if not (root / DATASET_FILE).is_file():
        # A run that was killed before it wrote dataset.json leaves its folder of unfinished work alone.
        others = sorted(there - {PARTIAL_FOLDER, FARM_FOLDER})
        if others:
            raise DatasetError(
                f"holds files and is no ffngen dataset (such as {others[0]!r})",
                where=root,
                mend="give an empty or new folder with --out",
            )
    elif not overwrite:
        _check_same_job(root, _read(root / DATASET_FILE), context)


def _check_same_job(root: Path, there: _DatasetRecord, context: JobContext) -> None:
    if there.digest != context.digest:
        difference = _difference(there, context.content())
        raise DatasetError(f"holds the dataset of another job ({difference})", where=root, mend=_OVERWRITE)
    job = context.job
    lost = sorted(set(there.n_frames) - set(job.n_frames))
    if lost:
        raise DatasetError(f"holds sequences of n = {lost[0]}, which this job lacks", where=root, mend=_OVERWRITE)
    if job.identities < there.identities:
        raise DatasetError(
            f"holds {there.identities} identities, and this job has {job.identities}", where=root, mend=_OVERWRITE
        )


def _read(path: Path) -> _DatasetRecord:
    try:
        return _DatasetRecord.model_validate_json(read_bounded(path, _MAX_BYTES))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise DatasetError(f"is damaged{f' (field {field!r})' if field else ''}", where=path, mend=_OVERWRITE) from None


def _difference(there: _DatasetRecord, here: dict[str, Any]) -> str:
    """The first field that differs, as words."""
    for field, value in here["job"].items():
        old = there.job.get(field)
        if old != value:
            return f"{field} is {_shortened(old)} there and {_shortened(value)} here"
    others = there.model_extra or {}
    for part, name in _PARTS.items():
        if others.get(part) != here[part]:
            return f"{name} has changed"
    return "its record differs"


def _shortened(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _clear(root: Path) -> None:
    """Delete a dataset's own files, and nothing else that lies there; ``dataset.json`` goes last.

    Unfinished work stays: some of it is the caller's own.
    """
    folders = {Path(output.value).parts[0] for output in (*Output, *LabelOutput)}
    folders |= {METADATA_FOLDER, LOGS_FOLDER, FARM_FOLDER}
    for name in sorted(folders):
        shutil.rmtree(root / name, ignore_errors=True)
    for name in (MANIFEST_FILE, DATASET_FILE):
        (root / name).unlink(missing_ok=True)
