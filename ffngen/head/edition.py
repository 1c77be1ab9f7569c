"""Which family and version a model file belongs to.

Coefficients of one family mean nothing to another, and the numbers in a file do not say which it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ffngen.errors import HeadModelError

#: The families of head models. EMOCA, DECA, SMIRK and MICA codes are FLAME 2020; VHAP's are FLAME 2023.
FAMILIES = ("flame2020", "flame2023", "flame2023_open", "open")

_YEAR_NAMES = (
    ("flame2023_open", re.compile(r"flame[ _-]?2023[ _-]?open")),
    ("flame2023", re.compile(r"flame[ _-]?2023")),
    ("flame2020", re.compile(r"flame[ _-]?2020")),
)
#: What the archive of FLAME 2020 names its files; nothing else in them tells the year.
_NAMES_OF_2020 = ("generic_model", "female_model", "male_model")
_VARIANTS = ("no_jaw", "female", "male")


@dataclass(frozen=True)
class Edition:
    """A model's family (one of :data:`FAMILIES`) and its version within that."""

    family: str
    version: str


def find_edition(path: Path, *, family: str | None, stated: Edition | None) -> Edition:
    """The edition of a model file.

    What the file states of itself comes first, then the ``family`` that the user names, then the name of the
    file, then the name of its folder.

    :param path: the file.
    :param family: what the user says it is.
    :param stated: what the file says it is.
    :raises HeadModelError: when it cannot be told, or when two sources contradict each other.
    """
    if family is not None and family not in FAMILIES:
        raise HeadModelError(f"unknown model family {family!r}", where=path, mend=f"use one of {', '.join(FAMILIES)}")
    if stated is not None:
        if stated.family not in FAMILIES:
            raise HeadModelError(f"the file states an unknown model family {stated.family!r}", where=path)
        if family not in (None, stated.family):
            raise HeadModelError(f"is a model of family {stated.family}, not {family}", where=path)
        return stated
    found = family or _family_by_name(path)
    return Edition(found, _version(found, path.stem.lower()))


def _family_by_name(path: Path) -> str:
    mend = f"name the family ({', '.join(FAMILIES[:3])})"
    by_file, by_folder = _year(path.stem), _year(path.parent.name)
    if by_file is not None:
        return by_file
    if path.stem.lower() in _NAMES_OF_2020:
        if by_folder not in (None, "flame2020"):
            raise HeadModelError(
                f"is named as FLAME 2020 is, but lies in a folder of {by_folder}", where=path, mend=mend
            )
        return "flame2020"
    if by_folder is not None:
        return by_folder
    raise HeadModelError("cannot tell which FLAME this is", where=path, mend=mend)


def _year(name: str) -> str | None:
    return next((family for family, pattern in _YEAR_NAMES if pattern.search(name.lower())), None)


def _version(family: str, stem: str) -> str:
    variant = next((f" {name}" for name in _VARIANTS if name in stem), "")
    return family.removeprefix("flame").replace("_", " ") + variant.replace("_", " ")
