"""``ffngen eval``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ffngen.cli.estimator_options import estimator_options
from ffngen.cli.progress import make_progress


@click.command("eval")
@click.argument("dataset", type=click.Path(path_type=Path))
@estimator_options()
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "test", "val", "all"]))
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N pairs, spread evenly.")
@click.option("--regions", is_flag=True, help="Also by region of the face, and by what stays visible (slower).")
@click.option("--head", help="The dataset's head model, for --regions.  [default: the open head]")
@click.option("--head-family", help="The FLAME version, where the file's name does not tell.")
@click.option(
    "--protocol",
    type=click.Choice(["masked", "official"]),
    default="masked",
    show_default=True,
    help="official: beside ours, the figure that the published code prints.",
)
@click.option("--worst", type=click.IntRange(min=0), default=8, show_default=True, help="Worst pairs drawn into --out.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for tables and pictures.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    dataset: Path,
    checkpoints: tuple[str, ...],
    models: tuple[str, ...],
    split: str,
    limit: int | None,
    regions: bool,
    head: str | None,
    head_family: str | None,
    protocol: str,
    iterations: int | None,
    device: str,
    worst: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Measure how well networks estimate the flow of DATASET.

    End-point error inside the head's mask, for facial, head and expression flow: by motion scale as in the
    FacialFlowNet paper's Table 2 (every pair counts alike), with the shares of pixels off by more than 1, 3 and 5
    px, Fl-all, WAUC, and by emotion. zero estimates no motion, so its error is the motion's own length.

    \b
    ffngen eval dataset --checkpoint run/best.safetensors --model zero --model dis
    ffngen eval dataset --checkpoint decflow.pth --protocol official --out report

    --out receives report.json, tables.md, tables.tex, and the worst pairs as pictures.
    """
    from ffngen.dataset.read import FlowDataset
    from ffngen.estimators import open_estimator
    from ffngen.evaluation.areas import AreaFinder
    from ffngen.evaluation.evaluate import evaluate, open_pairs
    from ffngen.evaluation.report import make_report, prepare_folder, write_report
    from ffngen.tables import join

    names = (*models, *checkpoints)
    if not names:
        raise click.UsageError("nothing to measure; name a --checkpoint or a --model")
    if len(set(names)) != len(names):
        raise click.UsageError("a --checkpoint or --model is named twice")
    pairs = open_pairs(FlowDataset(dataset), split, limit)
    estimators = [open_estimator(name, iterations=iterations, device=device) for name in names]
    if len({estimator.name for estimator in estimators}) != len(estimators):
        raise click.UsageError("two checkpoints have the same file and folder names; rename one of the folders")
    finder = AreaFinder(head, head_family) if regions else None
    if out is not None:
        prepare_folder(out)
    with make_progress(quiet=as_json) as bar:
        task = bar.add_task("evaluating", total=len(pairs), note="")
        evaluation = evaluate(
            pairs,
            estimators,
            areas=finder,
            keep_worst=worst if out is not None else 0,
            progress=lambda done, total: bar.update(task, completed=done),
        )
    report = make_report(evaluation, estimators, dataset=dataset, split=split, official=protocol == "official")
    if out is not None:
        write_report(out, report, evaluation)
    if as_json:
        click.echo(json.dumps(report.record, indent=1))
        return
    click.echo(f"{dataset}: {evaluation.pairs} pairs of the split {split}, errors on the head\n")
    for estimator in estimators:
        if estimator.details:
            details = ", ".join(f"{key} {value}" for key, value in estimator.details.items())
            click.echo(f"{estimator.name}: {details}")
    click.echo("\n" + join([table.text() for table in report.tables]), nl=False)
    for note in evaluation.notes:
        click.echo(f"\nnote: {note}")
    if out is not None:
        click.echo(f"\nlook at  {out / 'worst'}\n  tables {out / 'tables.md'}, {out / 'tables.tex'}")
