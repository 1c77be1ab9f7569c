"""``ffngen predict``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ffngen.atomic import sha256_file
from ffngen.cli.progress import make_progress


@click.command("predict")
@click.argument("frames", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--checkpoint", metavar="FILE", help="A trained network.")
@click.option("--model", metavar="NAME", help="Instead: dis, farneback, or ptlflow:NAME[@FILE].")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("flow"), show_default=True)
@click.option("--iters", "--iterations", "iterations", type=click.IntRange(min=1), help="Refinements.  [default: 12]")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, ...")
@click.option(
    "--memory",
    type=click.FloatRange(min=0, min_open=True),
    metavar="GIB",
    help="Cut images into tiles that take no more.  [default: never cut]",
)
@click.option("--compile", "compiled", is_flag=True, help="Compile the network; pays on a GPU, for many frames.")
@click.option("--max-flow", type=click.FloatRange(min=0, min_open=True), help="Motion of full colour, pixels.")
@click.option("--video/--no-video", default=True, show_default=True, help="Write side_by_side.mp4.")
@click.option("--overwrite", is_flag=True, help="Replace other flow that is in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    frames: tuple[Path, ...],
    checkpoint: str | None,
    model: str | None,
    out: Path,
    iterations: int | None,
    device: str,
    memory: float | None,
    compiled: bool,
    max_flow: float | None,
    video: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Estimate the flow along FRAMES: image files, a folder of them, or a video.

    From each frame to the next one: facial flow, and with a DecFlow head and expression flow too. The folder --out
    receives .flo files, the same as colours on one scale, and a side-by-side video. What is there already is kept,
    so a run that was stopped goes on where it was.

    \b
    ffngen predict first.png second.png --checkpoint run/best.safetensors
    ffngen predict talking.mp4 --checkpoint decflow.pth --iters 24 --out talking_flow
    """
    from ffngen.estimators import open_estimator
    from ffngen.prediction.frames import open_frames
    from ffngen.prediction.predict import predict

    if (checkpoint is None) == (model is None):
        raise click.UsageError("name a --checkpoint, or a --model")
    which = checkpoint or model or ""
    opened = open_frames(frames)
    estimator = open_estimator(which, iterations=iterations, device=device, memory_gib=memory, compiled=compiled)
    source = {
        "frames": [str(path.absolute()) for path in opened.files],
        "model": which if checkpoint is None else sha256_file(checkpoint),
        "iterations": iterations,
        "memory_gib": memory,
    }
    with make_progress(quiet=as_json) as bar:
        task = bar.add_task("estimating", total=None, note="")
        made = predict(
            opened,
            estimator,
            out,
            source=source,
            video=video,
            max_flow=max_flow,
            overwrite=overwrite,
            progress=lambda what, done, total: bar.update(task, description=what, completed=done, total=total),
        )
    result = {"out": str(out), "pairs": made.pairs, "flows": list(made.flows), "colour_scale_px": made.scales}
    if as_json:
        click.echo(json.dumps(result, indent=1))
        return
    scales = ", ".join(f"{name} {scale:.2g} px" for name, scale in made.scales.items())
    click.echo(f"     pairs  {made.pairs}, {' and '.join(made.flows)} flow in {out / 'flow'}")
    click.echo(f"   colours  {out / 'color'}; full colour at {scales}")
    if video:
        click.echo(f"   look at  {out / 'side_by_side.mp4'}")
