"""``ffngen simulate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ffngen.cli.job_options import several


@click.group("simulate")
def command() -> None:
    """Make sets that nobody could record, with their truth, in the layout of real ones."""


@command.command("me")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--subjects", type=click.IntRange(2, 9999), default=16, show_default=True, help="How many people.")
@click.option("--clips", type=click.IntRange(1, 99), default=1, show_default=True, help="Of each person and class.")
@click.option(
    "--classes",
    callback=several(str),
    metavar="CLASS[,...]",
    help="Of assets/expressions/micro.yaml.  [default: CASME II's five]",
)
@click.option(
    "--amplitude",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.3,
    show_default=True,
    help="The share of the full expression that is reached at the apex.",
)
@click.option(
    "--ratio",
    "ratios",
    default="1",
    show_default=True,
    metavar="R[,...]",
    help="How far the head moves a face, in units of how far the expression does; a folder for each of several.",
)
@click.option("--resolution", default="256x256", show_default=True, metavar="WxH", help="Of the images.")
@click.option("--scene", default="laboratory", show_default=True, help="A preset, or a scene of your own.")
@click.option(
    "--props",
    callback=several(str),
    metavar="KIND[,...]",
    help="Of lashes, brows, hair, glasses, collar; or none.  [default: all]",
)
@click.option("--samples", type=click.IntRange(1, 65_536), help="Cycles samples per pixel.  [default: 16]")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="People, expressions, turns.")
@click.option("--device", default="auto", show_default=True, help="What Cycles renders on.")
@click.option("--workers", type=click.IntRange(1, 1024), help="Render processes.  [default: chosen]")
@click.option("--json", "as_json", is_flag=True, help="Print what was made as JSON.")
def me_command(
    out: Path,
    subjects: int,
    clips: int,
    classes: tuple[str, ...] | None,
    amplitude: float,
    ratios: str,
    resolution: str,
    scene: str,
    props: tuple[str, ...] | None,
    samples: int | None,
    seed: int,
    device: str,
    workers: int | None,
    as_json: bool,
) -> None:
    """Make a set of micro-expressions in OUT, in CASME II's own layout.

    Each clip is an onset (neutral, frontal), an apex, which reaches a small share of an expression while the head
    turns, and an offset, where the expression is gone and the head has turned on. One camera and one light for
    everybody. The head's motion is set against the expression's: with --ratio 4 it moves a face's points four times
    as far. People and expressions are the same for all ratios, and only the turn differs.

    \b
    ffngen simulate me micro                               # 16 people, five classes: 80 clips
    ffngen simulate me sweep --ratio 0,1,4,16              # sweep/ratio_0, sweep/ratio_1, ...
    ffngen mer micro --model dis --flows "true expression=micro/flow/expression"

    \b
    OUT/CASME2-coding-20140508.xlsx, OUT/Cropped           what `ffngen mer OUT` reads
    OUT/flow/facial, head, expression                      true flow from onset to apex
    OUT/render                                             the dataset: ffngen verify, view, label
    OUT/simulation.json                                    settings, and mean lengths of both motions

    A run that was stopped goes on where it was.
    """
    from ffngen.extras import require
    from ffngen.simulation.classes import FIVE_CLASSES
    from ffngen.simulation.micro_set import MicroSet
    from ffngen.simulation.samples import SimulationSettings

    require("mer", "openpyxl")
    fields: dict[str, Any] = {"resolution": resolution, "scene": scene, "device": device}
    given = {"props": props, "samples": samples, "workers": workers}
    fields |= {name: value for name, value in given.items() if value is not None}
    wanted = _parse_ratios(ratios)
    sets = []
    for ratio in wanted:
        settings = SimulationSettings(subjects, clips, amplitude, ratio, classes or FIVE_CLASSES, seed)
        sets.append(MicroSet(out if len(wanted) == 1 else out / f"ratio_{ratio:g}", settings, fields))
    # All ratios first, so that a fault of the last one is named before the first is rendered.
    jobs = [None if one.is_complete else one.prepare() for one in sets]
    made = [
        {"folder": str(one.out), **(one.record if job is None else _make(one, job, quiet=as_json))}
        for one, job in zip(sets, jobs, strict=True)
    ]
    if as_json:
        click.echo(json.dumps(made, indent=1))
        return
    for record in made:
        head, expression = record["head_flow_px"], record["expression_flow_px"]
        click.echo(
            f"{record['folder']}: {record['clips_in_all']} clips of {record['subjects']} people; from onset to apex "
            f"heads move {head:.3f} px, expressions {expression:.3f} px, on the head's pixels"
        )
    click.echo(f"classify with  ffngen mer {made[0]['folder']} --model dis")


def _parse_ratios(text: str) -> tuple[float, ...]:
    try:
        ratios = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a list such as 0,1,4,16", param_hint="--ratio") from None
    if not all(0 <= ratio <= 100 for ratio in ratios) or len(set(ratios)) != len(ratios):
        raise click.BadParameter("ratios lie from 0 to 100, each once", param_hint="--ratio")
    return ratios


def _make(micro_set: Any, job: Any, *, quiet: bool) -> dict[str, Any]:
    """Render one set and lay it out; returns its record."""
    from ffngen.cli.progress import make_progress
    from ffngen.cli.render import follow_run
    from ffngen.cli.render_report import RenderReporter
    from ffngen.cli.terminate import TERMINATED
    from ffngen.dataset.context import open_context
    from ffngen.dataset.render import render_dataset

    reporter = RenderReporter(quiet=quiet, device_asked_for=job.device)
    context = open_context(job, progress=reporter.say)
    reporter.say(f"{micro_set.out}: {len(micro_set.clips)} clips")
    summary = follow_run(job, reporter, lambda no_more: render_dataset(context, no_more=no_more), grace=20)
    if summary["failed"]:
        reporter.show(summary)
        raise SystemExit(1)
    if summary["terminated"]:
        raise SystemExit(TERMINATED)
    with make_progress(quiet=quiet) as progress:
        task = progress.add_task("laying out", total=len(micro_set.clips), note="")
        record: dict[str, Any] = micro_set.finish(job, lambda done, total: progress.update(task, completed=done))
    return record
