"""``ffngen convert``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from ffngen.cli.progress import make_progress
from ffngen.dataset.convert.webdataset import PAIRS_PER_SHARD, convert_webdataset


@click.command("convert")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", "layout", type=click.Choice(["webdataset"]), required=True, help="The layout to write.")
@click.option(
    "--pairs-per-shard",
    type=click.IntRange(min=1),
    default=PAIRS_PER_SHARD,
    show_default=True,
    help="Pairs in each tar file of a webdataset.",
)
@click.option(
    "--workers", type=click.IntRange(min=1, max=256), help="Processes that write.  [default: one per core, at most 16]"
)
@click.option("--overwrite", is_flag=True, help="Replace what another dataset left in OUT.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    dataset: Path,
    out: Path,
    layout: str,
    pairs_per_shard: int,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write DATASET in another layout into OUT. A conversion that was stopped goes on when repeated.

    \b
    ffngen convert dataset shards --to webdataset     tar files of pairs, for: ffngen train shards
    """
    with make_progress(quiet=as_json) as progress:
        task = progress.add_task("converting", total=None, note="")
        written = convert_webdataset(
            dataset,
            out,
            pairs_per_shard=pairs_per_shard,
            workers=workers or min(os.cpu_count() or 1, 16),
            overwrite=overwrite,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if as_json:
        click.echo(json.dumps({"to": layout, "out": str(out), **asdict(written)}))
        return
    kept = written.shards - written.written
    note = f", {kept} of them there already" if kept else ""
    click.echo(f"{out}: {written.pairs} pairs in {written.shards} shards{note}, {written.bytes / 1e6:.1f} MB")
