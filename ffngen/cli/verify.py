"""``ffngen verify``."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import click

from ffngen.cli.progress import make_progress
from ffngen.dataset.report import SequenceTruth, VerifyReport
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
    surface. The images must show that motion: each is warped by the flow and compared (SSIM: warped,
    and as it is). Digests, counts, sizes, splits and labels (ffngen label) are checked as well.

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


_HEADER = ("sequence", "facial flow", "head flow", "depth", "mask", "outline", "images")
_UNITS = ("", "p99, max px", "p99, max px", "p99 m", "off px", "share, max px", "SSIM, still")


def _show(report: VerifyReport) -> None:
    click.echo(f"{report.root}: {report.sequences} sequences, {report.pairs} pairs")
    rows = [_HEADER, _UNITS, *(_row(truth) for truth in report.truths)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    for row in rows if report.truths else []:
        first, *others = (
            f"{cell:<{width}}" if column == 0 else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        click.echo("  ".join([first, *others]))
    worst = _worst(report)
    if worst:
        what = [f"labels of {len(report.labels)} sequences"] if report.labels else []
        splats = sum(bool(truth.figures) for truth in report.truths)
        what += [f"{splats} sequences of Gaussians"] if splats else []
        click.echo(f"{' and '.join(what)}, the worst of each figure (and its bound)")
    for (fault, figure), (value, bound) in worst.items():
        click.echo(f"  {fault:<20}  {figure:<14}  {value:>8.2g}  ({bound:g})")
    for failure in report.failures:
        click.echo(click.style("FAILED", fg="red") + f" {failure}")
    click.echo(click.style("passed", fg="green") if report.passed else click.style("failed", fg="red"))


def _worst(report: VerifyReport) -> dict[tuple[str, str], tuple[float, float]]:
    """The largest value of each figure of labels and of Gaussians, and its bound."""
    worst: dict[tuple[str, str], tuple[float, float]] = {}
    figures = [truth.figures for truth in report.truths] + [truth.figures for truth in report.labels]
    for one in chain.from_iterable(figures):
        key = (one.fault.value, one.what)
        worst[key] = (max(one.value, worst.get(key, (0.0, 0.0))[0]), one.bound)
    return worst


def _row(truth: SequenceTruth) -> tuple[str, ...]:
    outline = max(truth.facial_silhouette.max, truth.head_silhouette.max)
    return (
        truth.sequence.rpartition("/")[2],
        f"{truth.facial_flow.p99:.1e} {truth.facial_flow.max:.1e}",
        f"{truth.head_flow.p99:.1e} {truth.head_flow.max:.1e}",
        f"{truth.depth.p99:.1e}",
        str(truth.mask_disagreement),
        f"{truth.silhouette_fraction:.1%} {outline:.2g}",
        "-" if truth.images.facial_ssim is None else f"{truth.images.facial_ssim:.3f} {truth.images.still_ssim:.3f}",
    )
