"""Emotion labels that come beside the parameters, as AffectNet's do."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePath

from ffngen.atomic import read_bounded
from ffngen.errors import InputFileError
from ffngen.job import EMOTIONS
from ffngen.params.parameter_set import ParameterSet

_MAX_BYTES = 1 << 30
_NAME_COLUMNS = ("name", "image", "file", "filename", "subdirectory_filepath", "identity")
_LABEL_COLUMNS = ("emotion", "expression", "label", "class")
WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")


def read_labels(path: Path) -> dict[str, str]:
    """Labels of a CSV file with a heading: one column names a picture or a set, another its emotion.

    The columns are known by their headings: name, image, file, filename, subDirectory_filePath (AffectNet's) or
    identity; and emotion, expression, label or class. An emotion is a word, or AffectNet's number 0 to 8 (neutral,
    happy, sad, surprise, fear, disgust, anger, contempt, none).

    :returns: name -> emotion.
    :raises InputFileError: no such file or columns, or a row without an emotion.
    """
    text = read_bounded(path, _MAX_BYTES).decode("utf-8-sig", "replace")
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        heading = [cell.strip().lower() for cell in next(rows, [])]
        name, label = (_column(heading, known, path) for known in (_NAME_COLUMNS, _LABEL_COLUMNS))
        labels = {}
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) <= max(name, label):
                raise InputFileError(f"row {rows.line_num} is too short", where=path)
            labels[row[name].strip()] = _emotion(row[label].strip(), rows.line_num, path)
    except csv.Error as error:
        raise InputFileError(f"row {rows.line_num} cannot be read ({error})", where=path) from error
    return labels


def _column(heading: Sequence[str], known: Sequence[str], path: Path) -> int:
    for word in known:
        if word in heading:
            return heading.index(word)
    raise InputFileError(f"has no column {' or '.join(known)}", where=path, mend="name the columns in its first row")


def _emotion(text: str, row: int, path: Path) -> str:
    if text.isascii() and text.isdigit() and len(text) < 4 and int(text) < len(EMOTIONS):
        return EMOTIONS[int(text)]
    if not WORD.fullmatch(text) or text.isdigit():
        what = f"row {row}: {text[:40]!r} is no emotion"
        raise InputFileError(what, where=path, mend=f"use a word, or a number 0 to {len(EMOTIONS) - 1}")
    return text.lower()


def apply_labels(sets: Sequence[ParameterSet], labels: Mapping[str, str]) -> tuple[list[ParameterSet], int]:
    """The sets with the labels that name them, and how many no label names.

    A label names a set by its picture's path, by its identity, or by its source, with or without a suffix, and from
    any folder on; or by the file's name alone, where all labels of that name agree.
    """
    exact: dict[str, str] = {}
    short: dict[str, set[str]] = {}
    for name, emotion in labels.items():
        path = PurePath(name)
        exact[path.as_posix()] = emotion
        exact.setdefault(_without_suffix(path).as_posix(), emotion)
        for part in {path.name, path.stem}:
            short.setdefault(part, set()).add(emotion)
    result, unnamed = [], 0
    for one in sets:
        found = next((label for path in _paths(one) if (label := _label(path, exact, short)) is not None), None)
        unnamed += found is None
        result.append(one if found is None else replace(one, emotion=found))
    return result, unnamed


def _label(path: PurePath, exact: Mapping[str, str], short: Mapping[str, set[str]]) -> str | None:
    for start in range(len(path.parts)):
        tail = PurePath(*path.parts[start:])
        for name in (tail, _without_suffix(tail)):
            if name.as_posix() in exact:
                return exact[name.as_posix()]
    for part in (path.name, path.stem):
        if len(short.get(part, ())) == 1:
            return next(iter(short[part]))
    return None


def _without_suffix(path: PurePath) -> PurePath:
    return path.with_suffix("") if path.name else path


def _paths(one: ParameterSet) -> list[PurePath]:
    paths = [PurePath(text) for text in (one.image, one.identity, one.source) if text]
    # EMOCA writes the codes of the picture NAME.jpg into the folder NAME00, and says nothing of the picture.
    if one.image is None and one.track is None and (len(one.betas), len(one.expression)) == (100, 50):
        return [path.with_name(path.name[:-2]) if re.fullmatch(r".+00", path.name) else path for path in paths]
    return paths
