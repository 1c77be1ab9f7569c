"""Rows of ``.xlsx`` and ``.csv`` tables that nobody has checked: in bounded memory, and nothing in them is run."""

from __future__ import annotations

import csv
import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.extras import require

SUFFIXES = (".xlsx", ".csv")

#: The largest annotation table of a published set has 300 rows and takes 40 kB.
_MAX_BYTES = 8 << 20
#: XML takes fifty times its size when it is read; a part's name does not tell whether it will be read as XML.
_MAX_UNPACKED = 4 << 20
_MAX_PARTS = 200
_MAX_SHEETS = 10
_MAX_ROWS, _MAX_COLUMNS = 20_000, 60
_MAX_TEXT = 4096

_SAVE_AGAIN = "save it again as .xlsx, or as .csv"


class Formula:
    """Stands for a cell that holds a formula, which is not computed."""


@dataclass(frozen=True)
class Row:
    """One row of a table.

    :param number: counted from 1, as a spreadsheet shows it.
    :param cells: text, numbers, :class:`Formula`, or None where a cell is empty.
    """

    number: int
    cells: tuple[Any, ...]


def read_sheets(path: Path) -> list[list[Row]]:
    """The sheets of a table, each as its rows that are not empty; a ``.csv`` file is one sheet.

    :raises InputFileError: no such file, too large, damaged, or a workbook with macros.
    :raises MissingPackageError: openpyxl, which reads workbooks, is not installed.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return [_read_csv(path)]
    if suffix != ".xlsx":
        raise InputFileError("not a table that is read", where=path, mend=_SAVE_AGAIN)
    return _read_workbook(path)


def _read_csv(path: Path) -> list[Row]:
    data = read_bounded(path, _MAX_BYTES)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputFileError("is not UTF-8 text", where=path, mend="save it as CSV in UTF-8") from None
    head = text[: 1 << 16]
    delimiter = max(",;\t", key=head.count)
    try:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return list(_bounded(((lines.line_num, line) for line in lines), path))
    except csv.Error as error:
        raise InputFileError(f"not a readable CSV file ({error})", where=path) from error


def _read_workbook(path: Path) -> list[list[Row]]:
    data = read_bounded(path, _MAX_BYTES)
    _check_archive(data, path)
    require("mer", "openpyxl")
    import openpyxl

    try:
        with warnings.catch_warnings():
            # Of styles and validation rules that it does not know.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, keep_links=False)
            limits = {"max_row": _MAX_ROWS + 1, "max_col": _MAX_COLUMNS}
            return [
                list(_bounded(((i, [_value(cell) for cell in row]) for i, row in enumerate(cells, 1)), path))
                for cells in (sheet.iter_rows(**limits) for sheet in book.worksheets[:_MAX_SHEETS])
            ]
    except InputFileError:
        raise
    except Exception as error:  # damaged XML leads it to raise nearly anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:120]
        raise InputFileError(f"not a readable workbook ({reason})", where=path, mend=_SAVE_AGAIN) from error


def _value(cell: Any) -> Any:
    return Formula() if cell.data_type == "f" else cell.value


def _bounded(lines: Iterator[tuple[int, list[Any]]], path: Path) -> Iterator[Row]:
    for number, line in lines:
        if number > _MAX_ROWS:
            raise InputFileError(f"has more than {_MAX_ROWS} rows", where=path, mend="name the annotation table")
        cells = tuple(_tidied(value) for value in line[:_MAX_COLUMNS])
        if any(value is not None for value in cells):
            yield Row(number, cells)


def _tidied(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.strip()[:_MAX_TEXT] or None


def _check_archive(data: bytes, path: Path) -> None:
    """Refuse what is no plain workbook before it is unpacked: bombs, macros, and XML with definitions of its own."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > _MAX_PARTS or sum(part.file_size for part in parts) > _MAX_UNPACKED:
                what = f"would unpack to more than {_MAX_PARTS} parts or {_MAX_UNPACKED >> 20} MiB"
                raise InputFileError(what, where=path, mend="save the table alone, as .xlsx or .csv")
            if any("vbaproject" in part.filename.lower() for part in parts):
                raise InputFileError("holds macros, which are not read", where=path, mend=_SAVE_AGAIN)
            for part in parts:
                if _has_definitions(archive.read(part)):
                    raise InputFileError("its XML defines entities, as no spreadsheet does", where=path)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError) as error:
        raise InputFileError("is no .xlsx workbook", where=path, mend=_SAVE_AGAIN) from error


def _has_definitions(xml: bytes) -> bool:
    plain = xml.replace(b"\0", b"")  # UTF-16, as far as ASCII goes
    return b"<!DOCTYPE" in plain or b"<!ENTITY" in plain
