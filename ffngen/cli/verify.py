"""``ffngen verify``."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ffngen.cli.progress import make_progress
from ffngen.dataset.report import ErrorSummary, VerifyReport
from ffngen.dataset.verify import verify_dataset


@click.command("verify")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Check the contents of N random sequences only."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which sequences --sample takes."
)
@click.option("--json", "as_json", is_flag=True, help="Print the whole report as JSON.")
def command(dataset: Path, sample: int | None, seed: int, as_json: bool) -> None:
    """Check DATASET without Blender.

    Facial and head flow, depth and masks are computed anew from the stored vertices and camera, by
    casting a ray through each pixel's centre, and compared with the files. Errors inside the mask
    are kept apart from those within one pixel of a silhouette, where one ray may meet another
    surface. Digests, counts, sizes and splits are checked as well.

    Exits with 1 when anything exceeds its bound.
    """
    with make_progress(quiet=as_json) as progress:
        task = progress.add_task("verifying", total=None, note="")
        report = verify_dataset(
            dataset,
            sample=sample,
            seed=seed,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        click.echo(json.dumps(report.to_json(), indent=1))
    else:
        _show(report)
    if not report.passed:
        raise SystemExit(1)


def _cells(errors: ErrorSummary) -> list[str]:
    return [f"{errors.mean:.1e}", f"{errors.p99:.1e}", f"{errors.max:.1e}"]


def _show(report: VerifyReport) -> None:
    console = Console()
    table = Table(title=f"{report.root}: {report.sequences} sequences, {report.pairs} pairs", title_justify="left")
    table.add_column("sequence")
    for name in ("facial flow, px", "head flow, px"):
        table.add_column(f"{name}\nmean", justify="right")
        table.add_column("\np99", justify="right")
        table.add_column("\nmax", justify="right")
    table.add_column("depth, m\np99", justify="right")
    table.add_column("mask\ndiffers, px", justify="right")
    table.add_column("silhouette\nshare, max px", justify="right")
    for truth in report.truths:
        table.add_row(
            truth.sequence,
            *_cells(truth.facial_flow),
            *_cells(truth.head_flow),
            f"{truth.depth.p99:.1e}",
            str(truth.mask_disagreement),
            f"{truth.silhouette_fraction:.1%}, {max(truth.facial_silhouette.max, truth.head_silhouette.max):.2g}",
        )
    console.print(table)
    for failure in report.failures:
        console.print(f"[red]FAILED[/red] {failure}", soft_wrap=True, highlight=False)
    console.print("[green]passed[/green]" if report.passed else "[red]failed[/red]")
