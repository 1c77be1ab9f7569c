"""``ffngen render``."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from ffngen.cli.job_options import job_options
from ffngen.cli.main import INTERRUPTED
from ffngen.cli.render_report import RenderReporter, describe_plan
from ffngen.cli.terminate import TERMINATED, GraceOverError, Notice
from ffngen.dataset.context import open_context
from ffngen.dataset.render import States, open_run, render_dataset
from ffngen.farm.run import render_part
from ffngen.farm.shard import parse_shard
from ffngen.job import Job, load_job


@click.command("render")
@click.argument("job_file", metavar="[JOB.yaml]", required=False, type=click.Path(path_type=Path))
@job_options("cycles")
@click.option("--save-blend", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.blend",
              help="Keep the first sequence's scene for opening in Blender.")  # fmt: skip
def command(
    job_file: Path | None,
    overwrite: bool,
    save_blend: Path | None,
    shard: str | None,
    grace: float,
    dry_run: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Render a facial-flow dataset: images, exact flow, masks and depth.

    Without a job file and options: one sampled identity in ten frames, into ./dataset. A job file
    (see jobs/demo.yaml) sets more; options override it. What is already complete is kept, so a run
    that was stopped goes on where it was.

    \b
    ffngen render --identities 20 --n-frames 5,10
    ffngen render --head FLAME2020/generic_model.pkl --params emoca_out --out ffn
    ffngen render jobs/demo.yaml --workers 4 --dry-run

    On a farm, every task of an array renders its part into one folder that all see, and
    `ffngen farm finish` comes last. Parts may run twice, at once, and again. Which of them a task is,
    auto takes from SLURM, Kubernetes or AWS Batch; auto alone also how many there are, from SLURM.

    \b
    ffngen render jobs/demo.yaml --shard 3/16
    ffngen render jobs/demo.yaml --shard auto/16

    On SIGTERM no sequence is begun any more. Those at work are completed, or, where they take longer than
    --grace, dropped. Exits with 0 when all is rendered, with 1 when a sequence failed, with 2 when
    the input is at fault, with 143 when SIGTERM came first; run the same command again to go on.
    """
    job = load_job(job_file, {name: value for name, value in fields.items() if value is not None})
    if save_blend is not None and not save_blend.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {save_blend.parent}", param_hint="--save-blend")
    run_job(job, overwrite=overwrite, save_blend=save_blend, shard=shard, grace=grace, dry_run=dry_run, as_json=as_json)


def run_job(
    job: Job,
    *,
    overwrite: bool,
    save_blend: Path | None = None,
    shard: str | None,
    grace: float,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Render a job or a part of it, or say what would be rendered, report, and exit with the run's code.

    :param shard: which part, as :func:`ffngen.farm.shard.parse_shard` reads it; all when None.
    :param grace: how long the sequences at work may take after SIGTERM, seconds.
    """
    part = None if shard is None else parse_shard(shard, os.environ)
    select = None if part is None else part.__contains__
    if part is not None and (overwrite or save_blend is not None):
        option = "--overwrite" if overwrite else "--save-blend"
        raise click.BadParameter("not with --shard, which is one of several", param_hint=option)
    reporter = RenderReporter(quiet=as_json, device_asked_for=job.device)
    context = open_context(job, progress=reporter.say)
    if dry_run:
        describe_plan(job, open_run(context, overwrite=overwrite, select=select), as_json=as_json)
        return

    def states(no_more: threading.Event) -> States:
        if select is None:
            return render_dataset(context, overwrite=overwrite, save_blend=save_blend, no_more=no_more)
        return render_part(context, select, part=str(part), no_more=no_more)

    show_run(job, reporter, states, grace=grace, as_json=as_json)


def show_run(
    job: Job, reporter: RenderReporter, states: Callable[[threading.Event], States], *, grace: float, as_json: bool
) -> None:
    """Go through a run, show it, and exit with its code; parameters as of :func:`follow_run`."""
    summary = follow_run(job, reporter, states, grace=grace)
    if as_json:
        click.echo(json.dumps(summary, indent=1))
    else:
        reporter.show(summary)
    if summary["terminated"] and summary["complete"] + len(summary["failed"]) < summary["sequences"]:
        raise SystemExit(TERMINATED)
    if summary["failed"]:
        raise SystemExit(1)


def follow_run(
    job: Job, reporter: RenderReporter, states: Callable[[threading.Event], States], *, grace: float
) -> dict[str, Any]:
    """Go through a run, showing how far it is, and sum it up; exits where it was stopped.

    :param states: makes the run's states; its argument is set when SIGTERM asks to begin nothing more.
    :param grace: how long the sequences at work may take then, seconds.
    """
    start = time.monotonic()
    try:
        with Notice(grace) as notice, reporter, closing(states(notice.received)) as all_states:
            for run, event in all_states:
                reporter.update(run, event)
    except GraceOverError:
        click.echo("ffngen: stopped within its time of grace; run the same command again to go on", err=True)
        raise SystemExit(TERMINATED) from None
    except KeyboardInterrupt:
        click.echo("ffngen: stopped; run the same command again to go on", err=True)
        raise SystemExit(INTERRUPTED) from None
    return reporter.summary(job, time.monotonic() - start) | {"terminated": notice.received.is_set()}
