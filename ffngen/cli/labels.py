"""``ffngen labels``."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from ffngen.cli.progress import make_progress


@click.group("labels")
def command() -> None:
    """Make the rival labels: flow between triangulated landmarks (the paper's FMEAD, after Alkaddour et al.).

    \b
    ffngen labels triangles talking.mp4 landmarks/ fmead    a dataset to train on
    ffngen labels compare dataset                           how far such labels are from exact flow

    (`ffngen label DATASET`, in the singular, adds exact labels to a rendered dataset: backward flow, occlusion,
    landmarks, ...)
    """


@command.command("triangles")
@click.argument("frames", metavar="VIDEO|FOLDER", type=click.Path(path_type=Path))
@click.argument("landmarks", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option("--name", help="The scene's name in OUT.  [default: that of the video or folder]")
@click.option("--step", type=click.IntRange(min=1), default=1, show_default=True,
              help="Flow from every N-th frame to the N-th after it.")  # fmt: skip
@click.option("--pixel-origin", type=click.Choice(["0", "0.5", "1"]), default="0", show_default=True,
              help="What the landmarks call the centre of the top-left pixel.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def triangles_command(
    frames: Path, landmarks: Path, out: Path, name: str | None, step: int, pixel_origin: str, as_json: bool
) -> None:
    """Label the frames of a VIDEO or FOLDER with piecewise-affine flow from their LANDMARKS, into the dataset OUT.

    LANDMARKS is a folder with a file for each image, NAME.txt or NAME_landmarks.txt of NAME.png (x and y on each
    line; also .pts, .csv, .npy, and .npz of an ffngen dataset's landmarks); for a video, as many files as it has
    frames, in the order of their numbers; or one .npy (T, N, 2), NaN where no face was found. Any number of
    landmarks from 3 on, the same in all frames.

    OUT gets MPI Sintel's layout: training/clean, training/flow (.flo) and training/invalid, white outside the
    landmarks' hull and in triangles that turn over or have no area. Several videos may share an OUT. A frame
    without landmarks ends its scene. A run that was stopped goes on when repeated.

    \b
    ffngen labels triangles talking.mp4 landmarks/ fmead
    ffngen train fmead gma-sintel --start-from gma-sintel.pth --out gma_fmead
    ffngen flow show fmead/training/flow/talking/*.flo --color pictures/

    See also `ffngen label`, which adds exact labels to a rendered dataset.
    """
    from ffngen.prediction.frames import open_frames
    from ffngen.realworld.triangle_dataset import write_triangle_labels

    opened = open_frames([frames])
    with make_progress(quiet=as_json) as bar:
        task = bar.add_task("labelling", total=None, note="")
        labels = write_triangle_labels(
            opened,
            landmarks,
            out,
            name=name or (frames.resolve().stem if opened.is_video else frames.resolve().name),
            step=step,
            origin=float(pixel_origin),
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        click.echo(json.dumps({"dataset": str(out), **asdict(labels)}, indent=1))
        return
    kept = f" ({labels.kept} were there already)" if labels.kept else ""
    click.echo(
        f"{out}: {labels.pairs} pairs in {', '.join(labels.scenes)}{kept}; "
        f"{labels.valid:.1%} of their pixels have a motion"
    )
    for line in labels.left_out[:5]:
        click.echo(f"left out: {line}")
    if len(labels.left_out) > 5:
        click.echo(f"left out: {len(labels.left_out) - 5} more (--json lists them)")
    click.echo(f"train on it with  ffngen train {out} gma-sintel")


@command.command("compare")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--noise", "noises", multiple=True, type=click.FloatRange(min=0), metavar="PX", default=(1.0, 2.0),
              show_default="1 and 2", help="Also with landmarks off by so much; may be repeated.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of that noise.")
@click.option("--split", default="all", show_default=True, type=click.Choice(["train", "test", "val", "all"]))
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N pairs, spread evenly.")
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.png",
              help="Draw the pair with the largest error.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")
def compare_command(
    dataset: Path,
    noises: tuple[float, ...],
    seed: int,
    split: str,
    limit: int | None,
    picture: Path | None,
    as_json: bool,
) -> None:
    """Compare flow of triangulated landmarks with the exact flow of DATASET, a rendered one.

    The 68 landmarks are the dataset's own (ffngen label DATASET --add landmarks), exact, and with normal errors of
    some pixels, as a detector's have. Measured on the head within the landmarks' hull; the last column says how
    much of the head that is.
    """
    from ffngen.atomic import write_atomic
    from ffngen.dataset.read import FlowDataset
    from ffngen.evaluation.evaluate import open_pairs
    from ffngen.images import encode_png
    from ffngen.realworld.compare_triangles import (
        compare_triangles,
        comparison_figures,
        comparison_table,
        draw_comparison,
    )

    pairs = open_pairs(FlowDataset(dataset), split, limit)
    levels = list(dict.fromkeys((0.0, *noises)))
    with make_progress(quiet=as_json) as bar:
        task = bar.add_task("comparing", total=len(pairs), note="")
        results = compare_triangles(
            pairs, levels, seed=seed, progress=lambda done, total: bar.update(task, completed=done)
        )
    figures = comparison_figures(results)
    if picture is not None:
        worst = max(results[0].compared, key=lambda one: -1.0 if one.errors is None else one.errors.epe)
        write_atomic(picture, encode_png(draw_comparison(worst.pair)))
    if as_json:
        click.echo(json.dumps({"dataset": str(dataset), "pairs": len(pairs), "results": figures}, indent=1))
        return
    click.echo(f"{dataset}: {len(pairs)} pairs\n\n{comparison_table(figures).text()}")
    if picture is not None:
        click.echo(f"\nlook at  {picture}")
