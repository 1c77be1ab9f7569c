"""The composite of MEGC 2019 (See et al. 2019): SMIC-HS, CASME II and SAMM in three classes, by a table of its own.

``combined_3class_gt.csv``: dataset (``casme2``, ``samm``, ``smic``), subject, clip and class (0 negative, 1 positive, 2
surprise; or the words), 442 rows without a header. A header may stand above, and add ``onset`` and ``apex``; without
those the sets' own tables tell where they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ffngen.errors import InputFileError, JobError
from ffngen.recognition.annotated import ReadOptions
from ffngen.recognition.casme2 import read_casme2
from ffngen.recognition.frames import frames_of
from ffngen.recognition.samm import read_samm
from ffngen.recognition.sample import Remark, Sample, SampleSet, refuse_twins
from ffngen.recognition.smic import read_smic
from ffngen.recognition.workbook import Row, read_sheets

NAME = "megc2019"

#: The sets that the composite is made of.
PARTS = {"casme2": read_casme2, "samm": read_samm, "smic": read_smic}

#: In the order of the table's numbers.
CLASSES = ("negative", "positive", "surprise")

_TITLES = {
    "dataset": ("dataset", "database", "set"),
    "subject": ("subject",),
    "clip": ("filename", "clip", "file", "name"),
    "label": ("label", "class", "emotion"),
    "onset": ("onset", "onsetframe"),
    "apex": ("apex", "apexframe"),
}
_NEEDED = ("dataset", "subject", "clip", "label")


@dataclass(frozen=True)
class _Line:
    place: str
    row: int
    fields: Mapping[str, str]


def read_megc2019(path: Path, parts: Mapping[str, Path], options: ReadOptions) -> SampleSet:
    """Read the composite.

    :param path: its table.
    :param parts: set -> its folder; of those that are not named no sample is taken, which is remarked on.
    :raises JobError: a part is none of :data:`PARTS`.
    :raises InputFileError: the table is at fault, or names a clip that its set does not have.
    """
    if options.annotations is not None or options.frames is not None:
        what = "the composite's sets are found in the folders of --part"
        raise JobError(what, where="--annotations, --frames", mend="leave them out")
    if unknown := [name for name in parts if name not in PARTS]:
        raise JobError(f"unknown set {unknown[0][:40]!r}", where="--part", mend=f"known are {', '.join(PARTS)}")
    lines = _lines(path)
    sets = {name: PARTS[name](folder, options) for name, folder in parts.items()}
    by_clip = {(_key(s.subject), _clip_key(s.clip), s.dataset): s for one in sets.values() for s in one.samples}
    left_out = {(r.source, r.clip): r for one in sets.values() for r in one.remarks}
    samples: list[Sample] = []
    used: set[tuple[str, str, str]] = set()
    remarks: list[Remark] = []
    unnamed: dict[str, int] = {}
    for line in lines:
        dataset = line.fields["dataset"].lower()
        if dataset not in PARTS:
            known = ", ".join(PARTS)
            raise InputFileError(f"unknown set {dataset[:40]!r}", where=line.place, mend=f"known are {known}")
        emotion = _emotion(line)
        if dataset not in sets:
            unnamed[dataset] = unnamed.get(dataset, 0) + 1
            continue
        key = (_key(line.fields["subject"]), _clip_key(line.fields["clip"]), dataset)
        found = by_clip.get(key)
        if found is None:
            name = f"{line.fields['subject']}/{line.fields['clip']}"
            if any(
                _key(c.partition("/")[0]) == key[0] and _clip_key(c.partition("/")[2]) == key[1] for _, c in left_out
            ):
                remarks.append(Remark(path, line.row, name, f"{dataset} leaves it out", "left out"))
                continue
            raise InputFileError(f"{dataset} has no clip {name}", where=line.place, mend="check --part")
        used.add(key)
        sample = replace(found, emotion=emotion, source=path, row=line.row)
        samples.append(_with_frames(sample, line))
    refuse_twins(samples)
    for name, count in unnamed.items():
        remarks.append(Remark(path, 0, "*", f"{count} rows are of {name}, which no --part names", "left out"))
    kept = [r for one in sets.values() for r in one.remarks if _is_of(r, one.name, used)]
    return SampleSet(NAME, tuple(samples), (*remarks, *kept), len(lines))


def _is_of(remark: Remark, dataset: str, used: set[tuple[str, str, str]]) -> bool:
    """Whether a remark is about a clip of the composite, or about all clips."""
    subject, _, clip = remark.clip.partition("/")
    return remark.clip == "*" or (_key(subject), _clip_key(clip), dataset) in used


def _with_frames(sample: Sample, line: _Line) -> Sample:
    paths = {"onset": sample.onset, "apex": sample.apex}
    for field in paths:
        text = line.fields.get(field, "")
        if not text:
            continue
        frames = frames_of(sample.onset.parent)
        number = int(float(text)) if re.fullmatch(r"\d{1,9}(\.0)?", text) else -1
        if number not in frames:
            raise InputFileError(f"the {field} {text[:20]!r} is no frame of {sample.onset.parent}", where=line.place)
        paths[field] = frames[number]
    return replace(sample, onset=paths["onset"], apex=paths["apex"])


def _emotion(line: _Line) -> str:
    label = line.fields["label"].lower()
    if re.fullmatch(r"[0-2](\.0)?", label):
        return CLASSES[int(label[0])]
    if label not in CLASSES:
        mend = f"known are 0, 1, 2 and {', '.join(CLASSES)}"
        raise InputFileError(f"unknown class {label[:40]!r}", where=line.place, mend=mend)
    return label


def _lines(path: Path) -> list[_Line]:
    rows = read_sheets(path)[0]
    if not rows:
        raise InputFileError("is empty", where=path)
    columns = _header(rows[0])
    if columns is None:
        columns = {field: place for place, field in enumerate(_NEEDED)}
    else:
        rows = rows[1:]
        missing = [field for field in _NEEDED if field not in columns]
        if missing:
            mend = f"it needs {', '.join(_NEEDED)}, with or without a header"
            raise InputFileError(f"lacks the column {missing[0]}", where=path, mend=mend)
    return [_line(path, row, columns) for row in rows]


def _header(row: Row) -> dict[str, int] | None:
    titles = ["".join(c for c in str(cell).lower() if c.isalnum()) for cell in row.cells]
    found = {f: titles.index(n) for f, names in _TITLES.items() for n in reversed(names) if n in titles}
    return found or None


def _line(path: Path, row: Row, columns: Mapping[str, int]) -> _Line:
    place = f"{path}: row {row.number}"
    fields = {}
    for field, column in columns.items():
        value = row.cells[column] if column < len(row.cells) else None
        fields[field] = "" if value is None else str(value).strip()
        if field in _NEEDED and not fields[field]:
            raise InputFileError(f"has no {field}", where=place, mend=f"a row is {', '.join(_NEEDED)}")
    return _Line(place, row.number, fields)


def _key(subject: str) -> str:
    """A subject by its number: the table and the sets' folders write it with and without prefix and zeros."""
    digits = re.fullmatch(r"(?:sub|s)?0*(\d+)(?:\.0)?", subject.lower())
    return digits[1] if digits else subject.lower()


def _clip_key(clip: str) -> str:
    """A clip's name; SMIC's begins with its subject, of which the same holds."""
    head, _, rest = clip.lower().partition("_")
    return f"{_key(head)}_{rest}" if re.fullmatch(r"s\d+", head) else clip.lower()
