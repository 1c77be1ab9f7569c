"""A list of image pairs with their landmarks, of any set: a CSV file with a heading, or JSON.

Columns, or keys: ``image1``, ``image2``, ``landmarks1``, ``landmarks2`` (paths, relative to the list's folder), and
where they are known ``subject``, ``sequence`` and ``name``. JSON is a list of such objects.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.realworld.ck_plus import load_landmark_pair
from ffngen.realworld.points import PairEntry, PointSet

_FILES = ("image1", "image2", "landmarks1", "landmarks2")
_KEYS = (*_FILES, "subject", "sequence", "name")
_MAX_BYTES = 64 << 20
_MEND = f"it needs the columns {', '.join(_FILES)}, and may have subject, sequence and name"


def open_pair_list(path: Path, *, origin: float = 0.0) -> PointSet:
    """All pairs of a list, in its order.

    :param origin: what its landmarks call the centre of the top-left pixel.
    :raises InputFileError: the list cannot be read, or a row lacks a file; it names the row.
    """
    rows = _json_rows(path) if path.suffix.lower() == ".json" else _csv_rows(path)
    found = PointSet([])
    seen: dict[str, str] = {}
    for place, row in rows:
        entry = _entry(path, place, row, len(found.pairs) + 1, origin)
        if entry.name in seen:
            raise InputFileError(f"{place}: {seen[entry.name]} has the name {entry.name!r} too", where=path)
        seen[entry.name] = place
        found.pairs.append(entry)
    if not found.pairs:
        raise InputFileError("lists no pair", where=path, mend=_MEND)
    if nameless := sum(entry.subject == "" for entry in found.pairs):
        found.notes.append(f"{nameless} of {len(found.pairs)} pairs name no subject: each counts as one of its own")
        found.pairs = [replace(entry, subject=entry.subject or entry.name) for entry in found.pairs]
    return found


def _csv_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    text = read_bounded(path, _MAX_BYTES).decode("utf-8-sig", "replace")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        heading = [cell.strip().lower() for cell in next(reader, [])]
        missing = [name for name in _FILES if name not in heading]
        if missing:
            raise InputFileError(f"has no column {' and no '.join(missing)}", where=path, mend=_MEND)
        return [
            (f"row {reader.line_num}", dict(zip(heading, (cell.strip() for cell in row), strict=False)))
            for row in reader
            if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise InputFileError(f"row {reader.line_num} cannot be read ({error})", where=path) from error


def _json_rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    try:
        content = json.loads(read_bounded(path, _MAX_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputFileError(f"is no JSON ({error})", where=path) from error
    if not isinstance(content, list) or not all(isinstance(one, dict) for one in content):
        raise InputFileError("is not a list of objects", where=path, mend=_MEND)
    return [(f"item {number}", one) for number, one in enumerate(content)]


def _entry(path: Path, place: str, row: dict[str, Any], number: int, origin: float) -> PairEntry:
    texts = {key: str(row[key]) for key in _KEYS if row.get(key) not in (None, "")}
    files = []
    for key in _FILES:
        if key not in texts:
            raise InputFileError(f"{place} has no {key}", where=path, mend=_MEND)
        try:
            file = path.parent / texts[key]
            there = file.is_file()
        except (OSError, ValueError):
            there = False
        if not there:
            raise InputFileError(f"{place}: {key} is not there: {texts[key][:200]}", where=path)
        files.append(file)
    name = texts.get("name", f"{number:04d}")
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise InputFileError(f"{place}: the name {name[:40]!r} leads out of a folder", where=path)
    load = partial(load_landmark_pair, (files[2], files[3]), None, origin)
    return PairEntry(name, texts.get("sequence", name), texts.get("subject", ""), (files[0], files[1]), load)
