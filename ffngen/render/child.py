"""The other end of a render process: what every program that renders does when it starts, and how it answers.

It reads requests from standard input, one JSON object a line, and answers on standard output:

- at the start ``{"event": "ready", "program": ..., "device": ..., "gpus": ...}``, or
  ``{"event": "no_device" | "no_program", "message": ...}`` and the end;
- for ``{"folder": F, "threads": N}``, a folder written by ``SequenceRequest.write``: ``{"event": "frame", "pass":
  ..., "frame": ..., "crop": ..., "path": ..., "seconds": ...}`` for each finished file, then
  ``{"event": "done"}``, or ``{"event": "error", "message": ...}``;
- with ``"save_blend": PATH`` in a request, the scene is saved there before ``done``; with ``"what": "still"`` only
  the first colour image is rendered, with ``"what": "scene"`` nothing;
- for ``{"inspect": PATH}``, a .blend: ``{"event": "template", "seen": ...}``, or ``{"event": "error", ...}``.

Its own chatter goes to standard error. The process ends when its standard input does, or when its parent dies.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import astuple
from typing import Any, Protocol

from ffngen.render.request import Crop, RawPass


class Answer(Protocol):
    """Sends one message to the parent."""

    def __call__(self, **message: Any) -> None:
        """Send it."""


def begin(parent: int) -> Answer | None:
    """Tie this process to its parent.

    :param parent: the parent's process id.
    :returns: how to answer; None where the parent is gone already.
    """
    if sys.platform == "linux":
        # Elsewhere the closed pipe ends this process when its parent dies.
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        return None
    # A terminal sends Ctrl-C, and a scheduler its notice, to the whole group; the parent decides what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # Standard output is for answers alone: whatever libraries print goes to standard error instead.
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)

    def answer(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")

    return answer


def serve(
    answer: Answer,
    render: Callable[[dict[str, Any]], Iterator[dict[str, Any]]],
    inspect: Callable[[str], dict[str, Any]] | None = None,
) -> None:
    """Answer requests until there are no more.

    :param render: yields a :func:`record` of each file that a request's sequence comes to.
    :param inspect: looks into a .blend; None for a program that knows none.
    """
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if inspect is not None and "inspect" in request:
                answer(event="template", seen=inspect(request["inspect"]))
                continue
            start = time.perf_counter()
            for frame in render(request):
                answer(event="frame", seconds=time.perf_counter() - start, **frame)
                start = time.perf_counter()
            answer(event="done")
        except Exception as error:
            traceback.print_exc()
            answer(event="error", message=f"{type(error).__name__}: {error}")


def record(kind: RawPass, frame: int, crop: Crop) -> dict[str, Any]:
    """What is said of a finished raw file; one of an empty crop does not exist."""
    return {"pass": kind.value, "frame": frame, "crop": astuple(crop)}
