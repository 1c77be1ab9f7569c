"""Tables that mean harm: one line, little memory, nothing run."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from made_micro import CASME2_HEADER, write_table

from ffngen.errors import InputFileError
from ffngen.recognition.table import read_table
from ffngen.recognition.workbook import Formula, read_sheets

openpyxl = pytest.importorskip("openpyxl")

ROW = (1, "a", None, 1, 3, 5, None, "12", "happiness")


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    return write_table(tmp_path / "table.xlsx", [CASME2_HEADER, ROW])


def rewritten(path: Path, changes: dict[str, bytes]) -> Path:
    """The workbook with parts added or replaced."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (parts | changes).items():
            archive.writestr(name, content)
    path.write_bytes(buffer.getvalue())
    return path


def test_values(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.xlsx", [["a ", 1, 2.5, None, "=1+1"], [None, " "], ["", "b"]])
    first, last = read_sheets(path)[0]
    assert first.cells[:4] == ("a", 1, 2.5, None)
    assert isinstance(first.cells[4], Formula)
    assert last.number == 3


def test_csv_of_any_delimiter(tmp_path: Path) -> None:
    for delimiter in ",;\t":
        path = tmp_path / "t.csv"
        lines = [delimiter.join("" if cell is None else str(cell) for cell in row) for row in (CASME2_HEADER, ROW)]
        path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
        row = read_table(path)[0]
        assert (row.number, row.text("Subject"), row.frame("ApexFrame")) == (2, "1", 3)


def test_numbers_that_are_no_frames(tmp_path: Path) -> None:
    for value in ("/", -1, 2.5, "nan", "inf", "1e400", None, "x"):
        path = write_table(tmp_path / "t.csv", [CASME2_HEADER, (*ROW[:4], value, *ROW[5:])])
        assert read_table(path)[0].frame("ApexFrame") is None
    path = write_table(tmp_path / "t.csv", [CASME2_HEADER, (*ROW[:4], "3.0", *ROW[5:])])
    assert read_table(path)[0].frame("ApexFrame") == 3


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip", b"\xd0\xcf\x11\xe0" * 100])
def test_what_is_no_workbook(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "table.xlsx"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=r"table.xlsx: is no .xlsx workbook; save it again") as caught:
        read_table(path)
    assert "\n" not in str(caught.value)


def test_a_bomb(workbook: Path) -> None:
    rewritten(workbook, {"xl/sharedStrings.xml": bytes(40 << 20)})
    assert workbook.stat().st_size < 1 << 20
    tracemalloc.start()
    with pytest.raises(InputFileError, match="would unpack to more than"):
        read_table(workbook)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20


def test_macros(workbook: Path) -> None:
    with pytest.raises(InputFileError, match="holds macros"):
        read_table(rewritten(workbook, {"xl/vbaProject.bin": b"code"}))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities(workbook: Path, encoding: str) -> None:
    xml = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY a "b">]><sst>&a;</sst>'
    with pytest.raises(InputFileError, match="defines entities"):
        read_table(rewritten(workbook, {"xl/sharedStrings.xml": xml.encode(encoding)}))


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row r='1'><c r='A1'"),
        ("xl/workbook.xml", b"<workbook/>"),
        ("xl/worksheets/sheet1.xml", b""),
        ("[Content_Types].xml", b"<Types/>"),
    ],
)
def test_damaged_parts(workbook: Path, part: str, content: bytes) -> None:
    with pytest.raises(InputFileError) as caught:
        read_table(rewritten(workbook, {part: content}))
    assert "\n" not in str(caught.value)


def test_a_sheet_that_claims_to_be_endless(workbook: Path) -> None:
    sheet = (
        b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><dimension ref="A1:XFD1048576"/>'
        b'<sheetData><row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row></sheetData></worksheet>'
    )
    with pytest.raises(InputFileError):
        read_table(rewritten(workbook, {"xl/worksheets/sheet1.xml": sheet}))


def test_too_many_rows(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" * 20_001)
    with pytest.raises(InputFileError, match="more than 20000 rows"):
        read_table(path)


def test_other_files(tmp_path: Path) -> None:
    for name, content, message in (
        ("t.csv", b"\xff\xfe\x00", "not UTF-8"),
        ("t.xls", b"", "not a table that is read"),
        ("t.csv", b'"' + b"x" * 200_000, "not a readable CSV"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputFileError, match=message):
            read_table(tmp_path / name)


def test_damaged_bytes_are_one_line(workbook: Path) -> None:
    """Workbooks with changed bytes, before and after compression: a table, or one line."""
    rng = np.random.default_rng(0)
    whole = workbook.read_bytes()
    with zipfile.ZipFile(workbook) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    names = sorted(parts)
    for turn in range(150):
        if turn % 2:
            content = np.frombuffer(whole, np.uint8).copy()
            content[rng.integers(0, len(content), 4)] = rng.integers(0, 256, 4)
            workbook.write_bytes(content.tobytes())
        else:
            name = names[rng.integers(len(names))]
            place = int(rng.integers(len(parts[name])))
            hurt = parts[name][:place] + bytes(rng.choice(list(b'<>/"=09AZ&;'), 3)) + parts[name][place + 2 :]
            workbook.write_bytes(whole)
            rewritten(workbook, {name: hurt})
        try:
            read_table(workbook)
        except InputFileError as error:
            assert "\n" not in str(error)
