"""Every fault that a user can mend, as one clear line.

An :class:`FfngenError` says *what* is wrong, *where* (a path, a field, a value) and *how to mend it*.
The command line prints ``str(error)`` and exits with 2; nothing else in ffngen prints faults.
A plain Python exception that escapes is a bug of ours, never a user's mistake.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class FfngenError(Exception):
    """A fault with its place and its mend.

    :param what: what is wrong, as a short clause.
    :param where: the file, the folder, or the field of the job that holds the fault.
    :param mend: what the user can do about it, as an imperative.
    """

    def __init__(self, what: str, *, where: str | Path | None = None, mend: str | None = None) -> None:
        super().__init__(what, where, mend)
        self.what = what
        self.where = where
        self.mend = mend

    def __reduce__(self) -> tuple[Any, ...]:
        # Faults travel between processes; an exception's own way knows nothing of keywords.
        return _rebuilt, (type(self), self.what, self.where, self.mend)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where is not None else self.what
        if self.mend is not None:
            text = f"{text}; {self.mend}"
        # Text quoted from an untrusted file may hold line breaks or control codes.
        return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))


def _rebuilt(kind: type[FfngenError], what: str, where: str | Path | None, mend: str | None) -> FfngenError:
    return kind(what, where=where, mend=mend)


class JobError(FfngenError):
    """A job file or a command line option that cannot be carried out."""


class InputFileError(FfngenError):
    """A file or folder of the user's that is missing, truncated, hostile or of the wrong kind."""


class HeadModelError(FfngenError):
    """A head model, or parameters, that do not fit each other."""


class MissingPackageError(FfngenError):
    """A part of ffngen needs an extra that is not installed."""


class RenderError(FfngenError):
    """A render process could not do its work."""


class DatasetError(FfngenError):
    """A dataset folder that cannot be read, or must not be written to."""


class OutOfSpaceError(FfngenError):
    """The disk is full."""


class UnreachableError(FfngenError):
    """A server that the dataset lies on does not answer; nothing else is at fault."""
