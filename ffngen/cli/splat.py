"""``ffngen splat``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ffngen.cli.job_options import job_options
from ffngen.cli.render import run_job
from ffngen.cli.splat_fit import fit
from ffngen.job import load_job


@click.group("splat", commands={"fit": fit})
def command() -> None:
    """Gaussians that are bound to the head: render with them, and fit them to pictures of a person."""


@command.command("render")
@click.argument("avatar", required=False, type=click.Path(path_type=Path))
@click.option("--job", "job_file", metavar="JOB.yaml", type=click.Path(path_type=Path), help="A job to start from.")
@job_options("splat")
def render(
    avatar: Path | None,
    job_file: Path | None,
    overwrite: bool,
    shard: str | None,
    grace: float,
    dry_run: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Render a facial-flow dataset with Gaussians: the same folders and files as of ffngen render.

    AVATAR is what GaussianAvatars trained: its folder, or a point_cloud.ply whose Gaussians are bound to the
    head's triangles. Without one, Gaussians are spread over the open head in its skin, in the scene's light.
    Any parameter set or tracked video drives an avatar, which keeps its own person's shape.

    \b
    ffngen splat render --n-frames 10 --resolution 1920x1080 --out srflow
    ffngen splat render --rig nersemble --n-frames 5 --out views
    ffngen splat render GaussianAvatars/output/306 --head FLAME2023 --head-teeth --params tracked --out real

    --shard and SIGTERM are those of ffngen render, and so are the exit codes.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    if avatar is not None:
        given["avatar"] = avatar
    job = load_job(job_file, {"engine": "splat", **given})
    run_job(job, overwrite=overwrite, shard=shard, grace=grace, dry_run=dry_run, as_json=as_json)
