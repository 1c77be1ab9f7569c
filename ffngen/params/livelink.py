"""Parameter sets from the .csv files of Epic's Live Link Face app.

A row is a frame: Timecode, BlendshapeCount (52 blendshapes and 9 angles make 61; 0 where there was no face), ARKit's
52 blendshapes with a capital letter, then HeadYaw, HeadPitch, HeadRoll and the eyes' angles. ``Left`` is the
subject's left.

Angles are radians: in recordings of the app, look-down 0.28 goes with a pitch of the eye of 0.171, that is 35 degrees
for a full look-down (anim/alex_rom_3.csv of alexdjulin/LiveLinkFace-CSV-Retarget-For-Motionbuilder). The signs of the
head's angles are those with which the app's receivers turn a head, for Epic documents none: JimWest/MeFaMo sends in
the app's format yaw and roll as of ``R_z R_y R_x`` of MediaPipe's matrix and pitch negated; a viewer of VRM avatars and
wangkaxds/LiveLinkFace-VTS agree. Positive yaw turns the face to the subject's left, positive pitch raises it, positive
roll tips the head to the right shoulder. No source states the order of the three; it is taken to be yaw, pitch, roll,
as everywhere here. The eyes' angles have the other signs (in those recordings yaw to the right and pitch down), and are
not needed: eyeLook* say the same of the gaze. A phone that is held sideways gives angles about its own axes; such
recordings are refused.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ffngen.errors import InputFileError
from ffngen.params.arkit import ARKIT_ACTIONS
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.recording import (
    ACTION_INDEX,
    MAX_FRAMES,
    Recording,
    checked_activation,
    first_bytes,
    read_recordings,
)
from ffngen.params.timecode import Timecode, frames_per_second, parse_timecode

HEAD_ANGLES = ("headyaw", "headpitch", "headroll")
#: From the app's angles to those of ``R_y(yaw) R_x(pitch) R_z(roll)``, whose positive pitch is downwards.
_HEAD_SIGNS = np.array([1.0, -1.0, 1.0])
#: Radians; a larger number is in degrees.
_MAX_ANGLE = 2 * np.pi

#: Radians; no head is tipped so far in most frames of a recording, but a phone on its side is.
_SIDEWAYS_ROLL = np.pi / 4

_MAX_LINE = 1 << 16
#: Rows that are converted at a time.
_BLOCK = 4096


def read_livelink(path: Path) -> list[ParameterSet]:
    """The sets of one recording of Live Link Face, or of all below a folder; empty where there is none.

    Each file is one track. Its frames are numbered by their rows; rows without a face are left out.

    :raises InputFileError: for a damaged recording, with the row (the header is row 1) and the column at fault.
    """
    return read_recordings(path, (".csv",), _is_recording, _read_file)


def _is_recording(path: Path) -> bool:
    head = first_bytes(path, _MAX_LINE).partition(b"\n")[0]
    names = {name.strip().lower() for name in head.decode("utf-8-sig", "replace").split(",")}
    return "timecode" in names and not names.isdisjoint(ACTION_INDEX)


def _read_file(path: Path) -> Recording:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            return _Reader(path, stream).recording()
    except UnicodeDecodeError as error:
        raise InputFileError("is not UTF-8 text", where=path, mend="export the recording again") from error
    except OSError as error:
        raise InputFileError(f"cannot be read ({error.strerror})", where=path) from error


class _Reader:
    """One file, row by row; knows where it is."""

    def __init__(self, path: Path, stream: TextIO) -> None:
        self._path = path
        self._rows = csv.reader(self._lines(stream))
        self._row = 1
        header = next(self._rows)
        self._names = [name.strip() for name in header]
        keys = [name.lower() for name in self._names]
        twice = next((name for name in self._names if keys.count(name.lower()) > 1), None)
        if twice is not None:
            raise self._fault(f"has the column {twice[:40]} twice")
        lacking = [name for name in ("Timecode", "BlendshapeCount") if name.lower() not in keys]
        lacking += [name[0].upper() + name[1:] for name in ARKIT_ACTIONS if name.lower() not in keys]
        angles = [name for name in HEAD_ANGLES if name in keys]
        if angles and len(angles) < len(HEAD_ANGLES):
            lacking += [name for name in ("HeadYaw", "HeadPitch", "HeadRoll") if name.lower() not in keys]
        if lacking:
            more = f" and {len(lacking) - 5} more" if len(lacking) > 5 else ""
            raise self._fault(f"has no column {', '.join(lacking[:5])}{more}")
        self._timecode, self._count = keys.index("timecode"), keys.index("blendshapecount")
        self._columns = [keys.index(name.lower()) for name in ARKIT_ACTIONS] + [keys.index(name) for name in angles]

    def recording(self) -> Recording:
        codes: list[Timecode | None] = []
        frames: list[int] = []
        blocks: list[NDArray[np.float64]] = []
        pending: list[tuple[int, list[str]]] = []
        for cells in self._data_rows():
            codes.append(self._parsed_code(cells))
            if len(codes) > MAX_FRAMES:
                raise self._fault(f"has more than {MAX_FRAMES} rows", mend="cut it into several files")
            if not self._has_face(cells):
                continue
            if len(cells) != len(self._names):
                raise self._fault(f"row {self._row} has {len(cells)} columns, not {len(self._names)}")
            frames.append(len(codes) - 1)
            pending.append((self._row, [cells[column] for column in self._columns]))
            if len(pending) == _BLOCK:
                blocks.append(self._numbers(pending))
                pending = []
        if pending:
            blocks.append(self._numbers(pending))
        if not frames:
            raise self._fault("has no row with a face", mend="record again")
        numbers = np.concatenate(blocks)
        rotation = np.zeros((len(frames), 3))
        if numbers.shape[1] > len(ARKIT_ACTIONS):
            angles = numbers[:, len(ARKIT_ACTIONS) :] * _HEAD_SIGNS
            if np.median(np.abs(angles[:, 2])) > _SIDEWAYS_ROLL:
                what = "has the head lying on its side in most frames: the phone was held sideways"
                raise self._fault(
                    what, mend="record with the phone upright, or take the columns HeadYaw to HeadRoll out"
                )
            rotation = Rotation.from_euler("YXZ", angles).as_rotvec()
        return Recording(
            frames=np.array(frames, dtype=np.int64),
            activation=numbers[:, : len(ARKIT_ACTIONS)],
            rotation=rotation,
            fps=frames_per_second(codes),
        )

    def _lines(self, stream: TextIO) -> Iterator[str]:
        while line := stream.readline(_MAX_LINE):
            if len(line) >= _MAX_LINE:
                raise self._fault(f"has a row of more than {_MAX_LINE} characters")
            yield line

    def _data_rows(self) -> Iterator[list[str]]:
        while True:
            try:
                cells = next(self._rows)
            except StopIteration:
                return
            except csv.Error as error:
                raise self._fault(f"is no table after row {self._row} ({error})") from error
            self._row += 1
            if cells:
                yield cells

    def _parsed_code(self, cells: list[str]) -> Timecode | None:
        if len(cells) <= max(self._timecode, self._count):
            raise self._fault(f"row {self._row} has {len(cells)} columns, not {len(self._names)}")
        try:
            return parse_timecode(cells[self._timecode])
        except ValueError as error:
            raise self._fault(f"row {self._row}, column {self._names[self._timecode]}: {error}") from None

    def _has_face(self, cells: list[str]) -> bool:
        text = cells[self._count].strip()
        if not (text.isascii() and text.isdigit() and len(text) < 7):
            what = f"row {self._row}, column {self._names[self._count]}: {text[:30]!r} is no count"
            raise self._fault(what)
        return int(text) > 0

    def _numbers(self, rows: list[tuple[int, list[str]]]) -> NDArray[np.float64]:
        """The rows' numbers; the first one at fault is named."""
        try:
            numbers = np.array([cells for _, cells in rows], dtype=np.float64)
        except ValueError:
            numbers = None
        limits = np.full(len(self._columns), _MAX_ANGLE)
        limits[: len(ARKIT_ACTIONS)] = 1.0
        # What passes here is right beyond doubt; the rest is looked at one by one. A NaN does not pass.
        if numbers is not None and (np.abs(numbers) <= limits).all():
            return numbers
        return np.array([self._row_numbers(row, cells) for row, cells in rows])

    def _row_numbers(self, row: int, cells: list[str]) -> list[float]:
        values = []
        for position, (column, text) in enumerate(zip(self._columns, cells, strict=True)):
            try:
                values.append(_number(text, angle=position >= len(ARKIT_ACTIONS)))
            except ValueError as error:
                raise self._fault(f"row {row}, column {self._names[column]}: {error}") from None
        return values

    def _fault(self, what: str, mend: str = "export the recording again") -> InputFileError:
        return InputFileError(what, where=self._path, mend=mend)


def _number(text: str, *, angle: bool) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{text[:30]!r} is not a number") from None
    if not angle:
        return checked_activation(value)
    if not abs(value) <= _MAX_ANGLE:
        raise ValueError(f"{value:.6g} is no angle in radians")
    return value
