"""``ffngen render``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from ffngen.cli.main import INTERRUPTED
from ffngen.cli.render_report import RenderReporter, describe_plan
from ffngen.dataset.context import open_context
from ffngen.dataset.render import open_run, render_dataset
from ffngen.flow.files import FlowFormat
from ffngen.job import load_job


def _several(kind: type[int] | type[str]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback that splits ``5,10`` into a list."""

    def split(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return tuple(kind(part.strip()) for part in value.split(","))
        except ValueError:
            raise click.BadParameter(f"{value!r} is not a list such as 5,10,20") from None

    return split


#: Options that override a field of the job of the same name.
_FIELDS = (
    click.option("--out", type=click.Path(path_type=Path), help="Folder of the dataset.  [default: dataset]"),
    click.option("--n-frames", callback=_several(int), metavar="N[,N...]", help="Frames per sequence.  [default: 10]"),
    click.option("--include-neutral", is_flag=True, default=None, help="Prepend the neutral frame t = 0."),
    click.option("--identities", type=int, help="How many identities to sample.  [default: 1]"),
    click.option(
        "--emotion", "emotions", callback=_several(str), metavar="WORD[,...]", help="Emotions in turn.  [default: all]"
    ),
    click.option("--params", help="sample, or a tracker's files (ffngen params formats).  [default: sample]"),
    click.option("--params-format", help="Whose files they are, where their content does not tell."),
    click.option(
        "--motion",
        type=click.Choice(["interpolate", "tracked"]),
        help="From neutral to each parameter set, or as a video was tracked.  [default: interpolate]",
    ),
    click.option(
        "--motion-profile",
        type=click.Choice(["linear", "ease", "micro"]),
        help="How an interpolated face moves; micro: onset, apex, offset.  [default: linear]",
    ),
    click.option("--amplitude", type=float, help="Share of the expression reached.  [default: 1; micro: 0.25]"),
    click.option("--frame-step", type=int, help="Tracked: every so many frames of the video.  [default: 1]"),
    click.option("--frame-range", metavar="FIRST:LAST", help="Tracked: these frames of the video.  [default: all]"),
    click.option("--fps", type=float, help="Tracked: resample to so many frames per second."),
    click.option(
        "--camera",
        type=click.Choice(["preset", "tracked"]),
        help="The scene's, or the one that the tracker saw the face with.  [default: preset]",
    ),
    click.option(
        "--source-images",
        type=click.Path(path_type=Path),
        help="Folder of the tracked pictures: each is its face's background.",
    ),
    click.option("--head", help="open, or the path of a FLAME model.  [default: open]"),
    click.option("--head-family", help="The FLAME version, where the file's name does not tell."),
    click.option("--head-teeth", is_flag=True, default=None, help="Add VHAP's and GaussianAvatars' teeth to FLAME."),
    click.option("--jaw-motion", type=click.Choice(["pose", "expression"]), help="What the jaw's rotation belongs to."),
    click.option("--textures", help="generated, a folder of UV textures, or FLAME_texture.npz.  [default: generated]"),
    click.option(
        "--props",
        callback=_several(str),
        metavar="KIND[,...]",
        help="Of lashes, brows, hair, glasses, collar; or none.  [default: all, with generated textures]",
    ),
    click.option("--backgrounds", help="hdri, or a folder of photographs.  [default: hdri]"),
    click.option(
        "--hdris", type=click.Path(path_type=Path), help="Folder of .hdr or .exr surroundings.  [default: the scene's]"
    ),
    click.option("--scene", help="A preset (ffngen scene list), or a .yaml or .blend file.  [default: portrait]"),
    click.option("--resolution", metavar="WxH", help="Image size in pixels.  [default: 512x512]"),
    click.option("--samples", type=int, help="Cycles samples per pixel.  [default: 16]"),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "optix", "hip", "oneapi", "metal"]),
        help="What Cycles renders on.  [default: auto]",
    ),
    click.option("--workers", type=int, help="Render processes.  [default: one per GPU, or per four cores]"),
    click.option("--threads", type=int, help="Threads of each process.  [default: the cores shared out]"),
    click.option("--seed", type=int, help="Seeds everything that varies.  [default: 0]"),
    click.option("--flow-format", type=click.Choice([f.value for f in FlowFormat]), help="Flow files.  [default: flo]"),
    click.option(
        "--labels",
        callback=_several(str),
        metavar="LABEL[,...]",
        help="Labels to add: all, backward, occlusion, ... (ffngen label --help).  [default: none]",
    ),
    click.option(
        "--label-pairs",
        callback=_several(str),
        metavar="N[,...]",
        help="Flow between frames so far apart, or first-last.  [default: none]",
    ),
    click.option("--image-format", type=click.Choice(["jpg", "png"]), help="Colour images.  [default: jpg]"),
)


def _job_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_FIELDS):
        command = option(command)
    return command


@click.command("render")
@click.argument("job_file", metavar="[JOB.yaml]", required=False, type=click.Path(path_type=Path))
@_job_options
@click.option("--overwrite", is_flag=True, help="Delete the dataset that is in the folder.")
@click.option("--save-blend", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.blend",
              help="Keep the first sequence's scene for opening in Blender.")  # fmt: skip
@click.option("--dry-run", is_flag=True, help="List what would be rendered, with disk and time estimates.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
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
    reporter = RenderReporter(quiet=as_json, device_asked_for=job.device)
    context = open_context(job, progress=reporter.say)
    if dry_run:
        describe_plan(job, open_run(context, overwrite=overwrite), as_json=as_json)
        return
    if save_blend is not None and not save_blend.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {save_blend.parent}", param_hint="--save-blend")
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
