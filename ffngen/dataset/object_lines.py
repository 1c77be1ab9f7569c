"""Lines that one run appends to, as objects: ``PATH/0000``, ``PATH/0001``, ..., of which only the last ever changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby

from ffngen.dataset.bucket import Bucket
from ffngen.errors import FfngenError

#: A line is written at the latest so many seconds after it was noted, with all that came in between.
_LAG_SECONDS = 10.0
#: An object that has reached this size stays as it is.
_PART_BYTES = 1 << 16


class ObjectLines:
    """A :class:`ffngen.dataset.store.LineFile`; what a killed run had noted in its last seconds is lost.

    :param heartbeat: the last object is written again after so many seconds without news, as a sign of life.
    """

    def __init__(self, bucket: Bucket, path: str, heartbeat: float) -> None:
        self._bucket, self._path, self._heartbeat = bucket, path, heartbeat
        self._part = 0
        self._lines: list[str] = []
        self._lock = threading.Lock()
        self._news, self._end = threading.Event(), threading.Event()
        self._fault: FfngenError | None = None
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Note a line; the first one is written at once, and tells of a place that cannot be written to."""
        if self._fault is not None:
            raise self._fault
        with self._lock:
            self._lines.append(f"{line}\n")
        if self._thread is None:
            self._flush()
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        self._news.set()

    def close(self) -> None:
        """Write the rest."""
        if self._thread is None:
            return
        self._end.set()
        self._news.set()
        self._thread.join()
        self._thread = None
        with suppress(FfngenError):  # a server that is away is found elsewhere
            self._flush()

    def _run(self) -> None:
        while True:
            if self._news.wait(self._heartbeat):
                self._end.wait(_LAG_SECONDS)
            if self._end.is_set():
                return
            self._news.clear()
            try:
                self._flush()
                self._fault = None
            except FfngenError as error:
                self._fault = error

    def _flush(self) -> None:
        with self._lock:
            text = "".join(self._lines).encode()
        self._bucket.put(f"{self._path}/{self._part:04d}", text)
        if len(text) >= _PART_BYTES:
            with self._lock:
                self._part += 1
                # Those that came while it was being written.
                self._lines = self._lines[text.count(b"\n") :]


def line_objects(bucket: Bucket, folder: str) -> Iterator[tuple[str, Iterator[str]]]:
    """The path and the lines of each file below a folder of folders."""
    paths = (entry.path for entry in bucket.entries(folder))
    for path, parts in groupby(paths, key=lambda path: path.rpartition("/")[0]):
        yield path, _lines(bucket, list(parts))


def _lines(bucket: Bucket, parts: list[str]) -> Iterator[str]:
    for part in parts:
        try:
            yield from bucket.get(part).decode(errors="replace").splitlines()
        except FileNotFoundError:
            return
