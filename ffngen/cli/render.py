"""``ffngen render``."""

from __future__ import annotations

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from ffngen.cli.job_options import job_options
from ffngen.cli.main import INTERRUPTED
from ffngen.cli.render_report import RenderReporter, describe_plan
from ffngen.dataset.context import open_context
from ffngen.dataset.render import open_run, render_dataset
from ffngen.job import Job, load_job


@click.command("render")
@click.argument("job_file", metavar="[JOB.yaml]", required=False, type=click.Path(path_type=Path))
@job_options("cycles")
@click.option("--save-blend", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.blend",
              help="Keep the first sequence's scene for opening in Blender.")  # fmt: skip
def command(
    job_file: Path | None, overwrite: bool, save_blend: Path | None, dry_run: bool, as_json: bool, **fields: Any
) -> None:
    """Render a facial-flow dataset: images, exact flow, masks and depth.

    Without a job file and options: one sampled identity in ten frames, into ./dataset. A job file
    (see jobs/demo.yaml) sets more; options override it. What is already complete is kept, so a run
    that was stopped goes on where it was.

    \b
    ffngen render --identities 20 --n-frames 5,10
    ffngen render --head FLAME2020/generic_model.pkl --params emoca_out --out ffn
    ffngen render jobs/demo.yaml --workers 4 --dry-run

    Exits with 1 when a sequence failed, with 2 when the input is at fault.
    """
    job = load_job(job_file, {name: value for name, value in fields.items() if value is not None})
    if save_blend is not None and not save_blend.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {save_blend.parent}", param_hint="--save-blend")
    run_job(job, overwrite=overwrite, save_blend=save_blend, dry_run=dry_run, as_json=as_json)


def run_job(
    job: Job, *, overwrite: bool = False, save_blend: Path | None = None, dry_run: bool = False, as_json: bool = False
) -> None:
    """Render a job, or say what would be rendered, and report; exits with 1 when a sequence failed."""
    reporter = RenderReporter(quiet=as_json, device_asked_for=job.device)
    context = open_context(job, progress=reporter.say)
    if dry_run:
        describe_plan(job, open_run(context, overwrite=overwrite), as_json=as_json)
        return
    start = time.monotonic()
    try:
        with reporter, closing(render_dataset(context, overwrite=overwrite, save_blend=save_blend)) as states:
            for run, event in states:
                reporter.update(run, event)
    except KeyboardInterrupt:
        click.echo("ffngen: stopped; run the same command again to go on", err=True)
        raise SystemExit(INTERRUPTED) from None
    summary = reporter.summary(job, time.monotonic() - start)
    if as_json:
        click.echo(json.dumps(summary, indent=1))
    else:
        reporter.show(summary)
    if summary["failed"]:
        raise SystemExit(1)
