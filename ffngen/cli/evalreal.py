"""``ffngen evalreal``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ffngen.cli.estimator_options import estimator_options
from ffngen.cli.progress import make_progress
from ffngen.cli.values import parse_named

_METHODS = (
    estimator_options("dis, farneback, or ptlflow:NAME[@FILE]; may be repeated. zero is always there."),
    click.option("--flows", multiple=True, metavar="NAME=FOLDER", callback=parse_named,
                 help="Flow files, FOLDER/PAIR.flo, instead of an estimator; may be repeated."),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N pairs, spread evenly."),
    click.option("--worst", type=click.IntRange(min=0), default=8, show_default=True,
                 help="Worst pairs drawn into --out."),
    click.option("--out", type=click.Path(path_type=Path, file_okay=False),
                 help="Folder for report.json, tables, pairs.csv and pictures."),
    click.option("--json", "as_json", is_flag=True, help="Print the report as JSON."),
)  # fmt: skip
_ORIGIN = click.option(
    "--pixel-origin", type=click.Choice(["0", "0.5", "1"]), default="0", show_default=True,
    help="What the set calls the centre of the top-left pixel: 0.5 counts from its corner, 1 is MATLAB's. It moves "
    "where flow is sampled, and no displacement.",
)  # fmt: skip
_SPLIT = click.option(
    "--split", default="all", show_default=True, type=click.Choice(["train", "test", "val", "all"]),
    help="Of an ffngen dataset.",
)  # fmt: skip


def _method_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_METHODS):
        command = option(command)
    return command


@click.group("evalreal")
def command() -> None:
    """Measure flow on real faces, on your own copies of the papers' sets: FacialFlowNet's Table 3.

    \b
    ffngen evalreal landmarks CK+ --dataset ck+ --checkpoint run/best.safetensors --model dis --out report
    ffngen evalreal vertices tracked/ --dataset mead --head FLAME2020/ --checkpoint run/best.safetensors

    The end-point error (equation 6) of the flow at points of image 1 whose motion to image 2 is known: annotated
    landmarks, or the projected vertices of a tracked head. Every pair counts alike; intervals are a bootstrap over
    subjects; zero, no motion at all, is always a row, so that its error is the motion's own length. With --out, a
    run that was stopped goes on when repeated.
    """


@command.command("landmarks")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dataset", type=click.Choice(["ck+", "pairs", "ffngen"]), required=True, help="What PATH is, below.")
@_ORIGIN
@_SPLIT
@click.option("--visible", is_flag=True, help="ffngen: only landmarks that image 1 shows.")
@_method_options
def landmarks_command(
    path: Path, dataset: str, pixel_origin: str, split: str, visible: bool, limit: int | None, **options: Any
) -> None:
    """Compare flow with how landmarks move, by region: jaw, brows, nose, eyes, lips.

    \b
    ck+     a folder with cohn-kanade-images/S005/001/S005_001_00000001.png and
            Landmarks/S005/001/S005_001_00000001_landmarks.txt: the first and the last frame of each sequence
    pairs   a .csv or .json list: image1, image2, landmarks1, landmarks2 (.txt, .pts, .csv, .npy, or .npz of
            an ffngen dataset; paths relative to the list), and if you like subject, sequence, name
    ffngen  a dataset with landmarks (ffngen label DATASET --add landmarks), whose truth is known

    A flow file of --flows is named after its pair: S005/001.flo for ck+; the list's name, else 0001.flo, ... for
    pairs; SPLIT/EMOTION/SEQUENCE/0001.flo for ffngen, so that `--flows true=DATASET/flow` measures the measure
    itself. Where DIR has folders facial and head, these hold the flows.

    Sequences without both images and both landmark files are left out and listed, as are landmarks without an
    image; landmarks outside image 1 are counted and not measured; a damaged file is a fault. Real images tell
    nothing of head flow by itself: it is compared at the bridge of the nose and the eyes' corners alone.
    """
    from ffngen.realworld.ck_plus import open_ck_plus
    from ffngen.realworld.pair_list import open_pair_list
    from ffngen.realworld.rendered import rendered_landmarks

    origin = float(pixel_origin)
    if dataset != "ffngen" and (visible or split != "all"):
        raise click.UsageError("--visible and --split are for ffngen datasets: nothing else tells what is hidden")
    if dataset == "ffngen":
        if origin:
            raise click.UsageError("an ffngen dataset's pixels count from 0: leave --pixel-origin away")
        points = rendered_landmarks(path, split=split, visible=visible)
    else:
        points = open_ck_plus(path, origin=origin) if dataset == "ck+" else open_pair_list(path, origin=origin)
    published = "CK+ (L.)" if dataset == "ck+" else None
    _measure("landmarks", points, path, dataset, published, limit, **options)


@command.command("vertices")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dataset", type=click.Choice(["mead", "ck+", "ffngen"]), required=True, help="What PATH is, below.")
@click.option(
    "--gap", metavar="N", help="Frames from image 1 to image 2, or first-last.  [default: 1; ck+: first-last]"
)
@click.option("--visible", is_flag=True, help="Only vertices that rays from the camera see.")
@click.option("--head", metavar="PATH", help="The FLAME model of the vertices; ffngen: the dataset's head model.")
@click.option("--head-family", help="The FLAME version, where the file's name does not tell.")
@click.option("--masks", type=click.Path(path_type=Path), metavar="FILE",
              help="FLAME_masks.pkl, for the paper's regions; it is read without being run.")  # fmt: skip
@_ORIGIN
@_SPLIT
@_method_options
def vertices_command(
    path: Path,
    dataset: str,
    gap: str | None,
    visible: bool,
    head: str | None,
    head_family: str | None,
    masks: Path | None,
    pixel_origin: str,
    split: str,
    limit: int | None,
    **options: Any,
) -> None:
    """Compare flow with how the vertices of a tracked head move, those of lips, cheeks and eyes.

    \b
    mead, ck+  any folder of tracked videos (they differ in the paper's figures that are shown beside):
               metrical-tracker's or Pixel3DMM's ACTOR/checkpoint/00001.frame and ACTOR/input/00001.png, with
               --head FLAME2020/ (MICA alone gives an identity, and no motion); or an .npz for each video:
                 images (T,) text, paths relative to the file
                 vertices_2d (T, V, 2) pixels, or vertices (T, V, 3), K (3, 3), T_cam_world (4, 4) [or (T, ...)]
                 and if you like faces (F, 3), region_names (R,), region_vertices (R, V) bool, subject
    ffngen     a dataset, with its stored vertices and cameras, whose truth is known

    The paper counts 1,435 of the face's 1,787 vertices by FLAME's masks; give --masks FLAME_masks.pkl for them.
    Without it the regions are those that ffngen drew on the head model, and the counts, which are printed, differ.
    Of trackers' parameters and of ffngen datasets head and expression flow are measured too.

    A flow file of --flows is named after its pair: VIDEO/00001.flo (the number of image 1; in an .npz counted from
    1), SPLIT/EMOTION/SEQUENCE/0001.flo for ffngen.
    """
    from ffngen.dataset.labels.layout import parse_gap
    from ffngen.realworld.rendered import rendered_vertices
    from ffngen.realworld.tracked_vertices import open_tracked

    if dataset == "ffngen":
        if gap is not None or masks is not None or pixel_origin != "0":
            raise click.UsageError("--gap, --masks and --pixel-origin are for tracked videos")
        points = rendered_vertices(path, split=split, visible=visible, head=head, family=head_family)
    else:
        if split != "all":
            raise click.UsageError("--split is for ffngen datasets")
        points = open_tracked(
            path,
            gap=parse_gap(gap or ("first-last" if dataset == "ck+" else "1")),
            visible=visible,
            head=head,
            family=head_family,
            masks=masks,
            origin=float(pixel_origin),
        )
    published = {"mead": "MEAD (V.)", "ck+": "CK+ (V.)"}.get(dataset)
    _measure("vertices", points, path, dataset, published, limit, **options)


def _measure(
    kind: Any,
    points: Any,
    path: Path,
    dataset: str,
    published: str | None,
    limit: int | None,
    *,
    checkpoints: tuple[str, ...],
    models: tuple[str, ...],
    flows: dict[str, Path],
    iterations: int | None,
    device: str,
    worst: int,
    out: Path | None,
    as_json: bool,
) -> None:
    from ffngen.dataset.read import spread_evenly
    from ffngen.estimators import open_estimator
    from ffngen.evaluation.report import prepare_folder
    from ffngen.realworld.evaluate import evaluate_points, worst_pairs
    from ffngen.realworld.journal import JOURNAL_FILE, Journal
    from ffngen.realworld.methods import ZERO, EstimatorMethod, FlowFiles, Method
    from ffngen.realworld.report import make_point_report, write_point_report
    from ffngen.tables import join

    names = dict.fromkeys((ZERO, *models, *checkpoints))
    methods: list[Method] = [
        EstimatorMethod(open_estimator(name, iterations=iterations, device=device)) for name in names
    ]
    methods += [FlowFiles(name, folder) for name, folder in flows.items()]
    if len({method.name for method in methods}) != len(methods):
        raise click.UsageError("two methods have one name; rename a checkpoint's folder, or a NAME of --flows")
    if limit is not None:
        points.pairs = [points.pairs[i] for i in spread_evenly(len(points.pairs), limit)]
    if out is not None:
        prepare_folder(out)
    with make_progress(quiet=as_json) as bar:
        task = bar.add_task("evaluating", total=len(points.pairs), note="")
        journal = None if out is None else Journal(out / JOURNAL_FILE, _content(points, (*models, *checkpoints)))
        errors = evaluate_points(
            points, methods, journal=journal, progress=lambda done, total: bar.update(task, completed=done)
        )
    report = make_point_report(
        kind, points, errors, methods, dataset=dataset, path=path, options=_data_options(), published=published,
        truth=dataset == "ffngen" or kind == "vertices",
    )  # fmt: skip
    if out is not None and journal is not None:
        write_point_report(out, report, errors, worst_pairs(points, methods, errors, worst))
        journal.remove()
    if as_json:
        click.echo(json.dumps(report.record, indent=1))
        return
    record = report.record
    click.echo(f"{path}: {record['pairs']} pairs of {record['subjects']} subjects\n")
    click.echo(join([table.text() for table in report.tables]), nl=False)
    for note in record["notes"]:
        click.echo(f"\nnote: {note}")
    _tell_left_out(record["left_out"], out)
    if out is not None:
        click.echo(
            f"\nlook at  {out / 'worst'}\n  tables {out / 'tables.md'}, {out / 'tables.tex'}, {out / 'pairs.csv'}"
        )


def _data_options() -> dict[str, str]:
    """The options that decide which points are measured."""
    given = click.get_current_context().params
    names = ("split", "visible", "gap", "limit", "head", "head_family", "masks", "pixel_origin")
    return {name: str(given[name]) for name in names if given.get(name) is not None}


def _content(points: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """What the figures are a function of, for the journal: options, pairs, and the content of checkpoints."""
    from ffngen.atomic import sha256_file
    from ffngen.estimators.open import weights_file

    context = click.get_current_context()
    aside = ("out", "as_json", "worst", "flows")
    files = {name: weights_file(name) for name in names}
    # A head may be a folder: what lies in it counts.
    for option in ("head", "masks"):
        given = Path(str(context.params.get(option) or ""))
        inside = given.iterdir() if given.is_dir() and given.name else [given]
        files |= {f"{option} {file.name}": file for file in inside if file.is_file()}
    return {
        "command": context.info_name,
        "options": {name: str(value) for name, value in context.params.items() if name not in aside},
        "files": {name: sha256_file(file) for name, file in files.items() if file is not None},
        "pairs": [[pair.name, *map(str, pair.images)] for pair in points.pairs],
    }


def _tell_left_out(lines: list[str], out: Path | None) -> None:
    shown = 5
    if lines:
        click.echo(f"\nleft out: {len(lines)}")
        for line in lines[:shown]:
            click.echo(f"  {line}")
    if len(lines) > shown:
        click.echo(f"  ... all are in {'report.json' if out is not None else '--json and --out'}")
