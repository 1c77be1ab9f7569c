"""``ffngen convert``."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ffngen.cli.progress import make_progress
from ffngen.dataset.convert.layouts import convert_files
from ffngen.dataset.convert.webdataset import PAIRS_PER_SHARD, convert_webdataset
from ffngen.dataset.layout import SPLITS


@click.command("convert")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", "layout", type=click.Choice(["webdataset", "ffn", "sintel", "kitti", "things", "spring"]),
              required=True, help="The layout to write.")  # fmt: skip
@click.option("--split", "splits", multiple=True, type=click.Choice(SPLITS),
              help="Keep these splits; not for webdataset.  [default: train; ffn: all]")  # fmt: skip
@click.option("--pairs-per-shard", type=click.IntRange(min=1), default=PAIRS_PER_SHARD, show_default=True,
              help="webdataset: pairs in each tar file.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 256),
              help="webdataset: processes that write.  [default: one per core, at most 16]")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="webdataset: replace the shards that another dataset left in OUT.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def command(
    dataset: Path,
    out: Path,
    layout: str,
    splits: tuple[str, ...],
    pairs_per_shard: int,
    workers: int | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write DATASET in another layout into OUT. A conversion that was stopped goes on when repeated.

    \b
    webdataset  tar files of pairs, flow compressed: for the webdataset package, and for `ffngen train OUT`
    ffn         the published FacialFlowNet's folders: .jpg, .flo, .npy
    sintel      training/clean and training/flow: facial flow alone, as in all that follow
    kitti       KITTI 2015: 16-bit .png, flow in steps of 1/64 px
    things      FlyingThings3D: .pfm
    spring      Spring: .flo5, on a grid of twice the image's size
    """
    if layout == "webdataset" and splits:
        raise click.UsageError("a webdataset holds all splits, each in shards of its own: leave --split away")
    result: dict[str, Any]
    with make_progress(quiet=as_json) as progress:
        task = progress.add_task("converting", total=None, note="")

        def show(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if layout == "webdataset":
            count = workers or min(os.cpu_count() or 1, 16)
            shards = convert_webdataset(
                dataset, out, pairs_per_shard=pairs_per_shard, workers=count, overwrite=overwrite, progress=show
            )
            kept = shards.shards - shards.written
            note = f", {kept} of them there already" if kept else ""
            said = f"{shards.pairs} pairs in {shards.shards} shards{note}, {shards.bytes / 1e6:.1f} MB"
            result = asdict(shards)
        else:
            chosen = splits or (SPLITS if layout == "ffn" else ("train",))
            files = convert_files(dataset, out, layout, splits=chosen, progress=show)  # type: ignore[arg-type]
            said = f"{files.pairs} pairs of {files.sequences} sequences, {files.written} files written"
            result = asdict(files)
    click.echo(json.dumps({"to": layout, "out": str(out), **result}) if as_json else f"{out}: {said}")
