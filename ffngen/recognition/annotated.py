"""Reading sets that have an annotation table and a folder of frames for each clip.

What is done about rows that are not as they should be, and remarked on:

| row | done |
| --- | --- |
| the onset is no number | left out |
| the apex is no number, or not after the onset | found by the apex rule between onset and offset |
| the apex is after the offset, and its frame absent | likewise |
| the offset, where the apex is looked for, is no number or not after the onset | the clip's last frame stands for it |
| the offset lies before an apex that is there, or is no number | not used |
| the apex rule drops it, or nothing follows the onset | left out |
| a folder or frame is absent, where that is allowed | left out |

A folder or frame that is absent, where that is not allowed, and a clip that occurs twice end the reading.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ffngen.errors import InputFileError
from ffngen.recognition.frames import ApexRule, choose_apex, frames_of
from ffngen.recognition.sample import Remark, Sample, SampleSet, refuse_twins
from ffngen.recognition.table import TableRow, find_table, read_table


@dataclass(frozen=True)
class ReadOptions:
    """How a set is read.

    :param annotations: the annotation table; looked for in the set's folder without it.
    :param frames: the folder of frames; looked for where the set has it without it.
    :param apex: where the apex is taken to be when the set does not say.
    :param skip_absent: leave out clips whose folder or frames are absent, instead of refusing the set.
    """

    annotations: Path | None = None
    frames: Path | None = None
    apex: ApexRule = ApexRule.MIDDLE
    skip_absent: bool = False


@dataclass(frozen=True)
class Layout:
    """How a set with an annotation table lies on the disk.

    :param name: the set's.
    :param subject: its way of writing a subject, as the frames' folder has it.
    :param clip_folder: the folder of a clip below the frames' folder, of subject, clip and emotion.
    :param frame_folders: where the frames' folder is looked for below the set's.
    """

    name: str
    subject: Callable[[str], str]
    clip_folder: Callable[[Path, str, str, str], Path]
    frame_folders: tuple[str, ...]


def read_annotated(layout: Layout, path: Path, options: ReadOptions) -> SampleSet:
    """Read a set.

    :raises InputFileError: its table or frames are missing or at fault, with the row.
    """
    rows = read_table(find_table(path, options.annotations))
    root = options.frames or _frames_root(layout, path, rows)
    reading = _Reading(layout, root, options)
    for row in rows:
        reading.take(row)
    return SampleSet(layout.name, tuple(reading.samples), tuple(reading.remarks), len(rows))


def _frames_root(layout: Layout, path: Path, rows: Sequence[TableRow]) -> Path:
    for name in layout.frame_folders:
        if any(_folder(layout, path / name, row).parent.is_dir() for row in rows):
            return path / name
    return path / layout.frame_folders[0]


def _folder(layout: Layout, root: Path, row: TableRow) -> Path:
    emotion = row.text("Estimated Emotion").lower()
    return layout.clip_folder(root, layout.subject(row.text("Subject")), row.text("Filename"), emotion)


class _AbsentError(InputFileError):
    """A folder or frame that a row names is not there."""


@dataclass
class _Reading:
    layout: Layout
    root: Path
    options: ReadOptions
    samples: list[Sample] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    seen: dict[str, Sample] = field(default_factory=dict)

    def take(self, row: TableRow) -> None:
        """Make a row's sample, with remarks where it is not as it should be."""
        subject, clip = self.layout.subject(row.text("Subject")), row.text("Filename")
        emotion = row.text("Estimated Emotion").lower()
        sample = Sample(self.layout.name, subject, clip, emotion, Path(), Path(), row.source, row.number)
        refuse_twins([self.seen.setdefault(sample.key, sample), sample])
        try:
            frames = self._frames(row, _folder(self.layout, self.root, row))
            onset = row.frame("OnsetFrame")
            if onset is None:
                self._remark(sample, f"the onset is {_shown(row, 'OnsetFrame')}", "left out")
                return
            apex = self._apex(sample, row, frames, onset)
            if apex is not None:
                paths = [self._frame(row, frames, number) for number in (onset, apex)]
                self.samples.append(replace(sample, onset=paths[0], apex=paths[1]))
        except _AbsentError as error:
            if not self.options.skip_absent:
                raise
            self._remark(sample, error.what, "left out")

    def _apex(self, sample: Sample, row: TableRow, frames: dict[int, Path], onset: int) -> int | None:
        apex, offset = row.frame("ApexFrame"), row.frame("OffsetFrame")
        beyond = apex is not None and offset is not None and onset < offset < apex and apex not in frames
        if apex is not None and apex > onset and not beyond:
            if offset is None or offset < apex:
                self._remark(sample, f"the offset is {_shown(row, 'OffsetFrame')}, the apex {apex}", "it is not used")
            return apex
        what = f"the apex is {_shown(row, 'ApexFrame')}, the onset {onset}, the offset {_shown(row, 'OffsetFrame')}"
        self._frame(row, frames, onset)
        last = offset
        if offset is None or offset <= onset:
            last = max(frames)
            what += f" (the clip's last frame, {last}, stands for it)"
        assert last is not None
        found = choose_apex(frames, onset, last, self.options.apex)
        self._remark(sample, what, "left out" if found is None else f"frame {found} taken ({self.options.apex})")
        return found

    def _frames(self, row: TableRow, folder: Path) -> dict[int, Path]:
        if not folder.is_dir():
            raise _AbsentError(f"its folder {folder} is absent", where=row.place, mend=self._mend)
        return frames_of(folder)

    def _frame(self, row: TableRow, frames: dict[int, Path], number: int) -> Path:
        if number not in frames:
            folder = next(iter(frames.values())).parent
            raise _AbsentError(f"its frame {number} is absent from {folder}", where=row.place, mend=self._mend)
        return frames[number]

    @property
    def _mend(self) -> str:
        return "check --frames, or leave such clips out with --skip-absent"

    def _remark(self, sample: Sample, what: str, done: str) -> None:
        self.remarks.append(Remark(sample.source, sample.row, f"{sample.subject}/{sample.clip}", what, done))


def _shown(row: TableRow, name: str) -> str:
    value = row.fields[name]
    return "missing" if value is None else repr(str(value)[:20])


def numbered(digits: int, prefix: str = "") -> Callable[[str], str]:
    """A way of writing a subject: its number with so many digits after a prefix; what is no number stays as it is."""

    def write(text: str) -> str:
        number = text.lower().removeprefix(prefix)
        return f"{prefix}{int(number):0{digits}d}" if number.isascii() and number.isdigit() else text

    return write
