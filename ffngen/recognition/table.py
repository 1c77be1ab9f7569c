"""Annotation tables: the header is looked for, so that text before it and columns of any order do no harm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffngen.errors import InputFileError
from ffngen.recognition.workbook import SUFFIXES, Formula, Row, read_sheets

#: Field -> the titles that sets give it, without spaces and case; the first one is named in messages.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "Subject": ("subject",),
    "Filename": ("filename",),
    "OnsetFrame": ("onsetframe", "onset"),
    "ApexFrame": ("apexframe", "apex"),
    "OffsetFrame": ("offsetframe", "offset"),
    "Estimated Emotion": ("estimatedemotion", "emotion"),
}

#: SAMM's header comes after 13 rows of text.
_HEADER_WITHIN = 60


@dataclass(frozen=True)
class TableRow:
    """A row of an annotation table: field of :data:`COLUMNS` -> text, a number, or None."""

    source: Path
    number: int
    fields: Mapping[str, Any]

    @property
    def place(self) -> str:
        """For messages."""
        return f"{self.source}: row {self.number}"

    def text(self, field: str) -> str:
        """A field as text; raises :class:`InputFileError` where it is empty."""
        value = self._plain(field)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = "" if value is None else str(value).strip()
        if not text or "/" in text or "\\" in text or text in (".", ".."):
            what = f"the column {field} holds {text[:40]!r}, which names no {field.lower()}"
            raise InputFileError(what, where=self.place)
        return text

    def frame(self, field: str) -> int | None:
        """A field as the number of a frame; None where it holds none, such as CASME II's ``/`` or SAMM's -1."""
        value = self._plain(field)
        try:
            number = float(value)
        except (TypeError, ValueError):
            return None
        return int(number) if number.is_integer() and 0 <= number < 1e9 else None

    def _plain(self, field: str) -> Any:
        value = self.fields[field]
        if isinstance(value, Formula):
            mend = "replace it by its value"
            raise InputFileError(
                f"the column {field} holds a formula, which is not computed", where=self.place, mend=mend
            )
        return value


def find_table(folder: Path, annotations: Path | None) -> Path:
    """The annotation table: the one that is named, else the one in a folder that has the columns.

    :raises InputFileError: there is none, or more than one.
    """
    if annotations is not None:
        return annotations
    try:
        files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES and f.name[0] not in ".~")
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise InputFileError(what, where=folder, mend="name the folder of the set") from error
    if len(files) > 1:
        fitting = [file for file in files if _has_columns(file)]
        if len(fitting) > 1:
            names = ", ".join(file.name for file in fitting[:4])
            raise InputFileError(f"more than one annotation table ({names})", where=folder, mend="use --annotations")
        files = fitting or files[:1]
    if not files:
        mend = "name it with --annotations; an old .xls must be saved as .xlsx or .csv"
        raise InputFileError("no annotation table (.xlsx or .csv) lies here", where=folder, mend=mend)
    return files[0]


def read_table(path: Path) -> list[TableRow]:
    """The rows below the header of an annotation table.

    :raises InputFileError: it lacks a column, holds no row, or cannot be read.
    """
    best: list[str] = []
    for rows in read_sheets(path):
        for place, row in enumerate(rows[:_HEADER_WITHIN]):
            found = _columns(row)
            if len(found) == len(COLUMNS):
                return _below(path, rows[place + 1 :], found)
            best = max(best, list(found), key=len)
    missing = [field for field in COLUMNS if field not in best]
    raise InputFileError(f"lacks the column {missing[0]}", where=path, mend=f"it needs {', '.join(COLUMNS)}")


def _has_columns(path: Path) -> bool:
    try:
        return bool(read_table(path))
    except InputFileError:
        return False


def _columns(row: Row) -> dict[str, int]:
    titles = ["".join(c for c in str(cell).lower() if c.isalnum()) for cell in row.cells]
    found = {}
    for field, names in COLUMNS.items():
        places = [i for i, title in enumerate(titles) if title in names]
        if places:
            found[field] = places[0]
    return found


def _below(path: Path, rows: list[Row], columns: dict[str, int]) -> list[TableRow]:
    made = list(_rows(path, rows, columns))
    if not made:
        raise InputFileError("holds no sample below its header", where=path)
    return made


def _rows(path: Path, rows: list[Row], columns: dict[str, int]) -> Iterator[TableRow]:
    for row in rows:
        fields = {field: row.cells[place] if place < len(row.cells) else None for field, place in columns.items()}
        # Notes below a table fill other columns than these.
        if any(fields[field] is not None for field in ("Subject", "Filename")):
            yield TableRow(path, row.number, fields)
