"""The pool without threads: one render process, everything else in the calling thread, one sequence after another.

For debugging, where :class:`ffngen.render.pool.RenderPool`'s helpers would hide what happens, and for workers of a
cluster, which keep the process warm from one sequence to the next.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from pathlib import Path

from ffngen.engine import Engine
from ffngen.errors import FfngenError, OutOfSpaceError, RenderError, UnreachableError
from ffngen.render.pool import ATTEMPTS, Event, Layout, SequenceWork, check_space, choose_layout, reason_of
from ffngen.render.process import RenderProcess


class InlinePool:
    """Renders sequences on one process, which stays until :meth:`close`."""

    def __init__(
        self,
        *,
        device: str,
        threads: int | None,
        scratch: Path,
        frame_timeout: float,
        engine: Engine = "cycles",
        no_more: threading.Event | None = None,
    ) -> None:
        self._log = scratch / "render-process-0.log"
        self._process = RenderProcess(engine=engine, device=device, device_index=0, log=self._log)
        self._threads = threads
        self._scratch = scratch
        self._timeout = frame_timeout
        self._no_more = no_more or threading.Event()
        #: What the pool runs on; known once the process has started.
        self.layout: Layout | None = None

    def start(self) -> Layout:
        """Start the process, where it does not run.

        :raises JobError, MissingPackageError, RenderError: it cannot start.
        """
        if self._process.pid is None:
            device = self._process.start()
            self.layout = choose_layout(device, workers=1, threads=self._threads, sequences=1)
        assert self.layout is not None
        return self.layout

    def run(self, works: Sequence[SequenceWork]) -> Generator[Event, None, None]:
        """Render ``works``; yields events as :meth:`ffngen.render.pool.RenderPool.run` does.

        :raises OutOfSpaceError, UnreachableError, JobError, MissingPackageError: nothing could go on.
        """
        if works:
            self.start()
            yield Event("ready")
        for work in works:
            if self._no_more.is_set():
                return
            yield Event("started", work.name)
            yield from self._render(work)

    def close(self) -> None:
        """End the process."""
        self._process.stop()

    def _render(self, work: SequenceWork) -> Generator[Event, None, None]:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                folder = work.prepare()
                layout = self.start()
                frames = self._process.render(
                    folder, threads=layout.threads, timeout=self._timeout, save_blend=work.save_blend
                )
                for frame in frames:
                    work.frame_done(frame)
                    yield Event("frame", work.name, frame=frame)
                work.finish()
            except (OutOfSpaceError, UnreachableError):
                raise
            except Exception as error:
                check_space(error, self._scratch)
                work.abandon()
                hopeless = isinstance(error, FfngenError) and not isinstance(error, RenderError)
                if hopeless or attempt == ATTEMPTS:
                    work.give_up(error, self._log)
                    yield Event("failed", work.name, reason=reason_of(error))
                    return
                yield Event("retry", work.name, reason=reason_of(error))
                self._process.stop()
            else:
                yield Event("done", work.name)
                return
