"""``ffngen texture``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ffngen.cli.progress import make_progress

#: Pictures without parameters that are named.
_SHOWN = 5


@click.group("texture")
def command() -> None:
    """Make UV textures from photographs."""


@command.command("extract")
@click.argument("photos", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--params",
    required=True,
    type=click.Path(path_type=Path),
    help="What ffngen params fit or import wrote, any tracker's files, or an ffngen dataset that holds PHOTOS.",
)
@click.option("--params-format", help="Whose files they are, where their content does not tell.")
@click.option("--head", default="open", show_default=True, help="open, or the path of a FLAME model.")
@click.option("--head-family", help="The FLAME version, where the file's name does not tell.")
@click.option("--head-teeth", is_flag=True, help="Add VHAP's and GaussianAvatars' teeth to FLAME.")
@click.option(
    "--size", type=click.IntRange(64, 8192), default=1024, show_default=True, help="Texels along a side of a texture."
)
@click.option(
    "--most-views",
    type=click.IntRange(1, 100),
    default=12,
    show_default=True,
    help="Of more pictures of a person, so many are taken, evenly spaced.",
)
@click.option("--overwrite", is_flag=True, help="Make anew what is in OUT already.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def extract_command(
    photos: tuple[Path, ...],
    out: Path,
    params: Path,
    params_format: str | None,
    head: str,
    head_family: str | None,
    head_teeth: bool,
    size: int,
    most_views: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Make the UV texture of each person in PHOTOS, files or folders, and write it to the folder OUT.

    The pictures of a person are projected onto the head that was tracked in them, freed of light and gloss, and
    blended; what no picture shows comes from the other side of the face and from a mean skin, and eyes, teeth and
    the inside of the mouth are painted. OUT/NAME.png is the texture, OUT/NAME/preview.png shows it on the head, and
    OUT/NAME/confidence.png is bright where it was seen well and black where it was made up.

    \b
    ffngen params fit portrait.jpg me.parquet
    ffngen texture extract portrait.jpg textures --params me.parquet
    ffngen render --params me.parquet --textures textures

    What is in OUT already, made of the same pictures and parameters, is kept.
    """
    from ffngen.head.load import load_head
    from ffngen.texture.folder import write_textures
    from ffngen.texture.people import find_people

    model = load_head(head, family=head_family, teeth=head_teeth)
    people = find_people(photos, params, model, params_format, most_views)
    with make_progress(quiet=as_json) as bar:
        task = bar.add_task("textures", total=len(people.persons), note="")
        written = []
        for one in write_textures(
            out, people, model, size=size, overwrite=overwrite, progress=lambda what: bar.update(task, note=what)
        ):
            written.append(one)
            bar.update(task, advance=1, note="")
    if as_json:
        strangers = [str(path) for path in people.strangers]
        click.echo(
            json.dumps({"textures": [one.to_json() for one in written], "without_parameters": strangers}, indent=1)
        )
        return
    for one in written:
        views = f"{one.views} picture{'s' if one.views > 1 else ''}"
        note = ", kept" if one.kept else ""
        click.echo(f"{one.texture}  from {views}, which show {one.seen:.0%} of the skin{note}")
    if people.strangers:
        names = ", ".join(path.name for path in people.strangers[:_SHOWN])
        more = ", ..." if len(people.strangers) > _SHOWN else ""
        click.echo(f"without parameters: {len(people.strangers)} pictures ({names}{more})")
    if written:
        click.echo(f"look at  {written[0].texture.with_suffix('')}/preview.png")
