"""Moving a finished sequence into the dataset, where another run may be doing the same.

There is no lock, for a dead node would hold it. Folders go into place by one rename each, and the metadata file, which
marks the sequence complete, last. A folder that is there already and holds the same bytes stays, which is what happens
where two runs made the same sequence. One that differs is what a killed run left, what somebody damaged before deleting
the metadata file, or another run's images of another number of threads; it is replaced unless the sequence has become
complete, and the metadata then lists what lies in place.
"""

from __future__ import annotations

import errno
import filecmp
import shutil
import time
from pathlib import Path

from ffngen.atomic import sha256_file, sync, write_atomic
from ffngen.dataset.labels.layout import LABELS_FILE, SHEET_FILE, SURFACE_FILE, label_folders
from ffngen.dataset.layout import Output, Record, SequenceKey, SequenceLayout, metadata_folder, output_folder
from ffngen.dataset.metadata import FileEntry, SequenceMetadata, encode_metadata
from ffngen.errors import RenderError

#: What renaming a folder says where something is in its place.
_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)

#: Another run that is between its two renames is waited for, so often and so long.
_TRIES = 50
_PAUSE_SECONDS = 0.1

#: What a run has put in place: the inode of each folder, and of the records; None where it is another's.
_Seen = dict[Path, int | None]


def place_sequence(root: Path, staged: Path, metadata: SequenceMetadata) -> None:
    """Move a sequence that lies whole below ``staged`` to ``root``, and mark it complete; nothing where it is complete.

    :param staged: a folder of this run alone, on the dataset's file system, with the dataset's own layout inside.
    :raises OutOfSpaceError, DatasetError: the metadata cannot be written.
    :raises OSError: a folder cannot be moved.
    :raises RenderError: another run has taken a folder away and put none in its place; the sequence is not complete.
    """
    layout = metadata.layout
    if _is_complete(root, layout):
        return
    for folder in label_folders(layout.key):
        # Of labels that were made before the sequence was deleted in part.
        shutil.rmtree(root / folder, ignore_errors=True)
    placed: _Seen = {}
    has_replaced = False
    for output in Output:
        folder = output_folder(output, layout.key)
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        while not (is_ours := put_folder(staged / folder, root / folder)) and not _is_complete(root, layout):
            take_away(root / folder, staged / "replaced" / folder)
            has_replaced = True
        placed[root / folder] = _inode(root / folder) if is_ours else None
        sync((root / folder).parent)
    if _is_complete(root, layout) and not has_replaced:
        return
    placed |= _put_records(staged, root, layout)
    _mark_complete(root, staged, metadata, placed)


def place_labels(root: Path, staged: Path, key: SequenceKey) -> None:
    """Move the labels that lie below ``staged`` to their complete sequence, the record that lists them last."""
    for folder in label_folders(key):
        if (staged / folder).is_dir():
            (root / folder).parent.mkdir(parents=True, exist_ok=True)
            while not put_folder(staged / folder, root / folder):
                take_away(root / folder, staged / "replaced" / folder)
            sync((root / folder).parent)
    records = metadata_folder(key)
    for name in (SURFACE_FILE, SHEET_FILE, LABELS_FILE):
        if (staged / records / name).is_file():
            (staged / records / name).replace(root / records / name)
            sync(root / records)


def _is_complete(root: Path, layout: SequenceLayout) -> bool:
    return (root / layout.record(Record.METADATA)).is_file()


def put_folder(folder: Path, target: Path) -> bool:
    """Rename a folder into place; whether it, or one with the same content, is there now."""
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in _OCCUPIED:
            raise
        return _same(folder, target)
    return True


def _same(folder: Path, other: Path) -> bool:
    """Whether two folders hold the same files, byte for byte; one that is being moved away does not."""
    try:
        names = sorted(path.name for path in folder.iterdir())
        return names == sorted(path.name for path in other.iterdir()) and all(
            filecmp.cmp(folder / name, other / name, shallow=False) for name in names
        )
    except OSError:
        return False


def take_away(path: Path, aside: Path) -> None:
    """Rename a folder out of the way; another run may do so first."""
    shutil.rmtree(aside, ignore_errors=True)
    aside.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.rename(aside)
    except FileNotFoundError:
        return  # another run has just done so


def _put_records(staged: Path, root: Path, layout: SequenceLayout) -> _Seen:
    """The files per sequence, one by one: removing the folder would take away another run's metadata file."""
    folder = root / metadata_folder(layout.key)
    folder.mkdir(parents=True, exist_ok=True)
    names = {record.value for record in Record}
    for entry in folder.iterdir():
        # Of labels, as above, or of nobody.
        if entry.name not in names:
            shutil.rmtree(entry, ignore_errors=True)
            entry.unlink(missing_ok=True)
    placed: _Seen = {}
    for record in (Record.VERTICES, Record.CONTACT_SHEET):
        path = layout.record(record)
        placed[root / path] = _inode(staged / path)
        (staged / path).replace(root / path)
    sync(folder)
    return placed


def _mark_complete(root: Path, staged: Path, metadata: SequenceMetadata, placed: _Seen) -> None:
    """Write the metadata file for what lies in place, again where that changed meanwhile."""
    layout = metadata.layout
    record = layout.record(Record.METADATA)
    for _ in range(_TRIES):
        seen: _Seen = {path: _inode(path) for path in placed}
        if None not in seen.values():
            files = metadata.files if seen == placed else _entries(root, layout)
            if files is not None:
                write_atomic(staged / record, encode_metadata(metadata.model_copy(update={"files": files})))
                (staged / record).replace(root / record)
                sync((root / record).parent)
                if {path: _inode(path) for path in placed} == seen:
                    return
        time.sleep(_PAUSE_SECONDS)
    (root / record).unlink(missing_ok=True)
    raise RenderError("another run has taken it apart", where=str(layout.key))


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _entries(root: Path, layout: SequenceLayout) -> dict[str, FileEntry] | None:
    """Sizes and digests of what lies in place; None where a file is just being replaced."""
    try:
        return {
            str(path): FileEntry(bytes=(root / path).stat().st_size, sha256=sha256_file(root / path))
            for path in layout.files()
        }
    except FileNotFoundError:
        return None
