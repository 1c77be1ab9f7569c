"""Decoded flow on a local disk, for sources whose files take long to decode or to fetch.

The first reading of a flow writes it as a plain ``.flo`` file, of which later readings take the rows that they need.
Several processes may share a folder: files come into place whole, and one that is missing is made again.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ffngen.atomic import write_atomic
from ffngen.errors import FfngenError
from ffngen.flow.files import read_flow
from ffngen.flow.flo import encode_flo, read_flo
from ffngen.flow.values import Flow, known

#: Cached files lie in so many folders, two hexadecimal digits each, so that none holds too many.
_FOLDERS = 256


@dataclass(frozen=True)
class FlowCache:
    """A folder of decoded flow.

    :param folder: made when first written to.
    :param max_bytes: how much it may hold; once it is full, flows are decoded each time.
    """

    folder: Path
    max_bytes: int

    def read(self, path: Path, rows: slice | None = None, size: tuple[int, int] | None = None) -> Flow:
        """As :func:`ffngen.flow.files.read_flow`, from the cache where it holds the file as it is now."""
        if path.suffix.lower() == ".flo":
            return read_flow(path, rows, size)
        cached = self._place(path)
        try:
            return read_flo(cached, rows, size)
        except FfngenError:
            flow = read_flow(path, size=size)
        if self._has_room(cached):
            # A full or unwritable disk costs time, and no training.
            with suppress(OSError, FfngenError):
                cached.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(cached, encode_flo(flow, known(flow)))
        return flow if rows is None else flow[rows]

    def _place(self, path: Path) -> Path:
        """Where a file's flow is kept: another size or time of change is another file."""
        try:
            status = path.stat()
            text = f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}"
        except OSError:
            text = str(path)
        name = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / name[:2] / f"{name[2:34]}.flo"

    def _has_room(self, place: Path) -> bool:
        """Whether the cache may grow; judged by this file's folder, as files fall evenly into all folders."""
        try:
            held = sum(entry.stat().st_size for entry in place.parent.iterdir()) if place.parent.is_dir() else 0
            free = shutil.disk_usage(self.folder if self.folder.exists() else self.folder.parent).free
        except OSError:
            return False
        return held * _FOLDERS < self.max_bytes and free > self.max_bytes // 50
