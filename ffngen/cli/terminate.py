"""SIGTERM: a scheduler's notice that a command must end soon."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

#: What a shell reports of a command that SIGTERM ended.
TERMINATED = 128 + signal.SIGTERM


class GraceOverError(KeyboardInterrupt):
    """The time is up: stop as for Ctrl-C."""


class Notice:
    """While it is entered, the first SIGTERM sets ``received``, and ``grace`` seconds later the work is interrupted.

    Further SIGTERMs do nothing: schedulers send several. For the main thread alone.

    :raises GraceOverError: in the main thread, when the time is up.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._before: dict[signal.Signals, Any] = {}
        #: Whether there has been a SIGTERM.
        self.received = threading.Event()

    def __enter__(self) -> Notice:
        self._before[signal.SIGALRM] = signal.signal(signal.SIGALRM, self._time_is_up)
        self._before[signal.SIGTERM] = signal.signal(signal.SIGTERM, self._notice)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        # First, so that no second one comes while the event's lock is held.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self.received.set()
        if self._grace > 0:
            signal.setitimer(signal.ITIMER_REAL, self._grace)
        else:
            raise GraceOverError

    def _time_is_up(self, number: int, frame: FrameType | None) -> None:
        raise GraceOverError
