"""The local pool: several render processes work through sequences, and may die.

Each process has a thread of the parent that feeds it, and one more that prepares its next sequence
and turns its raw files into dataset files while it renders on. A process that dies is restarted and
its sequence tried again; a sequence that fails :data:`ATTEMPTS` times is given up and the rest goes on.
"""

from __future__ import annotations

import errno
import os
import queue
import shutil
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ffngen.engine import Engine
from ffngen.errors import FfngenError, OutOfSpaceError, RenderError, UnreachableError
from ffngen.render.process import Device, RenderedFrame, RenderProcess, RenderProcessDied

#: The first attempt and two more.
ATTEMPTS = 3

#: With less space than this, a fault is put down to the full disk.
_LEAST_FREE_BYTES = 1 << 20


class SequenceWork(Protocol):
    """One sequence, as the pool sees it. All calls but ``name`` come from one helper thread."""

    @property
    def name(self) -> str:
        """Names the sequence in messages."""

    @property
    def save_blend(self) -> Path | None:
        """Where to keep the Blender scene, if anywhere."""

    def prepare(self) -> Path:
        """Write the request; called anew for each attempt. Returns the request's folder."""

    def frame_done(self, frame: RenderedFrame) -> None:
        """Turn a raw file into dataset files."""

    def finish(self) -> None:
        """All frames are done: move the sequence into place."""

    def abandon(self) -> None:
        """Remove what this attempt wrote."""

    def give_up(self, error: Exception, log: Path) -> None:
        """Record the failure for good; ``log`` is what the render process printed."""


@dataclass(frozen=True)
class Event:
    """What happened: ``ready``, then ``started``, ``frame``, ``retry``, ``done`` or ``failed`` of a sequence.

    The layout is known when the pool is ready; no sequence is begun before that event has been dealt with.
    """

    kind: str
    name: str = ""
    frame: RenderedFrame | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Layout:
    """What the pool runs on: how many render processes, how many threads each, on which device."""

    workers: int
    threads: int
    device: Device


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def choose_layout(device: Device, *, workers: int | None, threads: int | None, sequences: int) -> Layout:
    """One process per GPU; on the CPU, processes of about four threads. Never more than sequences."""
    cores = available_cores()
    if workers is None:
        workers = device.gpus if device.gpus else max(1, cores // 4)
    workers = max(1, min(workers, sequences))
    return Layout(workers, threads if threads is not None else max(1, cores // workers), device)


class SequencePool(Protocol):
    """What carries out a run's sequences: the pool below, or another machine's."""

    layout: Layout | None

    def run(self, works: Sequence[SequenceWork]) -> Generator[Event, None, None]:
        """Render ``works``; yields ``ready`` first, where there are any, then events as they come."""


class RenderPool:
    """Renders many sequences on several processes; see the module's text."""

    def __init__(
        self,
        *,
        device: str,
        workers: int | None,
        threads: int | None,
        scratch: Path,
        frame_timeout: float,
        no_more: threading.Event | None = None,
        engine: Engine = "cycles",
    ) -> None:
        self._engine: Engine = engine
        self._device = device
        self._workers = workers
        self._threads = threads
        self._scratch = scratch
        self._timeout = frame_timeout
        self._messages: queue.Queue[Event | Device | BaseException | None] = queue.Queue()
        self._works: queue.SimpleQueue[SequenceWork] = queue.SimpleQueue()
        self._stop = threading.Event()
        #: Once it is set, what is at work is finished and nothing else is begun.
        self._no_more = no_more or threading.Event()
        self._layout_known = threading.Event()
        self._processes: list[RenderProcess] = []
        #: What the pool runs on; known once the first process has started.
        self.layout: Layout | None = None

    def run(self, works: Sequence[SequenceWork]) -> Generator[Event, None, None]:
        """Render ``works``; yields events as they come, from the calling thread.

        Closing the iterator, Ctrl-C and a full disk stop all processes at once; what is finished stays.

        :raises OutOfSpaceError, UnreachableError, JobError, MissingPackageError: nothing could go on.
        """
        if not works:
            return
        for work in works:
            self._works.put(work)
        threads = [self._start_feeder(0)]
        running = 1
        try:
            while running:
                message = self._messages.get()
                if message is None:
                    running -= 1
                elif isinstance(message, Device):
                    self.layout = choose_layout(
                        message, workers=self._workers, threads=self._threads, sequences=len(works)
                    )
                    yield Event("ready")
                    self._layout_known.set()
                    threads += [self._start_feeder(i) for i in range(1, self.layout.workers)]
                    running += self.layout.workers - 1
                elif isinstance(message, BaseException):
                    raise message
                else:
                    yield message
        finally:
            self._stop.set()
            self._layout_known.set()
            while any(thread.is_alive() for thread in threads):
                for process in self._processes:
                    process.kill()
                threads[0].join(0.05)
            for thread in threads:
                thread.join()

    def _start_feeder(self, index: int) -> threading.Thread:
        thread = threading.Thread(target=self._feed, args=(index,), daemon=True)
        thread.start()
        return thread

    def _feed(self, index: int) -> None:
        """Body of the thread of one process. The first one's start tells what the pool runs on."""
        gpus = self.layout.device.gpus if self.layout is not None else 0
        process = RenderProcess(
            engine=self._engine, device=self._device, device_index=index % gpus if gpus else 0, log=self._log(index)
        )
        self._processes.append(process)
        try:
            with ThreadPoolExecutor(max_workers=1) as helper:
                prepared = self._next(helper)
                device = self._start(process)
                if index == 0:
                    self._messages.put(device)
                    self._layout_known.wait()
                while prepared is not None and not self._stop.is_set() and not self._no_more.is_set():
                    work, folder = prepared
                    # Prepared while this one renders; queued first, so that frames do not delay it.
                    prepared = self._next(helper)
                    self._attempt(process, helper, work, folder, self._log(index))
        except BaseException as error:
            if not self._stop.is_set():
                self._messages.put(error)
        finally:
            process.stop()
            self._messages.put(None)

    def _start(self, process: RenderProcess) -> Device:
        """Start a process, again where it dies before it is ready."""
        for _ in range(ATTEMPTS - 1):
            try:
                return process.start()
            except RenderProcessDied:
                if self._stop.is_set():
                    raise
        return process.start()

    def _log(self, index: int) -> Path:
        return self._scratch / f"render-process-{index}.log"

    def _next(self, helper: ThreadPoolExecutor) -> tuple[SequenceWork, Future[Path]] | None:
        try:
            work = self._works.get_nowait()
        except queue.Empty:
            return None
        return work, helper.submit(work.prepare)

    def _attempt(
        self, process: RenderProcess, helper: ThreadPoolExecutor, work: SequenceWork, folder: Future[Path], log: Path
    ) -> None:
        """Render one sequence, again where that may help, and report how it went."""
        self._messages.put(Event("started", work.name))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                request = folder.result()
                if process.pid is None:
                    process.start()
                self._render(process, helper, work, request)
            except (OutOfSpaceError, UnreachableError):
                raise
            except Exception as error:
                if self._stop.is_set():
                    return
                check_space(error, self._scratch)
                helper.submit(work.abandon).result()
                # A fault in the sequence's own input stays; a process that died may do better anew.
                hopeless = isinstance(error, FfngenError) and not isinstance(error, RenderError)
                if hopeless or attempt == ATTEMPTS:
                    helper.submit(work.give_up, error, log).result()
                    self._messages.put(Event("failed", work.name, reason=reason_of(error)))
                    return
                self._messages.put(Event("retry", work.name, reason=reason_of(error)))
                process.stop()
                folder = helper.submit(work.prepare)
            else:
                self._messages.put(Event("done", work.name))
                return

    def _render(self, process: RenderProcess, helper: ThreadPoolExecutor, work: SequenceWork, request: Path) -> None:
        assert self.layout is not None
        pending: list[Future[None]] = []
        try:
            for frame in process.render(
                request, threads=self.layout.threads, timeout=self._timeout, save_blend=work.save_blend
            ):
                pending.append(helper.submit(work.frame_done, frame))
                self._messages.put(Event("frame", work.name, frame=frame))
        finally:
            faults = [fault for future in pending if (fault := future.exception()) is not None]
        if faults:
            raise faults[0]
        helper.submit(work.finish).result()


def check_space(error: Exception, scratch: Path) -> None:
    """A full disk makes Blender and the image libraries fail in their own words; say what it is.

    :param scratch: the run's folder in the dataset.
    :raises OutOfSpaceError: it is full.
    """
    number = getattr(error, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT) or shutil.disk_usage(scratch).free < _LEAST_FREE_BYTES:
        raise OutOfSpaceError(
            "the disk is full", where=scratch.parent.parent, mend="free some space and run again"
        ) from error


def reason_of(error: Exception) -> str:
    """Why a sequence failed, as one line."""
    return str(error) if isinstance(error, FfngenError) else f"{type(error).__name__}: {error}"
