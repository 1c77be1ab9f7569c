"""``ffngen label``."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

import click

from ffngen.cli.progress import make_progress
from ffngen.dataset.labels.layout import LabelKind, parse_gap, parse_kinds
from ffngen.dataset.labels.make import label_dataset
from ffngen.farm.shard import parse_shard
from ffngen.head.load import OPEN


@click.command("label")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--add", metavar="LABEL[,...]", help="Which labels; all is every one but pairs.")
@click.option("--pairs", metavar="N[,...]", help="Flow and occlusion from each frame to the N-th after it; first-last.")
@click.option(
    "--head", default=OPEN, show_default=True, help="The head that the dataset was rendered with, or its path."
)
@click.option("--head-family", help="The FLAME version, where the file's name does not tell.")
@click.option(
    "--avatar",
    type=click.Path(path_type=Path),
    help="The captured avatar that the dataset was rendered with.  [default: where it was then]",
)
@click.option("--shard", metavar="I/N", help="Label part I of N alone, counted from 0; or auto, or auto/N.")
@click.option("--workers", type=click.IntRange(1, 256), help="Processes.  [default: one per core, at most 16]")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    dataset: Path,
    add: str | None,
    pairs: str | None,
    head: str,
    head_family: str | None,
    avatar: Path | None,
    shard: str | None,
    workers: int | None,
    as_json: bool,
) -> None:
    """Add labels to DATASET, computed from its stored vertices and camera, without Blender.

    \b
    backward      flow from frame t+1 to t, facial and head
    occlusion     which points the other frame does not show: forward and backward, facial and head
    scene-flow    the depth that each point has in the next frame
    normals       smooth, in the camera's axes
    segmentation  skin, lips, eyes, brows, nose, ears, teeth, ...
    uv            texture coordinates
    landmarks     68 landmarks and all vertices in the image, each visible or not
    coverage      how much of each pixel the head covers
    pairs         flow and occlusion between distant frames: say which with --pairs

    What is there is kept, so a run that was stopped goes on where it was. The head model is needed for segmentation,
    uv and landmarks. `ffngen verify DATASET` checks labels by ray casting.

    Of a captured avatar (ffngen splat render AVATAR), backward, occlusion, scene-flow and pairs are its Gaussians',
    which the avatar is needed for; the others would be the mesh's, and are refused.

    On a farm, every task of an array labels its part, which --shard says as it does for ffngen render.

    \b
    ffngen label dataset --add all
    ffngen label dataset --add backward,occlusion --pairs 2,5,first-last
    ffngen label dataset --add all --shard auto/16

    (`ffngen labels`, in the plural, makes flow labels of real videos from triangulated landmarks.)
    """
    kinds = parse_kinds(tuple(word.strip() for word in (add or "").split(",") if word.strip()))
    gaps = tuple(dict.fromkeys(parse_gap(word.strip()) for word in (pairs or "").split(",") if word.strip()))
    if gaps and LabelKind.PAIRS not in kinds:
        kinds = (*kinds, LabelKind.PAIRS)
    start = time.monotonic()
    with make_progress(quiet=as_json) as progress:
        task = progress.add_task("labelling", total=None, note="")
        count = workers or min(os.cpu_count() or 1, 16)
        part = None if shard is None else parse_shard(shard, os.environ)
        select = None if part is None else part.has
        states = label_dataset(
            dataset, kinds, gaps, head=head, family=head_family, avatar=avatar, workers=count, select=select
        )
        for run in states:
            progress.update(task, completed=run.labelled + len(run.failed), total=run.missing)
    seconds = round(time.monotonic() - start, 2)
    if as_json:
        click.echo(json.dumps({"dataset": str(dataset), **asdict(run), "seconds": seconds}, indent=1))
    else:
        kept = run.sequences - run.missing
        note = f"; {kept} had them already" if kept else ""
        click.echo(
            f"{dataset}: {run.labelled} of {run.sequences} sequences labelled{note}, {run.files} files, "
            f"{run.bytes / 1e6:.1f} MB, {seconds:.0f} s"
        )
        for name, reason in run.failed.items():
            click.echo(click.style("FAILED", fg="red") + f" {name}: {reason}")
    if run.failed:
        raise SystemExit(1)
