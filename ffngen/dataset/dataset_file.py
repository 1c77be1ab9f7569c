"""``dataset.json``: which job a dataset folder belongs to, and whether a job may write to it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from ffngen.atomic import read_bounded, write_atomic
from ffngen.dataset.context import JobContext
from ffngen.dataset.layout import DATASET_FILE, LOGS_FOLDER, MANIFEST_FILE, METADATA_FOLDER, PARTIAL_FOLDER, Output
from ffngen.dataset.metadata import FORMAT_VERSION
from ffngen.errors import DatasetError

_MAX_BYTES = 4 << 20
_OVERWRITE = "give another --out, or --overwrite to delete what is there"


def claim_folder(root: Path, context: JobContext, *, overwrite: bool) -> None:
    """Make ``root`` the dataset of this job, or check that it already is.

    The same job goes on where it was left; it may have grown (more identities, more lengths). Any
    other job is refused, and so is a folder with other files in it.

    :raises DatasetError: the folder belongs to something else, or cannot be written.
    """
    check_folder(root, context, overwrite=overwrite)
    if overwrite and (root / DATASET_FILE).exists():
        _clear(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"the folder cannot be made: {error.strerror}", where=root) from error
    job = context.job
    data = {
        "format_version": FORMAT_VERSION,
        "digest": context.digest,
        "identities": job.identities,
        "n_frames": sorted(job.n_frames),
        **context.content(),
    }
    write_atomic(root / DATASET_FILE, (json.dumps(data, indent=1, sort_keys=True) + "\n").encode())


def check_folder(root: Path, context: JobContext, *, overwrite: bool) -> None:
    """What :func:`claim_folder` refuses, without writing anything."""
    if not root.exists():
        return
    if not root.is_dir():
        raise DatasetError("is a file, not a folder", where=root, mend="give another --out")
    if not (root / DATASET_FILE).is_file():
        # What a run that was killed before it wrote dataset.json can have left is its temporary file.
        others = [entry.name for entry in root.iterdir() if not entry.name.startswith(f".{Path(DATASET_FILE).stem}.")]
        if others:
            raise DatasetError(
                f"holds files and is no ffngen dataset (such as {sorted(others)[0]!r})",
                where=root,
                mend="give an empty or new folder with --out",
            )
        return
    if overwrite:
        return
    there = _read(root / DATASET_FILE)
    if there.get("digest") != context.digest:
        difference = _difference(there, context.content())
        raise DatasetError(f"holds the dataset of another job ({difference})", where=root, mend=_OVERWRITE)
    job = context.job
    lost = sorted(set(there.get("n_frames", [])) - set(job.n_frames))
    if lost:
        raise DatasetError(f"holds sequences of n = {lost[0]}, which this job lacks", where=root, mend=_OVERWRITE)
    if job.identities < there.get("identities", 0):
        raise DatasetError(
            f"holds {there['identities']} identities, and this job has {job.identities}", where=root, mend=_OVERWRITE
        )


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_bounded(path, _MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise DatasetError("is damaged", where=path, mend=_OVERWRITE) from error
    if not isinstance(data, dict):
        raise DatasetError("is damaged", where=path, mend=_OVERWRITE)
    return data


def _difference(there: dict[str, Any], here: dict[str, Any]) -> str:
    """The first field that differs, as words."""
    for field, value in here["job"].items():
        old = there.get("job", {}).get(field)
        if old != value:
            return f"{field} is {json.dumps(old)} there and {json.dumps(value)} here"
    for part, name in (("model", "the head model"), ("scene_preset", "the scene preset"), ("expressions", "the file")):
        if there.get(part) != here[part]:
            return f"{name} has changed"
    return "its record differs"


def _clear(root: Path) -> None:
    """Delete a dataset's own files, and nothing else that lies there; ``dataset.json`` goes last."""
    folders = {Path(output.value).parts[0] for output in Output} | {METADATA_FOLDER, LOGS_FOLDER, PARTIAL_FOLDER}
    for name in sorted(folders):
        shutil.rmtree(root / name, ignore_errors=True)
    for name in (MANIFEST_FILE, DATASET_FILE):
        (root / name).unlink(missing_ok=True)
