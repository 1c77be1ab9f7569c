"""Rendering a job into a dataset: what is missing is made, what is there stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from ffngen.dataset.context import JobContext
from ffngen.dataset.dataset_file import check_place, claim_place, read_record
from ffngen.dataset.labels.make import LabelRun, label_dataset
from ffngen.dataset.manifest import build_manifest
from ffngen.dataset.plan import SequencePlan, plan_sequences
from ffngen.dataset.store import Store, open_store
from ffngen.dataset.work import SequenceWork, job_labels
from ffngen.job import Job
from ffngen.render.pool import Event, Layout, RenderPool, SequencePool, available_cores


@dataclass
class RenderRun:
    """A run of :func:`render_dataset`, filled in while it goes on.

    :param plans: every sequence of the job.
    :param missing: those that were not complete when the run began.
    :param done: names of the sequences that this run completed.
    :param failed: names of those that it gave up, with the reason.
    :param layout: processes, threads and device; None until Blender has started.
    :param labels: how far the job's labels are; None until all is rendered, and where it has none.
    """

    plans: list[SequencePlan]
    missing: list[SequencePlan]
    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    layout: Layout | None = None
    labels: LabelRun | None = None


#: What :func:`render_dataset` yields.
States = Generator[tuple[RenderRun, Event | None], None, None]

#: Whether a sequence is part of a run.
Selection = Callable[[SequencePlan], bool]


def open_run(context: JobContext, *, overwrite: bool = False, select: Selection | None = None) -> RenderRun:
    """Plan a run, without writing anything: which sequences it has, and which are missing in the job's folder.

    :param overwrite: what is there does not count.
    :param select: which of the job's sequences the run has; all when absent.
    :raises DatasetError: the folder belongs to another job.
    """
    return _open_run(open_store(context.job.out), context, overwrite=overwrite, select=select)


def _open_run(store: Store, context: JobContext, *, overwrite: bool, select: Selection | None) -> RenderRun:
    check_place(store, context, overwrite=overwrite)
    every = plan_sequences(context.job, context.source)
    plans = [plan for plan in every if select is None or select(plan)]
    return RenderRun(plans, plans if overwrite else store.missing(plans, len(every)))


#: Makes a pool of a job, the run's folder, and what tells it to begin nothing more.
PoolFactory = Callable[[Job, Path, threading.Event | None], SequencePool]


def _local_pool(job: Job, folder: Path, no_more: threading.Event | None) -> SequencePool:
    return RenderPool(
        device=job.device,
        workers=job.workers,
        threads=job.threads,
        scratch=folder,
        frame_timeout=job.frame_timeout,
        engine=job.engine,
        no_more=no_more,
    )


def render_dataset(
    context: JobContext,
    *,
    overwrite: bool = False,
    save_blend: Path | None = None,
    select: Selection | None = None,
    no_more: threading.Event | None = None,
    open_pool: PoolFactory | None = None,
) -> States:
    """Render what is missing of a job's dataset; yields the run's state after each event.

    The first and the last item have no event. Closing the iterator early, and Ctrl-C, leave a dataset
    that a rerun completes. At the end the dataset is finished (:func:`finish_dataset`), unless the run is a part of it.

    :param overwrite: delete the dataset that is there.
    :param save_blend: where to save the first missing sequence's Blender scene.
    :param select: which of the job's sequences to render; several runs may do so at once in one folder.
    :param no_more: once it is set, what is at work is completed, nothing else is begun, and nothing finished.
    :param open_pool: makes what carries out the sequences; the local pool when absent.
    :raises DatasetError: the folder belongs to another job.
    :raises OutOfSpaceError, JobError, MissingPackageError: nothing could go on.
    """
    store = open_store(context.job.out)
    run = _open_run(store, context, overwrite=overwrite, select=select)
    yield run, None
    with store.run_folder() as folder:
        works = [
            SequenceWork(context, plan, store, folder, save_blend if i == 0 else None)
            for i, plan in enumerate(run.missing)
        ]
        pool = (open_pool or _local_pool)(context.job, folder, no_more)
        with closing(pool.run(works)) as events:
            for event in events:
                if event.kind == "ready":
                    # Not before: where Blender cannot start, the folder stays as it was.
                    claim_place(store, context, folder, overwrite=overwrite)
                    run.layout = pool.layout
                if event.kind == "done":
                    run.done.append(event.name)
                elif event.kind == "failed":
                    run.failed[event.name] = event.reason or ""
                yield run, event
        store.tidy()
    if select is None and (no_more is None or not no_more.is_set()):
        with closing(finish_dataset(context)) as states:
            for run.labels in states:
                yield run, None
        run.failed |= run.labels.failed if run.labels is not None else {}
    yield run, None


def finish_dataset(context: JobContext) -> Generator[LabelRun, None, None]:
    """What comes after all sequences: the manifest, and the job's labels of every sequence that is complete.

    :raises DatasetError: the place holds no dataset, or a metadata file is damaged.
    """
    job = context.job
    store = open_store(job.out)
    read_record(store)
    with store.run_folder() as folder:
        build_manifest(store, folder)
    if isinstance(job.out, Path) and (kinds := job_labels(job)):
        yield from label_dataset(
            job.out,
            kinds,
            job.label_pairs,
            head=job.head,
            family=job.head_family,
            avatar=job.avatar,
            workers=available_cores(),
        )
