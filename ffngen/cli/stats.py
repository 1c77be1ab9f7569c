"""``ffngen stats``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ffngen.cli.progress import make_progress


@click.command("stats")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--split", default="all", show_default=True, type=click.Choice(["train", "test", "val", "all"]))
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=1000,
    show_default=True,
    help="Measure at most N sequences: people spread evenly, each with all of theirs.",
)
@click.option(
    "--frames",
    type=click.IntRange(min=1),
    metavar="N",
    default=2,
    show_default=True,
    help="Of each sequence at most N images and N pairs, spread evenly.",
)
@click.option("--head", help="The dataset's head model.  [default: the open head]")
@click.option("--head-family", help="The FLAME version, where the file's name does not tell.")
@click.option(
    "--identity-network", type=click.Path(path_type=Path), metavar="ONNX", help="ArcFace or alike, instead of dlib's."
)
@click.option(
    "--expression-network",
    type=click.Path(path_type=Path),
    metavar="ONNX",
    help="Recognises expressions; without it, their parameters are shown.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="HTML", help="Write everything as one page, with plots."
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where what was measured is kept.  [default: stats.sqlite in the user's cache folder]",
)
@click.option("--no-cache", is_flag=True, help="Measure everything again, and keep nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the record, with histograms, as JSON.")
def command(
    dataset: Path,
    split: str,
    limit: int,
    frames: int,
    head: str | None,
    head_family: str | None,
    identity_network: Path | None,
    expression_network: Path | None,
    out: Path | None,
    cache: Path | None,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Measure how diverse DATASET is: people, expressions, motion, skin, pose and light.

    On the rendered files, not on what the job asked for: how different people look to a face-recognition network
    (Table 1 of the FacialFlowNet paper), in how many images dlib finds the face, and how far its landmarks lie from
    ours; people and pairs per emotion; how far pixels move by motion scale and region; skin tone (ITA) as rendered
    and of the generated texture; how heads are turned and from where they are lit.

    \b
    ffngen stats dataset --out diversity.html
    ffngen stats dataset --identity-network w600k_r50.onnx --expression-network enet_b0_8.onnx --json

    An identity network takes 112x112 RGB aligned as for ArcFace, (value - 127.5) / 127.5; an expression network
    224x224 RGB with ImageNet's mean and deviation. What was measured of a sequence is kept, so a run that was stopped
    goes on where it was, and one with a larger --limit adds to it.
    """
    from ffngen.dataset.regions import ModelFinder
    from ffngen.diversity.dlib_faces import DlibFaces
    from ffngen.diversity.measure import Tools
    from ffngen.diversity.onnx_networks import ExpressionNetwork, IdentityNetwork
    from ffngen.diversity.page import check_page, write_page
    from ffngen.diversity.stats import measure_dataset
    from ffngen.diversity.tables import tables
    from ffngen.errors import MissingPackageError
    from ffngen.extras import require
    from ffngen.resources import cache_folder
    from ffngen.tables import join

    if out is not None:
        require("stats", "matplotlib", "sklearn")
        check_page(out)
    notes = []
    try:
        faces = DlibFaces()
    except MissingPackageError as error:
        faces = None
        notes.append(f"no face detector, so its share and landmarks are left out: {error}")
    tools = Tools(
        models=ModelFinder(head, head_family),
        faces=faces,
        identity=None if identity_network is None else IdentityNetwork(identity_network),
        expression=None if expression_network is None else ExpressionNetwork(expression_network),
        frames=frames,
    )
    with make_progress(quiet=as_json) as bar:
        task = bar.add_task("measuring", total=None, note="")
        stats = measure_dataset(
            dataset,
            tools,
            split=split,
            limit=limit,
            cache=None if no_cache else cache or cache_folder() / "stats.sqlite",
            notes=notes,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if out is not None:
        write_page(out, stats)
    record = stats.record
    if as_json:
        click.echo(json.dumps(record, indent=1))
        return
    measured = record["measured"]
    click.echo(f"{dataset}: {measured['sequences']} of {record['sequences']} sequences, {measured['images']} images\n")
    click.echo(join([table.text() for table in tables(record)]), nl=False)
    for note in record["notes"]:
        click.echo(f"\nnote: {note}")
    if out is not None:
        click.echo(f"\nlook at  {out}")
