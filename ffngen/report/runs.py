"""What other commands wrote: their ``report.json``, and the pictures beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError

REPORT_FILE = "report.json"

#: kind -> the command that writes it, and fields that it must have.
KINDS = {
    "evaluation": ("ffngen eval --out", ("dataset", "split", "results")),
    "landmarks": ("ffngen evalreal landmarks --out", ("dataset", "path", "results")),
    "vertices": ("ffngen evalreal vertices --out", ("dataset", "path", "results")),
    "recognition": ("ffngen mer --out", ("dataset", "labels", "models", "classes", "classifier")),
}

_MAX_REPORT, _MAX_PICTURE = 64 << 20, 16 << 20
_PNG = b"\x89PNG\r\n\x1a\n"
#: Of each run.
_MOST_PICTURES = 8


@dataclass(frozen=True)
class Run:
    """One command's results.

    :param folder: that they lie in.
    :param kind: a key of :data:`KINDS`.
    :param record: the content of its ``report.json``.
    """

    folder: Path
    kind: str
    record: dict[str, Any]

    @property
    def name(self) -> str:
        """The folder's name, which tells runs apart."""
        return self.folder.absolute().name

    def pictures(self) -> list[tuple[str, bytes]]:
        """Where a few of its pictures lie in the folder, and the PNG files: the worst pairs, confusion matrices.

        :raises InputFileError: one is no PNG, or too large.
        """
        found = []
        for path in islice(self._picture_paths(), _MOST_PICTURES):
            content = read_bounded(path, _MAX_PICTURE)
            if not content.startswith(_PNG):
                raise InputFileError("is no PNG", where=path, mend="make the report anew")
            found.append((str(path.relative_to(self.folder)), content))
        return found

    def _picture_paths(self) -> list[Path]:
        if self.kind == "recognition":
            return sorted(self.folder.glob("confusion/*.png"))
        # The worst pair of each method, then the second.
        return sorted(self.folder.glob("worst/*/*.png"), key=lambda path: (path.name, path.parent.name))


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Read the runs in folders, or of ``report.json`` files.

    :raises InputFileError: one has no report, or what is there is none.
    """
    runs = [_read_run(path) for path in paths]
    folders = [run.folder.resolve() for run in runs]
    for run, folder in zip(runs, folders, strict=True):
        if folders.count(folder) > 1:
            raise InputFileError("is named twice", where=run.folder, mend="name each run once")
    return runs


def _read_run(path: Path) -> Run:
    file = path / REPORT_FILE if path.is_dir() else path
    if not file.is_file():
        commands = ", ".join(command for command, _ in KINDS.values())
        raise InputFileError(f"has no {REPORT_FILE}", where=path, mend=f"name a folder written by {commands}")
    try:
        record = json.loads(read_bounded(file, _MAX_REPORT))
    except (ValueError, RecursionError) as error:
        raise InputFileError("is no JSON", where=file, mend="run the command again") from error
    kind = record.get("kind") if isinstance(record, dict) else None
    if not isinstance(kind, str) or kind not in KINDS:
        what = f"is no report of {', '.join(KINDS)}"
        raise InputFileError(what, where=file, mend="run the command again")
    missing = [field for field in KINDS[kind][1] if field not in record]
    if missing:
        raise InputFileError(f"lacks {missing[0]!r}", where=file, mend="run the command again")
    return Run(file.parent, kind, record)
