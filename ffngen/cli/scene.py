"""``ffngen scene``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from ffngen.atomic import write_atomic
from ffngen.cli.progress import make_progress
from ffngen.dataset.context import open_context
from ffngen.dataset.scene_still import SceneViewer
from ffngen.dataset.thumbnails import captioned_sheet
from ffngen.images import encode_png
from ffngen.job import load_job
from ffngen.scene.preset import preset_names, preset_path

_SEED = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Another draw.")
_HEAD = click.option("--head", default="open", show_default=True, help="open, or the path of a FLAME model.")
_RESOLUTION = click.option("--resolution", default="256x256", metavar="WxH", show_default=True, help="In pixels.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.group("scene")
def command() -> None:
    """Scenes: camera, light and background. List them, look at them, take them into Blender.

    \b
    ffngen scene list
    ffngen scene preview portrait window_light my_scene.yaml --out scenes.png
    ffngen scene export passport mine.blend       # change it in Blender, then: ffngen render --scene mine.blend
    """


@command.command("list")
@_JSON
def list_command(as_json: bool) -> None:
    """The presets that ship, and what each is for."""
    about = {name: _first_comment(preset_path(name)) for name in preset_names()}
    if as_json:
        click.echo(json.dumps(about, indent=1))
        return
    width = max(map(len, about))
    for name, text in about.items():
        click.echo(f"{name:<{width}}  {text}")


def _first_comment(path: Path) -> str:
    line = path.read_text(encoding="utf-8").partition("\n")[0]
    return line.removeprefix("#").strip()


@command.command("preview")
@click.argument("scenes", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default="scene.png",
    show_default=True,
    help="The picture.",
)
@_SEED
@click.option("--draws", type=click.IntRange(1, 64), default=1, show_default=True, help="Stills of each scene.")
@_HEAD
@_RESOLUTION
@click.option("--samples", type=int, default=16, show_default=True, help="Cycles samples per pixel.")
@_JSON
def preview(scenes: tuple[str, ...], out: Path, draws: int, as_json: bool, **fields: Any) -> None:
    """Render a still of each scene (a preset's name, a .yaml or a .blend), of one person, into one PNG.

    The person is the same in all of them; --draws shows what a preset's ranges come to.
    """
    _check_folder(out)
    # Sequences of one person, of different lengths: each is a draw of its own.
    fields["n_frames"] = tuple(range(2, 2 + draws))
    with make_progress(quiet=as_json) as progress, SceneViewer() as viewer:
        task = progress.add_task("rendering", total=len(scenes) * draws, note="")
        stills = []
        for scene in scenes:
            context = open_context(load_job(None, {**fields, "scene": scene}), progress=_teller(progress, as_json))
            for index in range(draws):
                stills.append(viewer.still(context, index))
                progress.advance(task)
    captions = [
        Path(scene).stem if draws == 1 else f"{Path(scene).stem} {i + 1}" for scene in scenes for i in range(draws)
    ]
    picture = stills[0] if len(stills) == 1 else captioned_sheet(stills, captions, columns=draws if draws > 1 else 4)
    write_atomic(out, encode_png(picture))
    _report(out, as_json, size=list(np.asarray(picture).shape[1::-1]))


@command.command("export")
@click.argument("scene", metavar="NAME")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False), metavar="OUT.blend")
@_SEED
@click.option("--n-frames", type=int, default=10, show_default=True, help="Frames of the motion in it.")
@_HEAD
@_RESOLUTION
@_JSON
def export(scene: str, out: Path, as_json: bool, **fields: Any) -> None:
    """Write the Blender scene of a preset's first draw: an animated head, textures packed.

    It has the objects that `ffngen render --scene OUT.blend` looks for: head, camera, background and key_light.
    """
    _check_folder(out)
    if out.suffix != ".blend":
        raise click.BadParameter(f"{out.name} is no name of a .blend", param_hint="OUT.blend")
    with make_progress(quiet=as_json) as progress, SceneViewer() as viewer:
        progress.add_task("exporting", total=None, note="")
        context = open_context(load_job(None, {**fields, "scene": scene}), progress=_teller(progress, as_json))
        viewer.save_blend(context, out)
    _report(out, as_json, bytes=out.stat().st_size)


def _teller(progress: Any, quiet: bool) -> Callable[[str], None]:
    return lambda text: None if quiet else progress.console.print(text, highlight=False, markup=False)


def _check_folder(out: Path) -> None:
    if not out.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {out.parent}", param_hint="OUT")


def _report(out: Path, as_json: bool, **found: Any) -> None:
    click.echo(json.dumps({"out": str(out), **found}) if as_json else f"wrote {out}")
