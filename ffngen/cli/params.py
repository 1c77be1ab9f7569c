"""``ffngen params``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ffngen.atomic import write_atomic
from ffngen.cli.params_fit import command as fit_command
from ffngen.cli.progress import make_progress
from ffngen.errors import FfngenError
from ffngen.head.load import load_head
from ffngen.images import encode_png
from ffngen.job import load_job
from ffngen.params.labels import WORD, apply_labels, read_labels
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.people import give_to_people
from ffngen.params.read import FORMATS, read_parameter_sets
from ffngen.params.select import select_per_class
from ffngen.params.source import SampledSource, check_fits
from ffngen.params.table import SUFFIX, write_parameter_sets

#: Rows that ``show`` lists, and faults that ``validate`` names.
_SHOWN, _FAULTS = 20, 20

_FORMAT = click.option(
    "--params-format",
    type=click.Choice([known.name for known in FORMATS]),
    help="Whose files they are, where their content does not tell.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
_HEAD = click.option("--head", default="open", show_default=True, help="open, or the path of a FLAME model.")
_TEETH = click.option("--head-teeth", is_flag=True, help="Add VHAP's and GaussianAvatars' teeth to FLAME.")
_FAMILY = click.option("--head-family", help="The FLAME version, where the file's name does not tell.")


@click.group("params", commands={"fit": fit_command})
def command() -> None:
    """Faces' parameters: read what trackers write, label, select, check and look at them.

    \b
    ffngen params import emoca_output/ faces.parquet
    ffngen params select faces.parquet balanced.parquet --per-class 1000
    ffngen render --head FLAME2020/generic_model.pkl --params balanced.parquet
    """


def _out(path: Path) -> Path:
    if path.suffix.lower() != SUFFIX:
        raise click.BadParameter(f"{path} must end in {SUFFIX}", param_hint="OUT")
    if not path.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {path.parent}", param_hint="OUT")
    return path


def _read(source: Path, params_format: str | None, *, quiet: bool) -> list[ParameterSet]:
    console = Console(stderr=True, quiet=quiet or not Console(stderr=True).is_terminal)
    with console.status(f"reading {escape(str(source))}"):
        return read_parameter_sets(source, params_format)


def summary_of(sets: Sequence[ParameterSet]) -> dict[str, Any]:
    """What there is, JSON-ready."""
    return {
        "sets": len(sets),
        "identities": len({one.identity for one in sets}),
        "videos": len({(one.identity, one.track) for one in sets if one.track is not None}),
        "cameras": sum(one.camera is not None for one in sets),
        "families": dict(Counter(one.family for one in sets)),
        "emotions": dict(Counter(one.emotion for one in sets)),
    }


def _report(sets: Sequence[ParameterSet], out: Path | None, *, as_json: bool, **more: Any) -> None:
    summary = {**({} if out is None else {"out": str(out)}), **summary_of(sets), **more}
    if as_json:
        click.echo(json.dumps(summary))
        return
    place = "" if out is None else f"{out}: "
    videos = f", {summary['videos']} videos" if summary["videos"] else ""
    click.echo(f"{place}{summary['sets']} sets of {summary['identities']} people{videos}")
    for name in ("families", "emotions"):
        click.echo(f"  {name}: {', '.join(f'{word} {count}' for word, count in sorted(summary[name].items()))}")


@command.command("formats")
@_JSON
def formats_command(as_json: bool) -> None:
    """List what is read, and the word for each."""
    if as_json:
        click.echo(json.dumps({known.name: known.looks for known in FORMATS}, indent=1))
        return
    width = max(len(known.name) for known in FORMATS)
    for known in FORMATS:
        click.echo(f"{known.name:<{width}}  {known.looks}{' (must be named)' if known.must_be_named else ''}")


@command.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@_FORMAT
@click.option(
    "--labels", type=click.Path(path_type=Path), help="CSV of pictures and emotions (words, or AffectNet's numbers)."
)
@click.option("--emotion", help="One emotion for all.")
@click.option("--fps", type=float, help="Frames per second of the videos, where the tracker does not say.")
@click.option("--people", type=click.IntRange(1, 100_000), metavar="N",
              help="Give recordings (livelink, mediapipe) to N people that are drawn with --seed.")  # fmt: skip
@_SEED
@click.option("--without-eyelids", is_flag=True, help="Leave the trackers' eyelid parameters away.")
@_JSON
def import_command(
    source: Path,
    out: Path,
    params_format: str | None,
    labels: Path | None,
    emotion: str | None,
    fps: float | None,
    people: int | None,
    seed: int,
    without_eyelids: bool,
    as_json: bool,
) -> None:
    """Read SOURCE, what a tracker wrote, and write it as the table OUT.parquet.

    Emotions are the names of folders above (happy, sad, ...), or come from --labels or --emotion.
    """
    _out(out)
    if emotion is not None and not WORD.fullmatch(emotion):
        raise click.BadParameter(f"{emotion[:64]!r} is not a plain word", param_hint="--emotion")
    if labels is not None and emotion is not None:
        raise click.UsageError("give --labels or --emotion, not both")
    sets = _read(source, params_format, quiet=as_json)
    more: dict[str, Any] = {}
    if labels is not None:
        sets, more["unlabelled"] = apply_labels(sets, read_labels(labels))
        if more["unlabelled"] and not as_json:
            click.echo(f"ffngen: {labels} says nothing of {more['unlabelled']} sets, which keep their label", err=True)
    if emotion is not None:
        sets = [replace(one, emotion=emotion) for one in sets]
    if fps is not None:
        sets = [one if one.track is None else replace(one, fps=fps) for one in sets]
    if people is not None:
        sets = give_to_people(sets, people, load_head("open").shape_count, seed)
    if without_eyelids:
        sets = [replace(one, eyelids=np.zeros(2)) for one in sets]
    write_parameter_sets(out, sets)
    _report(sets, out, as_json=as_json, **more)


@command.command("sample")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--identities", type=click.IntRange(min=1), default=1, show_default=True, help="How many people.")
@click.option("--emotion", "emotions", metavar="WORD[,...]", help="Emotions in turn.  [default: all]")
@_HEAD
@_FAMILY
@_SEED
@_JSON
def sample_command(
    out: Path, identities: int, emotions: str | None, head: str, head_family: str | None, seed: int, as_json: bool
) -> None:
    """Draw random people with expressions and poses, those that `ffngen render` would draw, into OUT.parquet."""
    _out(out)
    fields: dict[str, Any] = {"identities": identities, "seed": seed, "head": head}
    fields |= {"head_family": head_family} if head_family is not None else {}
    fields |= {"emotions": tuple(word.strip() for word in emotions.split(","))} if emotions is not None else {}
    source = SampledSource(load_job(None, fields), load_head(head, family=head_family))
    sets = [source.parameters(index) for index in range(len(source))]
    write_parameter_sets(out, sets)
    _report(sets, out, as_json=as_json)


@command.command("select")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--per-class", type=click.IntRange(min=1), required=True, help="Photos and videos of each emotion.")
@_FORMAT
@_SEED
@_JSON
def select_command(
    source: Path, out: Path, per_class: int, params_format: str | None, seed: int, as_json: bool
) -> None:
    """Draw a subset of SOURCE with as many of each emotion, as the paper does, into OUT.parquet."""
    _out(out)
    sets = select_per_class(_read(source, params_format, quiet=as_json), per_class, seed)
    write_parameter_sets(out, sets)
    _report(sets, out, as_json=as_json)


@command.command("validate")
@click.argument("source", type=click.Path(path_type=Path))
@_HEAD
@_TEETH
@_FAMILY
@_FORMAT
@_JSON
def validate_command(
    source: Path, head: str, head_teeth: bool, head_family: str | None, params_format: str | None, as_json: bool
) -> None:
    """Check that every set of SOURCE can be rendered with a head. Exits with 1 when one cannot."""
    model = load_head(head, family=head_family, teeth=head_teeth)
    sets = _read(source, params_format, quiet=as_json)
    faults = []
    frames: dict[tuple[str, str, int | None], int] = {}
    for number, one in enumerate(sets, 1):
        try:
            check_fits(one, model)
        except FfngenError as error:
            faults.append(f"set {number}: {error}")
        if one.track is not None:
            first = frames.setdefault((one.identity, one.track, one.frame), number)
            if first != number:
                faults.append(f"set {number}: frame {one.frame} of {one.track} of {one.identity} is set {first}, too")
    if as_json:
        click.echo(json.dumps({**summary_of(sets), "faults": faults}))
    else:
        _report(sets, None, as_json=False)
        for fault in faults[:_FAULTS]:
            click.echo(click.style("FAILED", fg="red") + f" {fault}")
        if len(faults) > _FAULTS:
            click.echo(f"and {len(faults) - _FAULTS} more")
        click.echo(click.style("failed", fg="red") if faults else click.style("passed", fg="green"))
    if faults:
        raise SystemExit(1)


@command.command("show")
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--thumbnails", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.png",
              help="Draw the heads, shaded, on one sheet.")  # fmt: skip
@click.option("--limit", type=click.IntRange(min=1), default=_SHOWN, show_default=True, help="Sets that are shown.")
@_HEAD
@_TEETH
@_FAMILY
@_FORMAT
@_JSON
def show_command(
    source: Path,
    thumbnails: Path | None,
    limit: int,
    head: str,
    head_teeth: bool,
    head_family: str | None,
    params_format: str | None,
    as_json: bool,
) -> None:
    """List SOURCE's sets, and draw their heads with --thumbnails. Those shown are spread evenly."""
    sets = _read(source, params_format, quiet=as_json)
    shown = [sets[i] for i in np.linspace(0, len(sets) - 1, min(limit, len(sets))).round().astype(int)]
    if thumbnails is not None:
        # Ray casting needs what the extra `render` brings; listing does not.
        from ffngen.dataset.thumbnails import thumbnail_sheet

        model = load_head(head, family=head_family, teeth=head_teeth)
        for one in shown:
            check_fits(one, model)
        with make_progress(quiet=as_json) as progress:
            task = progress.add_task("drawing", total=len(shown), note="")
            sheet = thumbnail_sheet(model, shown, progress=lambda done: progress.update(task, completed=done))
        write_atomic(thumbnails, encode_png(sheet))
    if as_json:
        rows = [_row(one) for one in shown]
        click.echo(json.dumps({**summary_of(sets), "shown": rows, "thumbnails": thumbnails and str(thumbnails)}))
        return
    table = Table(box=None)
    for name in ("identity", "emotion", "family", "betas", "expression", "frame", "head turned", "camera"):
        table.add_column(name, no_wrap=True)
    for one in shown:
        row = _row(one)
        table.add_row(*(escape(str(row[name])) if row[name] is not None else "" for name in row))
    Console(width=None if Console().is_terminal else 160).print(table)
    _report(sets, None, as_json=False)
    if thumbnails is not None:
        click.echo(f"  look at {thumbnails}")


def _row(one: ParameterSet) -> dict[str, Any]:
    turned = float(sum(one.pose[:6].reshape(2, 3) ** 2).sum() ** 0.5)
    return {
        "identity": one.identity,
        "emotion": one.emotion,
        "family": one.family,
        "betas": len(one.betas),
        "expression": len(one.expression),
        "frame": None if one.frame is None else f"{one.track} {one.frame}",
        "head_turned": f"{turned:.2f} rad",
        "camera": None if one.camera is None else f"{one.camera.width}x{one.camera.height}",
    }
