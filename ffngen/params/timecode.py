"""Frame rates from SMPTE timecodes, which say how many frames there were in a second only by their wrapping."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

#: Frames that a second of timecode can have.
_BASES = (24, 25, 30, 48, 50, 60, 100, 120, 240)
#: Rates of cameras. A rate that is measured within 0.3% of one is that one.
_RATES = tuple(base * scale for base in _BASES for scale in (1.0, 1000 / 1001))
_TOLERANCE = 3e-3

_DAY = 24 * 60 * 60

#: HH:MM:SS:FF, with an optional fraction of a frame; the last separator is a semicolon where numbers are dropped.
_WITH_FRAMES = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;])(\d{1,3})(\.\d{1,9})?")
_WITH_FRACTION = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})(\.\d{1,9})?")


@dataclass(frozen=True)
class Timecode:
    """A time of day.

    :param second: whole seconds since midnight.
    :param frame: frames in that second with their fraction, or None where the code has none.
    :param fraction: the part of a second, where it has no frames.
    :param drop: whether frame numbers are dropped, so that 29.97 frames per second keep up with the clock.
    """

    second: int
    frame: float | None
    fraction: float
    drop: bool


def parse_timecode(text: str) -> Timecode | None:
    """A timecode, or None where it is a plain frame number.

    :raises ValueError: for anything else.
    """
    text = text.strip()
    if match := _WITH_FRAMES.fullmatch(text):
        hour, minute, second = (int(match[number]) for number in (1, 2, 3))
        frame = int(match[5]) + float(match[6] or 0)
        found = Timecode(3600 * hour + 60 * minute + second, frame, 0.0, match[4] == ";")
    elif match := _WITH_FRACTION.fullmatch(text):
        hour, minute, second = (int(match[number]) for number in (1, 2, 3))
        found = Timecode(3600 * hour + 60 * minute + second, None, float(match[4] or 0), False)
    elif text.isascii() and text.isdigit():
        return None
    else:
        raise ValueError(f"{text[:30]!r} is no timecode (HH:MM:SS:FF)")
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{text[:30]!r} is no time of day")
    return found


def frames_per_second(codes: Sequence[Timecode | None]) -> float | None:
    """The rate of frames with these timecodes in order, or None where they do not tell.

    The codes' own frames in a second are told by the largest frame number of at least two whole seconds. The rate is
    what the median step between two rows makes of it: Live Link Face may count 60 in a second and record every
    other frame.
    """
    known = [code for code in codes if code is not None]
    if len(known) < 3 or len(known) != len(codes):
        return None
    counted = [code.frame for code in known if code.frame is not None]
    if not counted:
        return _rate(np.array([code.second + code.fraction for code in known]), 1.0, _DAY)
    if len(counted) != len(known):
        return None
    base = _base([int(frame) for frame in counted], [code.second for code in known])
    if base is None:
        return None
    drop = any(code.drop for code in known)
    numbers = np.array([code.second * base for code in known], dtype=np.float64) + counted
    if not drop:
        return _rate(numbers, float(base), _DAY * base)
    # Two numbers (of 30) are left out at the start of every minute that is not a tenth one.
    minutes = np.array([code.second // 60 for code in known])
    left_out = round(base / 15)
    numbers -= left_out * (minutes - minutes // 10)
    return _rate(numbers, base * 1000 / 1001, _DAY * base - left_out * (1440 - 144))


def _base(frames: list[int], seconds: list[int]) -> int | None:
    # The first and the last second may be cut off; without a whole one between them nothing is known.
    whole = [frame for frame, second in zip(frames, seconds, strict=True) if second not in (seconds[0], seconds[-1])]
    if not whole or len(set(whole)) < 2:
        return None
    return next((base for base in _BASES if base > max(frames)), None)


def _rate(times: np.ndarray[tuple[int], np.dtype[np.float64]], per_second: float, wrap: float) -> float | None:
    """Frames per second of rows at ``times``, of which ``per_second`` make a second and ``wrap`` a day."""
    steps = np.diff(times) % wrap
    step = float(np.median(steps))
    if not 0 < step < per_second:
        return None
    rate = per_second / step
    nearest = min(_RATES, key=lambda known: abs(known - rate))
    return nearest if abs(nearest - rate) <= _TOLERANCE * nearest else rate
