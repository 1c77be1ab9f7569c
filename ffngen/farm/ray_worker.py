"""A worker on a node of a Ray cluster: an actor that keeps the job and one render process warm."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from typing import Any

from ffngen.dataset.context import JobContext, open_context
from ffngen.dataset.plan import SequencePlan, plan_sequences
from ffngen.dataset.render import RenderRun
from ffngen.dataset.store import Store, open_store
from ffngen.dataset.work import SequenceWork
from ffngen.errors import JobError
from ffngen.farm.journal import Journal, Notes
from ffngen.job import Job
from ffngen.render.inline import InlinePool
from ffngen.render.pool import Event, Layout


class Worker:
    """Renders sequences by name; all calls come from one thread, with which the render process would die.

    :param job: the job's fields, JSON-ready.
    :param digest: of the job where it was handed in.
    """

    def __init__(self, job: dict[str, Any], digest: str) -> None:
        self._job = Job.model_validate(job)
        self._digest = digest
        self._stack = ExitStack()
        self._opened: tuple[JobContext, Store, InlinePool, Notes, dict[str, SequencePlan], RenderRun] | None = None

    def open(self) -> tuple[Layout, str]:
        """Read what the job names and start the render process; returns what it runs on, and where.

        :raises FfngenError: this node cannot do it.
        """
        if self._opened is None:
            context = open_context(self._job)
            if context.digest != self._digest:
                what = f"on {socket.gethostname()} the job's files differ from those where it was handed in"
                raise JobError(what, where="job", mend="put them on a file system that all nodes share")
            store = open_store(self._job.out)
            self._folder = self._stack.enter_context(store.run_folder())
            pool = InlinePool(
                device=self._job.device,
                threads=self._job.threads,
                scratch=self._folder,
                frame_timeout=self._job.frame_timeout,
                engine=self._job.engine,
            )
            self._stack.callback(pool.close)
            journal = Journal(store)
            self._stack.callback(journal.close)
            plans = plan_sequences(self._job, context.source)
            run = RenderRun(plans, plans, layout=pool.start())
            notes = Notes(journal, context, len(plans), "ray", "ray")
            self._stack.callback(notes.end, "ended")
            self._opened = context, store, pool, notes, {plan.name: plan for plan in plans}, run
        layout = self._opened[2].start()
        return layout, f"{socket.gethostname()}:{os.getpid()}"

    def render(self, name: str) -> list[Event]:
        """Render one sequence; returns what happened.

        :raises OutOfSpaceError: this node cannot write.
        """
        assert self._opened is not None
        context, store, pool, notes, plans, run = self._opened
        work = SequenceWork(context, plans[name], store, self._folder, None)
        events = []
        for event in pool.run([work]):
            notes.see(run, event)
            events.append(event)
        return events

    def close(self) -> None:
        """End the render process and remove unfinished work."""
        self._stack.close()
        self._opened = None
