"""A dataset in an object store that speaks S3: no renames, no locks, nothing that is ever appended to.

A sequence is made in a local folder and then written object by object. Each is written whole or not at all, and only
where none of its name is (``If-None-Match``), so that an object of a sequence never changes once it is there: of two
runs that make the same sequence, each object is one's or the other's, and both list what lies in place. The metadata
object comes last; without it the rest does not count, and the next run goes on from there. Truth and vertices have the
same bytes whoever made them, and replace what differs. Images may differ by the machine; those that are there are kept.

What there is, is told by listing prefixes, a thousand keys at a time, or by asking for single keys where a run has so
few sequences that this takes fewer requests. Runs note what they do in objects that are written anew every few seconds,
while they have something to note, up to a size; then the next one begins. All times are the server's.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path, PurePosixPath

from ffngen.dataset.bucket import THREADS, Bucket, md5
from ffngen.dataset.labels.record import label_paths
from ffngen.dataset.layout import (
    LOGS_FOLDER,
    METADATA_FOLDER,
    RUNS_FOLDER,
    SPLITS,
    Output,
    Record,
    SequenceKey,
    key_of_metadata,
    metadata_path,
)
from ffngen.dataset.metadata import FileEntry, SequenceMetadata, encode_metadata
from ffngen.dataset.object_lines import ObjectLines, line_objects
from ffngen.dataset.plan import SequencePlan
from ffngen.dataset.run_folder import run_folder
from ffngen.errors import DatasetError, InputFileError
from ffngen.url import ObjectUrl

#: What may differ from machine to machine.
_IMAGES = (f"{Output.FACIAL_IMAGE.value}/", f"{Output.HEAD_IMAGE.value}/")

#: Objects that a sequence has in its metadata folder, at most; they are what a listing costs.
_RECORDS = 6
_PAGE = 1000

_LOG_HEAD = 4096


class ObjectStore:
    """A :class:`ffngen.dataset.store.Store` below a URL. Threads may share it."""

    heartbeat = 120.0
    labels_go_along = True

    def __init__(self, url: ObjectUrl) -> None:
        self.place = url
        self._bucket = Bucket(url)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="objects")

    @contextmanager
    def run_folder(self) -> Iterator[Path]:
        """A folder below this machine's folder for temporary files (``TMPDIR``)."""
        name = hashlib.sha256(str(self.place).encode()).hexdigest()[:16]
        root = Path(tempfile.gettempdir()) / f"ffngen-{os.getuid()}-{name}"
        try:
            root.mkdir(mode=0o700, exist_ok=True)
            is_own = root.lstat().st_uid == os.getuid() and not root.is_symlink()
        except OSError as error:
            raise DatasetError(f"cannot be made: {error.strerror}", where=root, mend="set TMPDIR") from error
        if not is_own:
            raise DatasetError("is somebody else's", where=root, mend="set TMPDIR to a folder of your own")
        try:
            with run_folder(root) as folder:
                yield folder
        finally:
            with suppress(OSError):  # another run is at work there
                root.rmdir()

    def entries(self) -> set[str]:
        """The first names of keys."""
        folders, files = self._bucket.names("")
        return {*folders, *files}

    def read(self, path: str, max_bytes: int) -> bytes:
        """An object's bytes."""
        try:
            data = self._bucket.get(path, first=max_bytes + 1)
        except FileNotFoundError as error:
            raise InputFileError("cannot be read: no such object", where=self.place / path) from error
        if len(data) > max_bytes:
            raise InputFileError(f"more than {max_bytes} bytes", where=self.place / path)
        return data

    def read_each(self, paths: Iterable[str], max_bytes: int) -> Iterator[bytes]:
        """Many at once."""
        rest = iter(paths)
        while some := list(islice(rest, 20 * THREADS)):
            yield from self._threads.map(lambda path: self.read(path, max_bytes), some)

    def write(self, path: str, content: bytes, scratch: Path) -> None:
        """Objects are written whole or not at all."""
        self._bucket.put(path, content)

    def write_new(self, path: str, content: bytes, scratch: Path) -> bool:
        """On the condition that there is none."""
        return self._bucket.put(path, content, new=True)

    def remove(self, *paths: str) -> None:
        """Delete."""
        self._bucket.delete(paths)

    def clear(self, folders: Iterable[str], files: Iterable[str]) -> None:
        """Delete what a listing finds."""
        for folder in folders:
            self._bucket.delete([entry.path for entry in self._bucket.entries(folder)])
        for path in files:
            self._bucket.delete([path])

    def complete(self) -> list[SequenceKey]:
        """By listing the metadata folders of all splits and emotions."""
        folders = [
            f"{METADATA_FOLDER}/{split}/{emotion}"
            for split in SPLITS
            for emotion in self._bucket.names(f"{METADATA_FOLDER}/{split}")[0]
        ]
        keys = (key_of_metadata(path) for path in self._metadata_files(folders))
        return sorted(key for key in keys if key is not None)

    def _metadata_files(self, folders: Sequence[str]) -> list[str]:
        def find(folder: str) -> list[str]:
            end = f"/{Record.METADATA.value}"
            return [entry.path for entry in self._bucket.entries(folder) if entry.path.endswith(end)]

        return [path for paths in self._threads.map(find, folders) for path in paths]

    def missing(self, plans: Sequence[SequencePlan], total: int) -> list[SequencePlan]:
        """By listing, or by asking for each, whichever takes fewer requests."""
        folders = sorted({f"{METADATA_FOLDER}/{plan.layout.key.split}/{plan.layout.key.emotion}" for plan in plans})
        if len(plans) < len(folders) + _RECORDS * total // _PAGE:
            found = self._threads.map(lambda plan: self._bucket.head(metadata_path(plan.layout.key)), plans)
            return [plan for plan, entry in zip(plans, found, strict=True) if entry is None]
        there = set(self._metadata_files(folders))
        return [plan for plan in plans if metadata_path(plan.layout.key) not in there]

    def put_sequence(self, staged: Path, metadata: SequenceMetadata) -> None:
        """Write every file, those of labels too, and then the metadata for what lies in place."""
        record = metadata_path(metadata.key)
        if self._bucket.head(record) is not None:
            return
        own = metadata.files

        def put(path: str) -> tuple[str, FileEntry | None]:
            return path, self._put(path, staged / path, own.get(path))

        entries = dict(self._threads.map(put, (*own, *label_paths(staged, metadata))))
        files = {path: entry for path, entry in entries.items() if entry is not None}
        self._bucket.put(record, encode_metadata(metadata.model_copy(update={"files": files})), new=True)

    def _put(self, path: str, file: Path, entry: FileEntry | None) -> FileEntry | None:
        """Write a file where none is; returns the size and digest of what lies there, None of a label."""
        content = file.read_bytes()
        if self._bucket.put(path, content, new=True):
            return entry
        there = self._bucket.head(path)
        if there is not None and there.bytes == len(content) and there.tag == md5(content).hex():
            return entry
        is_image = path.startswith(_IMAGES) or PurePosixPath(path).name == Record.CONTACT_SHEET.value
        if there is None or not is_image or entry is None:
            self._bucket.put(path, content)
            return entry
        data = self._bucket.get(path)
        return FileEntry(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())

    def fetch(self, paths: Iterable[str], target: Path) -> None:
        """Many at once."""

        def get(path: str) -> None:
            try:
                data = self._bucket.get(path)
            except FileNotFoundError as error:
                raise DatasetError("is missing", where=self.place / path, mend="render its sequence again") from error
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes(data)

        list(self._threads.map(get, paths))

    def logs(self) -> Iterator[tuple[str, str]]:
        """By listing."""
        paths = sorted(
            (entry.path for entry in self._bucket.entries(LOGS_FOLDER)), key=lambda path: path.rsplit("/")[-1]
        )

        def head(path: str) -> str | None:
            try:
                return self._bucket.get(path, first=_LOG_HEAD).decode(errors="replace")
            except FileNotFoundError:  # its sequence has just been made
                return None

        for path, text in zip(paths, self._threads.map(head, paths), strict=True):
            if text is not None:
                yield path, text

    def tidy(self) -> None:
        """There are no folders."""

    def open_lines(self, path: str) -> ObjectLines:
        """The first object is written with the first line."""
        return ObjectLines(self._bucket, path, self.heartbeat)

    def line_files(self, folder: str) -> Iterator[tuple[str, Iterator[str]]]:
        """The objects of each file, read when they are asked for."""
        return line_objects(self._bucket, folder)

    def silences(self) -> dict[str, float]:
        """By when a run's last object was written."""
        now = self._bucket.now()
        found: dict[str, float] = {}
        for entry in self._bucket.entries(RUNS_FOLDER):
            run = PurePosixPath(entry.path).parent.stem
            found[run] = min(now - entry.modified, found.get(run, float("inf")))
        return found
