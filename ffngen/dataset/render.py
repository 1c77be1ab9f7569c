"""Rendering a job into a dataset: what is missing is made, what is there stays."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ffngen.dataset.context import JobContext
from ffngen.dataset.dataset_file import check_folder, claim_folder
from ffngen.dataset.labels.layout import parse_kinds
from ffngen.dataset.labels.make import LabelRun, label_dataset
from ffngen.dataset.layout import LOGS_FOLDER
from ffngen.dataset.manifest import build_manifest
from ffngen.dataset.plan import SequencePlan, is_complete, plan_sequences
from ffngen.dataset.run_folder import run_folder
from ffngen.dataset.work import SequenceWork
from ffngen.render.pool import Event, Layout, RenderPool, available_cores


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


def open_run(context: JobContext, *, overwrite: bool = False) -> RenderRun:
    """Plan a run, without writing anything: which sequences the job has, and which are missing in its folder.

    :param overwrite: what is there does not count.
    :raises DatasetError: the folder belongs to another job.
    """
    root = context.job.out
    check_folder(root, context, overwrite=overwrite)
    plans = plan_sequences(context.job, context.source)
    return RenderRun(plans, [plan for plan in plans if overwrite or not is_complete(root, plan)])


def render_dataset(
    context: JobContext, *, overwrite: bool = False, save_blend: Path | None = None
) -> Generator[tuple[RenderRun, Event | None], None, None]:
    """Render what is missing of a job's dataset; yields the run's state after each event.

    The first and the last item have no event. Closing the iterator early, and Ctrl-C, leave a dataset
    that a rerun completes. The manifest is rebuilt at the end, and the job's
    labels are added to every complete sequence.

    :param overwrite: delete the dataset that is there.
    :param save_blend: where to save the first missing sequence's Blender scene.
    :raises DatasetError: the folder belongs to another job.
    :raises OutOfSpaceError, JobError, MissingPackageError: nothing could go on.
    """
    job, root = context.job, context.job.out
    run = open_run(context, overwrite=overwrite)
    yield run, None
    with run_folder(root) as folder:
        works = [
            SequenceWork(context, plan, root, folder, save_blend if i == 0 else None)
            for i, plan in enumerate(run.missing)
        ]
        pool = RenderPool(
            device=job.device,
            workers=job.workers,
            threads=job.threads,
            scratch=folder,
            frame_timeout=job.frame_timeout,
            engine=job.engine,
        )
        with closing(pool.run(works)) as events:
            for event in events:
                if event.kind == "ready":
                    # Not before: where Blender cannot start, the folder stays as it was.
                    claim_folder(root, context, folder, overwrite=overwrite)
                    run.layout = pool.layout
                if event.kind == "done":
                    run.done.append(event.name)
                elif event.kind == "failed":
                    run.failed[event.name] = event.reason or ""
                yield run, event
        with suppress(OSError):  # where this run's sequences were the last that had failed
            (root / LOGS_FOLDER).rmdir()
        build_manifest(root, scratch=folder)
    if job.labels or job.label_pairs:
        kinds = parse_kinds((*job.labels, *(("pairs",) if job.label_pairs else ())))
        states = label_dataset(
            root, kinds, job.label_pairs, head=job.head, family=job.head_family, workers=available_cores()
        )
        with closing(states):
            for run.labels in states:
                yield run, None
        run.failed |= run.labels.failed if run.labels is not None else {}
    yield run, None
