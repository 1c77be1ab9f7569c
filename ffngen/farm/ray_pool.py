"""Ray: workers on the nodes of a cluster, one sequence at a time each, replaced where they die."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections import Counter, deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ffngen.errors import FfngenError, RenderError
from ffngen.farm.ray_worker import Worker
from ffngen.job import PATH_FIELDS, Job
from ffngen.render.pool import Event, Layout, SequenceWork
from ffngen.url import absolute

#: A sequence that was at work on so many workers that died is given up.
_DEATHS = 5
#: What stands in a sequence's place where so many workers died before they had one: no more are hired.
_OPENING = ""

#: How often a stop is looked for, seconds.
_TICK = 0.5

#: How long workers may take to end, seconds.
_CLOSING = 10.0


class RayPool:
    """Carries out sequences on a Ray cluster.

    A worker gets its next sequence when it has done the last one, so that none waits behind a slow one. One that dies,
    with its node or alone, is replaced when the cluster has room, and its sequence is given to another. One that
    cannot work, as its disk is full, gets no more.

    :param job: the job.
    :param digest: of its content, which each node's must equal.
    :param address: of the cluster: ``auto``, ``local``, or where it is.
    :param gpus: GPUs of a worker; a fraction lets several share one.
    :param cpus: cores of a worker, and the threads of its render process.
    """

    def __init__(
        self, job: Job, digest: str, *, address: str, gpus: float, cpus: int, no_more: threading.Event | None
    ) -> None:
        # A worker's working folder is not this one.
        values = {field: getattr(job, field) for field in PATH_FIELDS}
        places = {
            field: str(Path(value).absolute())
            for field, value in values.items()
            if value is not None and Path(value).exists()
        }
        given = job.model_dump(mode="json") | places | {"out": str(absolute(job.out))}
        self._job = given | {"threads": job.threads or cpus, "workers": 1}
        self._workers_asked_for = job.workers
        self._digest = digest
        self._address = address
        self._gpus, self._cpus = gpus, cpus
        self._no_more = no_more or threading.Event()
        self._actors: dict[Any, Any] = {}
        #: What the pool runs on; known once the first worker has opened the job.
        self.layout: Layout | None = None

    def run(self, works: Sequence[SequenceWork]) -> Generator[Event, None, None]:
        """Render ``works``, of which only the names are used here.

        :raises FfngenError: no worker can do it, for the last one's reason.
        """
        if not works:
            return
        import ray

        has_joined = not ray.is_initialized()
        if has_joined:
            self._join(ray)
        try:
            yield from self._run(ray, deque(work.name for work in works))
        finally:
            self._end(ray)
            if has_joined:
                ray.shutdown()

    def _join(self, ray: Any) -> None:
        mend = "start one with `ray start --head`, or use --address local"
        _require_reachable(self._address, mend)
        # A cluster that is begun here reports to nobody, unless its user says so.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        own = {"include_dashboard": False} if self._address == "local" else {}
        # Ray would end this process on SIGTERM, with no time of grace.
        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=self._address, log_to_driver=False, logging_level="ERROR", **own)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            raise RenderError(f"no Ray cluster at {self._address!r}: {error}", where="ray", mend=mend) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)

    def _run(self, ray: Any, queue: deque[str]) -> Generator[Event, None, None]:
        deaths: Counter[str] = Counter()
        #: Each outstanding call: the worker, and the sequence, or None while it opens the job.
        calls: dict[Any, tuple[Any, str | None]] = {}
        fault: FfngenError | None = None
        for _ in range(self._count(ray, len(queue))):
            self._hire(ray, calls)
        while queue or any(name is not None for _, name in calls.values()):
            if self._no_more.is_set():
                queue.clear()
            if not calls:
                raise fault or RenderError("the cluster has no worker left", where="ray")
            ready, _ = ray.wait(list(calls), timeout=_TICK)
            for call in ready:
                actor, name = calls.pop(call)
                try:
                    answer = ray.get(call)
                except ray.exceptions.RayActorError:
                    if name is None:
                        deaths[_OPENING] += 1
                    if deaths[_OPENING] < _DEATHS:
                        self._hire(ray, calls)
                    else:
                        fault = RenderError("workers die before they have opened the job", where="ray")
                    if name is not None:
                        yield from self._died(name, deaths, queue)
                    continue
                except ray.exceptions.RayTaskError as error:
                    if not isinstance(error.cause, FfngenError):
                        raise
                    # The node's own trouble: its share goes to the others.
                    fault = error.cause
                    if name is not None:
                        queue.append(name)
                    ray.kill(actor)
                    continue
                if name is None:
                    if self.layout is None:
                        layout, _ = answer
                        self.layout = Layout(len(calls) + 1, layout.threads, layout.device)
                        yield Event("ready")
                    self._actors[actor] = True
                else:
                    yield from (event for event in answer if event.kind not in ("ready", "started"))
                if queue:
                    name = queue.popleft()
                    yield Event("started", name)
                    calls[actor.render.remote(name)] = actor, name

    def _died(self, name: str, deaths: Counter[str], queue: deque[str]) -> Generator[Event, None, None]:
        deaths[name] += 1
        reason = "the worker died, alone or with its node"
        if deaths[name] < _DEATHS:
            queue.appendleft(name)
            yield Event("retry", name, reason=reason)
        else:
            yield Event("failed", name, reason=f"{reason}, {_DEATHS} times")

    def _count(self, ray: Any, sequences: int) -> int:
        """How many workers the cluster has room for."""
        if self._workers_asked_for is not None:
            return min(self._workers_asked_for, sequences)
        total = ray.cluster_resources()
        room = total.get("GPU", 0.0) / self._gpus if self._gpus > 0 else total.get("CPU", 1.0) / self._cpus
        return max(1, min(int(room), sequences))

    def _hire(self, ray: Any, calls: dict[Any, tuple[Any, str | None]]) -> None:
        remote = ray.remote(num_cpus=self._cpus, num_gpus=self._gpus, max_restarts=0)(Worker)
        actor = remote.remote(self._job, self._digest)
        self._actors[actor] = False
        calls[actor.open.remote()] = actor, None

    def _end(self, ray: Any) -> None:
        """Let workers that live remove their unfinished work, then end all."""
        with suppress(Exception):
            closing = [actor.close.remote() for actor, is_open in self._actors.items() if is_open]
            ray.wait(closing, num_returns=max(1, len(closing)), timeout=_CLOSING)
        for actor in self._actors:
            with suppress(Exception):
                ray.kill(actor)
        self._actors.clear()


def _require_reachable(address: str, mend: str) -> None:
    """Refuse an address where nobody listens, at which Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        try:
            socket.create_connection((host, int(port)), timeout=_CLOSING).close()
        except (OSError, OverflowError) as error:
            raise RenderError(f"no Ray cluster at {address!r}: {error}", where="ray", mend=mend) from error
