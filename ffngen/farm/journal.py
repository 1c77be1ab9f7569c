"""What a run on a farm notes of itself: JSON lines, in a file of the run alone.

``.farm/runs/XX/RUN.jsonl``, where RUN is the name of the run's folder below ``.partial`` and XX two digits of its
hash, so that no folder grows long. Times are each node's own clock and are only ever compared with each other.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import PurePosixPath
from typing import Any

from ffngen import __version__
from ffngen.dataset.context import JobContext
from ffngen.dataset.layout import RUNS_FOLDER, hash_folder
from ffngen.dataset.render import RenderRun, States
from ffngen.dataset.run_folder import run_name
from ffngen.dataset.store import Store, open_store
from ffngen.errors import FfngenError
from ffngen.render.pool import Event
from ffngen.render.request import RawPass

#: What a scheduler says of the task, kept for finding it again.
_TASK_VARIABLES = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT", "POD_NAME")


class Journal:
    """The lines of this process's run; made when the first line is written."""

    def __init__(self, store: Store) -> None:
        self._lines = store.open_lines(journal_path(run_name()))

    def note(self, event: str, **fields: Any) -> None:
        """Append a line.

        :raises FfngenError: it cannot be written.
        """
        line = {"event": event, "time": round(time.time(), 3), **fields}
        self._lines.write(json.dumps(line, separators=(",", ":")))

    def close(self) -> None:
        """Write what is left."""
        self._lines.close()


def journal_path(run: str) -> str:
    """Where a run's lines lie, relative to the root."""
    return f"{RUNS_FOLDER}/{hash_folder(run)}/{run}.jsonl"


def journalled(context: JobContext, states: States, *, sequences: int, part: str, executor: str) -> States:
    """Pass on the states of :func:`ffngen.dataset.render.render_dataset`, noting them.

    :param sequences: how many the whole job has.
    :param part: which of them the run has, such as ``3/16``.
    :param executor: what runs it.
    """
    journal = Journal(open_store(context.job.out))
    notes = Notes(journal, context, sequences, part, executor)
    try:
        with closing(states):
            for run, event in states:
                notes.see(run, event)
                yield run, event
    except BaseException as error:
        notes.end("interrupted" if not isinstance(error, Exception) else f"{type(error).__name__}: {error}")
        raise
    else:
        notes.end("ended")
    finally:
        journal.close()


class Notes:
    """Turns the events of a run into lines."""

    def __init__(self, journal: Journal, context: JobContext, sequences: int, part: str, executor: str) -> None:
        self._journal, self._context = journal, context
        self._sequences, self._part, self._executor = sequences, part, executor
        self._started: dict[str, float] = {}
        self._images: dict[str, int] = {}
        self._has_begun = False
        self._pairs: dict[str, int] = {}

    def see(self, run: RenderRun, event: Event | None) -> None:
        """Note an event, where it is one to note."""
        if event is None:
            return
        if event.kind == "ready":
            self._begin(run)
        elif event.kind == "started":
            self._started[event.name] = time.monotonic()
            self._journal.note("started", name=event.name)
        elif event.kind == "frame" and event.frame is not None:
            is_image = event.frame.kind in (RawPass.FACIAL_COLOUR, RawPass.HEAD_COLOUR)
            self._images[event.name] = self._images.get(event.name, 0) + is_image
        elif event.kind == "retry":
            self._images.pop(event.name, None)
            self._journal.note("retry", name=event.name, reason=event.reason)
        elif event.kind in ("done", "failed"):
            seconds = round(time.monotonic() - self._started.pop(event.name, time.monotonic()), 3)
            extra = {"reason": event.reason} if event.kind == "failed" else {"pairs": self._pairs.get(event.name, 0)}
            images = self._images.pop(event.name, 0)
            self._journal.note(event.kind, name=event.name, seconds=seconds, images=images, **extra)

    def _begin(self, run: RenderRun) -> None:
        self._has_begun = True
        self._pairs = {plan.name: plan.pairs for plan in run.missing}
        layout = run.layout
        self._journal.note(
            "begin",
            host=socket.gethostname(),
            pid=os.getpid(),
            task={name: os.environ[name] for name in _TASK_VARIABLES if name in os.environ},
            part=self._part,
            executor=self._executor,
            job_digest=self._context.digest,
            job_sequences=self._sequences,
            to_render=len(run.missing),
            workers=layout.workers if layout is not None else None,
            device=layout.device.kind if layout is not None else None,
            ffngen=__version__,
        )

    def end(self, how: str) -> None:
        """Note the end."""
        if self._has_begun:
            with suppress(FfngenError):
                self._journal.note("end", how=how)


def read_journals(store: Store) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """The name and the lines of each run; what is no line, such as one that is just being written, is passed over."""
    for path, lines in store.line_files(RUNS_FOLDER):
        yield PurePosixPath(path).stem, _parse(lines)


def _parse(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for text in lines:
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            continue
        if isinstance(line, dict) and isinstance(line.get("event"), str):
            yield line
