"""``ffngen verify``."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ffngen.cli.progress import make_progress
from ffngen.dataset.report import VerifyReport
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


def _show(report: VerifyReport) -> None:
    console = Console(soft_wrap=True)
    table = Table("sequence", box=None, pad_edge=False)
    for name in ("facial flow\np99 px", "\nmax px", "head flow\np99 px", "\nmax px", "depth\np99 m", "mask\noff, px"):
        table.add_column(name, justify="right")
    table.add_column("silhouette\nshare, max px", justify="right")
    for truth in report.truths:
        silhouette = max(truth.facial_silhouette.max, truth.head_silhouette.max)
        table.add_row(
            truth.sequence.rpartition("/")[2],
            f"{truth.facial_flow.p99:.1e}",
            f"{truth.facial_flow.max:.1e}",
            f"{truth.head_flow.p99:.1e}",
            f"{truth.head_flow.max:.1e}",
            f"{truth.depth.p99:.1e}",
            str(truth.mask_disagreement),
            f"{truth.silhouette_fraction:.1%}, {silhouette:.1g}",
        )
    console.print(f"{report.root}: {report.sequences} sequences, {report.pairs} pairs", highlight=False)
    console.print(table)
    for failure in report.failures:
        console.print(f"[red]FAILED[/red] {failure}", highlight=False)
    console.print("[green]passed[/green]" if report.passed else "[red]failed[/red]")
