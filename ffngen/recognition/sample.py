"""What a reader of a micro-expression set gives: samples, and what it says of rows that are not as they should be."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ffngen.errors import InputFileError


@dataclass(frozen=True)
class Sample:
    """One micro-expression.

    :param dataset: the set's name, such as ``casme2``.
    :param subject: the person's name within the set, as its folder spells it.
    :param clip: the name of the recording.
    :param emotion: as annotated, in lower case.
    :param onset: the image before the expression.
    :param apex: the image at its height.
    :param source: the table (or folder) that the sample comes from.
    :param row: its row there, counted from 1; 0 where no table tells of it.
    """

    dataset: str
    subject: str
    clip: str
    emotion: str
    onset: Path
    apex: Path
    source: Path
    row: int = 0

    @property
    def key(self) -> str:
        """``dataset/subject/clip``: the sample's name among all samples."""
        return f"{self.dataset}/{self.subject}/{self.clip}"

    @property
    def person(self) -> str:
        """``dataset/subject``: sets use the same names for different people."""
        return f"{self.dataset}/{self.subject}"

    @property
    def place(self) -> str:
        """The source and the row, for messages."""
        return f"{self.source}: row {self.row}" if self.row else str(self.source)


@dataclass(frozen=True)
class Remark:
    """A row that is not as it should be, and what was done about it.

    :param row: counted from 1; 0 where no table tells of the clip.
    :param clip: ``subject/clip``.
    :param what: what is wrong.
    :param done: what was done.
    """

    source: Path
    row: int
    clip: str
    what: str
    done: str

    def __str__(self) -> str:
        place = f"row {self.row} ({self.clip})" if self.row else self.clip
        return f"{self.source.name}, {place}: {self.what}; {self.done}"


@dataclass(frozen=True)
class SampleSet:
    """What was read of a set.

    :param name: the set's.
    :param samples: in the order of the table.
    :param remarks: every row that was changed or left out; none is changed or left out without one.
    :param rows: how many rows (or clips) there were.
    """

    name: str
    samples: tuple[Sample, ...]
    remarks: tuple[Remark, ...]
    rows: int


def refuse_twins(samples: Iterable[Sample]) -> None:
    """Refuse a set in which a subject's clip occurs twice; raises :class:`InputFileError`, which names both rows."""
    seen: dict[str, Sample] = {}
    for sample in samples:
        other = seen.setdefault(sample.key, sample)
        if other is not sample:
            what = f"{sample.subject}/{sample.clip} is in row {other.row} already"
            raise InputFileError(what, where=sample.place, mend="keep one of the two rows")
