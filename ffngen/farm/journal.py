"""What a run on a farm notes of itself: one file of JSON lines per run, appended to by that run alone.

``.farm/runs/XX/RUN.jsonl``, where RUN is the name of the run's folder below ``.partial`` and XX two digits of its
hash, so that no folder grows long. Times are each node's own clock and are only ever compared with each other.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TextIO

from ffngen import __version__
from ffngen.atomic import sync
from ffngen.dataset.context import JobContext
from ffngen.dataset.layout import FARM_FOLDER
from ffngen.dataset.render import RenderRun, States
from ffngen.dataset.run_folder import run_name
from ffngen.errors import DatasetError
from ffngen.render.pool import Event
from ffngen.render.request import RawPass

RUNS_FOLDER = f"{FARM_FOLDER}/runs"

#: What a scheduler says of the task, kept for finding it again.
_TASK_VARIABLES = ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID", "SLURM_RESTART_COUNT", "POD_NAME")


class Journal:
    """The lines of this process's run; made when the first line is written."""

    def __init__(self, root: Path) -> None:
        self._path = journal_path(root, run_name())
        self._file: TextIO | None = None

    def note(self, event: str, **fields: Any) -> None:
        """Append a line.

        :raises DatasetError: it cannot be written.
        """
        try:
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("a", encoding="utf-8")
                sync(self._path.parent)
            line = {"event": event, "time": round(time.time(), 3), **fields}
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            self._file.flush()
        except OSError as error:
            raise DatasetError(f"cannot be written: {error.strerror or error}", where=self._path) from error

    def close(self) -> None:
        """Close the file; a full disk that has kept lines of it back is found elsewhere."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            self._file = None


def journal_path(root: Path, run: str) -> Path:
    """Where a run's lines lie."""
    return root / RUNS_FOLDER / hashlib.sha256(run.encode()).hexdigest()[:2] / f"{run}.jsonl"


def journalled(context: JobContext, states: States, *, sequences: int, part: str, executor: str) -> States:
    """Pass on the states of :func:`ffngen.dataset.render.render_dataset`, noting them.

    :param sequences: how many the whole job has.
    :param part: which of them the run has, such as ``3/16``.
    :param executor: what runs it.
    """
    journal = Journal(context.job.out)
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
            with suppress(DatasetError):
                self._journal.note("end", how=how)


def read_journals(root: Path) -> Iterator[tuple[str, Iterator[dict[str, Any]]]]:
    """The name and the lines of each run; what is no line, such as one that is just being written, is passed over."""
    for path in sorted((root / RUNS_FOLDER).glob("*/*.jsonl")):
        yield path.stem, _lines(path)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except (ValueError, RecursionError):
                    continue
                if isinstance(line, dict) and isinstance(line.get("event"), str):
                    yield line
    except OSError:
        return
