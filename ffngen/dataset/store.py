"""What a run asks of the place that its dataset lies in: a folder, or an object store.

A sequence is a pure function of the job and its index. It is made below a local folder of the run alone, and becomes
part of the dataset whole: its metadata file, which comes last, marks it complete. No lock is held anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from ffngen.dataset.layout import SequenceKey
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.plan import SequencePlan
from ffngen.url import ObjectUrl, Place


class LineFile(Protocol):
    """A file that one run appends lines to."""

    def write(self, line: str) -> None:
        """Append a line, without its end; raises :class:`FfngenError` where that fails."""

    def close(self) -> None:
        """Write what is left, as far as that works."""


class Store(Protocol):
    """A dataset's place. Paths are relative to the dataset's root; ``scratch`` is a folder of :meth:`run_folder`.

    All methods raise :class:`FfngenError` where the place cannot be used.
    """

    #: How often a run shows that it lives, seconds.
    heartbeat: float
    #: Whether labels that a job asks for are made with each sequence, as they are not made of what lies there.
    labels_go_along: bool

    @property
    def place(self) -> Place:
        """Where it is."""

    def run_folder(self) -> AbstractContextManager[Path]:
        """A local folder for one run's unfinished work, removed at the end."""

    def entries(self) -> set[str]:
        """The names at the root; none where there is nothing."""

    def read(self, path: str, max_bytes: int) -> bytes:
        """A file's bytes; raises :class:`InputFileError` where it is missing or larger."""

    def read_each(self, paths: Iterable[str], max_bytes: int) -> Iterator[bytes]:
        """The same of many files, in their order."""

    def write(self, path: str, content: bytes, scratch: Path) -> None:
        """Put a file in place in one step, over what is there."""

    def write_new(self, path: str, content: bytes, scratch: Path) -> bool:
        """Put a file in place where none is; whether it was, of several runs that do so at once for one alone."""

    def remove(self, *paths: str) -> None:
        """Remove files, where they are there."""

    def clear(self, folders: Iterable[str], files: Iterable[str]) -> None:
        """Remove folders with all that is in them, then files, in their order."""

    def complete(self) -> list[SequenceKey]:
        """The sequences whose metadata file is in place, sorted."""

    def missing(self, plans: Sequence[SequencePlan], total: int) -> list[SequencePlan]:
        """Those of some sequences that are not complete; ``total`` is how many the job has."""

    def put_sequence(self, staged: Path, metadata: SequenceMetadata) -> None:
        """Bring in a sequence that lies whole below ``staged``, and mark it complete; nothing where it is complete.

        Labels that lie there too come along.
        """

    def fetch(self, paths: Iterable[str], target: Path) -> None:
        """Copy files below a local folder; raises :class:`DatasetError` where one is missing."""

    def logs(self) -> Iterator[tuple[str, str]]:
        """The path and the beginning of each log of a sequence that was given up."""

    def tidy(self) -> None:
        """Remove what holds nothing any more."""

    def open_lines(self, path: str) -> LineFile:
        """Append to a file that no other run writes to."""

    def line_files(self, folder: str) -> Iterator[tuple[str, Iterator[str]]]:
        """The path and the lines of each file that was written so, below a folder of folders."""

    def silences(self) -> dict[str, float]:
        """Name of each run that may live -> how long ago it showed so, seconds by the place's own clock."""


def open_store(place: Place) -> Store:
    """The store of a place.

    :raises MissingPackageError: an object store needs the extra ``s3``.
    :raises DatasetError: it has no credentials.
    """
    if isinstance(place, ObjectUrl):
        from ffngen.dataset.object_store import ObjectStore

        return ObjectStore(place)
    from ffngen.dataset.folder_store import FolderStore

    return FolderStore(place)
