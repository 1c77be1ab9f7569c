"""A dataset in a folder: renames within one file system, the metadata file last."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TextIO

from ffngen.atomic import read_bounded, sync, write_atomic
from ffngen.dataset.layout import LOGS_FOLDER, PARTIAL_FOLDER, SequenceKey, complete_sequences
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.place import place_labels, place_sequence
from ffngen.dataset.plan import SequencePlan, is_complete
from ffngen.dataset.run_folder import HEARTBEAT_SECONDS, file_server_time, run_folder, silent_seconds
from ffngen.errors import DatasetError

#: So much of a log is read; its second line is the reason.
_LOG_HEAD = 4096


class FolderStore:
    """A :class:`ffngen.dataset.store.Store` that is a folder, which other machines may see too."""

    heartbeat = HEARTBEAT_SECONDS
    labels_go_along = False

    def __init__(self, root: Path) -> None:
        self.place = root

    def run_folder(self) -> AbstractContextManager[Path]:
        """A folder below ``.partial``, on the dataset's own file system."""
        return run_folder(self.place)

    def entries(self) -> set[str]:
        """The names in the folder."""
        root = self.place
        try:
            if root.exists() and not root.is_dir():
                raise DatasetError("is a file, not a folder", where=root, mend="give another --out")
            return {entry.name for entry in root.iterdir()}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise DatasetError(f"the folder cannot be read: {error.strerror}", where=root) from error

    def read(self, path: str, max_bytes: int) -> bytes:
        """A file's bytes."""
        return read_bounded(self.place / path, max_bytes)

    def read_each(self, paths: Iterable[str], max_bytes: int) -> Iterator[bytes]:
        """One after the other."""
        return (self.read(path, max_bytes) for path in paths)

    def write(self, path: str, content: bytes, scratch: Path) -> None:
        """By a rename."""
        written = scratch / Path(path).name
        write_atomic(written, content)
        target = self.place / path
        while written.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another run has just removed the folder, which was empty
                written.replace(target)
                sync(target.parent)

    def write_new(self, path: str, content: bytes, scratch: Path) -> bool:
        """By a hard link."""
        written, target = scratch / Path(path).name, self.place / path
        write_atomic(written, content)
        try:
            # Unlike a rename, it fails where a file is there, and does so over NFS too.
            target.hardlink_to(written)
        except FileExistsError:
            return False
        except OSError:  # a file system without hard links
            if target.exists():
                return False
            written.replace(target)
        written.unlink(missing_ok=True)
        return True

    def remove(self, *paths: str) -> None:
        """Unlink."""
        for path in paths:
            (self.place / path).unlink(missing_ok=True)

    def clear(self, folders: Iterable[str], files: Iterable[str]) -> None:
        """Remove trees, then files."""
        for name in folders:
            shutil.rmtree(self.place / name, ignore_errors=True)
        for name in files:
            (self.place / name).unlink(missing_ok=True)

    def complete(self) -> list[SequenceKey]:
        """By walking the metadata folder."""
        return complete_sequences(self.place)

    def missing(self, plans: Sequence[SequencePlan], total: int) -> list[SequencePlan]:
        """By asking for each one's metadata file."""
        return [plan for plan in plans if not is_complete(self.place, plan)]

    def put_sequence(self, staged: Path, metadata: SequenceMetadata) -> None:
        """By a rename for each folder (:mod:`ffngen.dataset.place`)."""
        place_sequence(self.place, staged, metadata)
        place_labels(self.place, staged, metadata.key)

    def fetch(self, paths: Iterable[str], target: Path) -> None:
        """By copying."""
        for path in paths:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(self.place / path, target / path)
            except FileNotFoundError as error:
                raise DatasetError("is missing", where=self.place / path, mend="render its sequence again") from error

    def logs(self) -> Iterator[tuple[str, str]]:
        """Those in folders by hash, and those of datasets that had one folder for all."""
        root = self.place / LOGS_FOLDER
        for path in sorted((*root.glob("*.log"), *root.glob("*/*.log")), key=lambda path: path.name):
            try:
                with path.open("rb") as file:
                    yield path.relative_to(self.place).as_posix(), file.read(_LOG_HEAD).decode(errors="replace")
            except OSError:
                continue

    def tidy(self) -> None:
        """Remove folders of logs that are empty."""
        root = self.place / LOGS_FOLDER
        for folder in (*root.glob("??"), root):
            with suppress(OSError):
                folder.rmdir()

    def open_lines(self, path: str) -> _LocalLines:
        """The file is made when the first line is written."""
        return _LocalLines(self.place / path)

    def line_files(self, folder: str) -> Iterator[tuple[str, Iterator[str]]]:
        """Opened one after the other."""
        for path in sorted((self.place / folder).glob("*/*.jsonl")):
            yield path.relative_to(self.place).as_posix(), _lines(path)

    def silences(self) -> dict[str, float]:
        """By the times of the runs' folders, all of them the file server's."""
        now, partial = self._now(), self.place / PARTIAL_FOLDER
        silences = {path.name: silent_seconds(path, now) for path in partial.glob("*")}
        return {name: silence for name, silence in silences.items() if silence is not None}

    def _now(self) -> float:
        """The file server's time; this machine's where the dataset cannot be written to."""
        try:
            with run_folder(self.place) as own:
                return file_server_time(own)
        except (DatasetError, OSError):
            return time.time()


class _LocalLines:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def write(self, line: str) -> None:
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("a", encoding="utf-8")
                sync(self._path.parent)
            self._file.write(f"{line}\n")
            self._file.flush()
        except OSError as error:
            raise DatasetError(f"cannot be written: {error.strerror or error}", where=self._path) from error

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # a full disk that has kept lines back is found elsewhere
                self._file.close()
            self._file = None


def _lines(path: Path) -> Iterator[str]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from file
    except OSError:
        return
