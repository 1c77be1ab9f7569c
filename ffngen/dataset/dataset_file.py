"""``dataset.json``: which job a dataset folder belongs to, and whether a job may write to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ffngen.atomic import read_bounded
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
from ffngen.dataset.store import Store
from ffngen.errors import DatasetError, FfngenError
from ffngen.splat.ply import find_avatar

#: Of ``dataset.json``.
MAX_BYTES = 4 << 20
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
    "avatar": "the avatar",
}

#: What ``dataset.json`` holds beside the job's content.
BESIDE_CONTENT = ("format_version", "digest", "identities", "n_frames", "avatar_path")


class _DatasetRecord(BaseModel):
    """What is read back of ``dataset.json``; the rest of it is :meth:`JobContext.content`, to be compared."""

    model_config = ConfigDict(extra="allow", strict=True)

    format_version: Literal[1] = FORMAT_VERSION
    digest: str
    identities: int
    n_frames: list[int]
    job: dict[str, Any]
    avatar_path: str | None = None


def claim_place(store: Store, context: JobContext, scratch: Path, *, overwrite: bool) -> None:
    """Make a place that :func:`check_place` has passed this job's dataset.

    Of several that claim it at once, one is first, and the others are checked against it.

    :param scratch: a folder of :meth:`Store.run_folder`.
    :param overwrite: delete the dataset that is there.
    :raises DatasetError, OutOfSpaceError: it cannot be written, or another job has claimed the place meanwhile.
    """
    if overwrite and DATASET_FILE in store.entries():
        _clear(store)
    job = context.job
    avatar = None if job.avatar is None else str(find_avatar(job.avatar).absolute())
    content = encode_record(
        context.content(), identities=job.identities, n_frames=sorted(job.n_frames), avatar_path=avatar
    )
    if not store.write_new(DATASET_FILE, content, scratch):
        _check_same_job(store, context)
        store.write(DATASET_FILE, content, scratch)


def encode_record(
    content: dict[str, Any], *, identities: int, n_frames: list[int], avatar_path: str | None = None
) -> bytes:
    """The bytes of ``dataset.json`` for a job's content, which has a digest, and for how far the job goes so far.

    :param avatar_path: where the captured avatar was, whose digest the content has; None where there is none.
    """
    data = {
        "format_version": FORMAT_VERSION,
        "digest": digest_of(content),
        "identities": identities,
        "n_frames": n_frames,
        **content,
    }
    if avatar_path is not None:
        data["avatar_path"] = avatar_path
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def read_record(store: Store) -> dict[str, Any]:
    """What ``dataset.json`` holds.

    :raises DatasetError: there is none, or it is damaged or states another digest than its content has.
    """
    where, mend = store.place / DATASET_FILE, "run its job again, which restores it"
    if DATASET_FILE not in store.entries():
        raise DatasetError(f"not an ffngen dataset: it has no {DATASET_FILE}", where=str(store.place))
    content = store.read(DATASET_FILE, MAX_BYTES)
    if _digest_in(content) is None:
        raise DatasetError("is damaged", where=where, mend=mend)
    record: dict[str, Any] = json.loads(content)
    return record


def stated_digest(root: Path) -> str | None:
    """The digest of the job that ``dataset.json`` holds; None where the file is damaged or states another digest."""
    try:
        return _digest_in(read_bounded(root / DATASET_FILE, MAX_BYTES))
    except FfngenError:
        return None


def _digest_in(record: bytes) -> str | None:
    try:
        data = json.loads(record)
        stated = data["digest"]
        content = {name: value for name, value in data.items() if name not in BESIDE_CONTENT}
        return stated if stated == digest_of(content) else None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def check_place(store: Store, context: JobContext, *, overwrite: bool) -> None:
    """Check that a job's dataset may be written there; nothing is written.

    A new or empty place is free. The same job goes on where it was left; it may have grown (more
    identities, more lengths). Any other job is refused, and so is a place with other files in it.

    :param overwrite: whether another job's dataset may be there.
    :raises DatasetError: the place belongs to something else, or cannot be read.
    """
    there = store.entries()
    if DATASET_FILE not in there:
        # A run that was killed before it wrote dataset.json leaves its folder of unfinished work alone.
        others = sorted(there - {PARTIAL_FOLDER, FARM_FOLDER})
        if others:
            raise DatasetError(
                f"holds files and is no ffngen dataset (such as {others[0]!r})",
                where=str(store.place),
                mend="give an empty or new folder with --out",
            )
    elif not overwrite:
        _check_same_job(store, context)


def _check_same_job(store: Store, context: JobContext) -> None:
    root, there = str(store.place), _read(store)
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


def _read(store: Store) -> _DatasetRecord:
    try:
        return _DatasetRecord.model_validate_json(store.read(DATASET_FILE, MAX_BYTES))
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"])
        what = f"is damaged{f' (field {field!r})' if field else ''}"
        raise DatasetError(what, where=store.place / DATASET_FILE, mend=_OVERWRITE) from None


def _difference(there: _DatasetRecord, here: dict[str, Any]) -> str:
    """The first field that differs, as words."""
    for field, value in here["job"].items():
        old = there.job.get(field)
        if old != value:
            return f"{field} is {_shortened(old)} there and {_shortened(value)} here"
    others = there.model_extra or {}
    for part, name in _PARTS.items():
        if others.get(part) != here.get(part):
            return f"{name} has changed"
    return "its record differs"


def _shortened(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _clear(store: Store) -> None:
    """Delete a dataset's own files, and nothing else that lies there; ``dataset.json`` goes last.

    Unfinished work stays: some of it is the caller's own.
    """
    folders = {Path(output.value).parts[0] for output in (*Output, *LabelOutput)}
    folders |= {METADATA_FOLDER, LOGS_FOLDER, FARM_FOLDER}
    store.clear(sorted(folders), (MANIFEST_FILE, DATASET_FILE))
