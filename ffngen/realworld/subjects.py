"""Whose face a sequence shows, by its name."""

from __future__ import annotations

import re

#: How MEAD calls its actors: men and women, with a number.
_MEAD = re.compile(r"(?<![A-Za-z0-9])([MW][0-9]{3})(?![0-9])")
#: How CK+ calls them.
_CK = re.compile(r"(?<![A-Za-z0-9])(S[0-9]{3})(?![0-9])")


def subject_of(sequence: str) -> str:
    """The actor's name in MEAD or CK+ (M003, W009, S005) where a sequence's path holds one; else its first folder."""
    found = _MEAD.search(sequence) or _CK.search(sequence)
    return found[1] if found else sequence.split("/")[0]
