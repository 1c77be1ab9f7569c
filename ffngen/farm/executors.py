"""What can carry out a job's sequences: each makes a :class:`ffngen.render.pool.SequencePool`.

SLURM and other schedulers are none: they start ``ffngen render --shard``, which is a run of its own on each node.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ffngen.dataset.context import JobContext
from ffngen.dataset.plan import count_sequences
from ffngen.dataset.render import PoolFactory, States, render_dataset
from ffngen.extras import require
from ffngen.farm.journal import journalled
from ffngen.farm.ray_pool import RayPool
from ffngen.job import Job
from ffngen.render.inline import InlinePool
from ffngen.render.pool import Event, SequencePool, SequenceWork

EXECUTORS = ("inline", "local", "ray")


@dataclass(frozen=True)
class RayOptions:
    """What the workers on a Ray cluster get.

    :param address: ``auto`` for the cluster that this machine belongs to, ``local`` for one of this machine's own, or
        where one is.
    :param gpus: of each worker; half a GPU lets two share one.
    :param cpus: of each worker, and the threads of its render process.
    """

    address: str = "auto"
    gpus: float = 0.0
    cpus: int = 1


class _ClosedInlinePool(InlinePool):
    """An inline pool whose process ends with its run."""

    def run(self, works: Sequence[SequenceWork]) -> Generator[Event, None, None]:
        with closing(self):
            yield from super().run(works)


def execute(context: JobContext, executor: str, ray: RayOptions, *, no_more: threading.Event | None = None) -> States:
    """Render what is missing of a job's dataset, finish it, and note what is done; yields as ``render_dataset`` does.

    :param executor: one of :data:`EXECUTORS`.
    :param no_more: once it is set, what is at work is completed and nothing else is begun.
    :raises MissingPackageError: Ray is not installed.
    :raises FfngenError: nothing could go on.
    """
    sequences = count_sequences(context.job, context.source)
    if executor == "ray":
        require("farm", "ray")
        # The workers take notes themselves, each on its node.
        return render_dataset(context, no_more=no_more, open_pool=_ray_pool(context, ray))
    states = render_dataset(context, no_more=no_more, open_pool=_inline_pool if executor == "inline" else None)
    return journalled(context, states, sequences=sequences, part="all", executor=executor)


def _inline_pool(job: Job, folder: Path, no_more: threading.Event | None) -> SequencePool:
    return _ClosedInlinePool(
        device=job.device,
        threads=job.threads,
        scratch=folder,
        frame_timeout=job.frame_timeout,
        engine=job.engine,
        no_more=no_more,
    )


def _ray_pool(context: JobContext, options: RayOptions) -> PoolFactory:
    def make(job: Job, folder: Path, no_more: threading.Event | None) -> SequencePool:
        return RayPool(
            context.job,
            context.digest,
            address=options.address,
            gpus=options.gpus,
            cpus=options.cpus,
            no_more=no_more,
        )

    return make
