"""Options of the command line that override the fields of a job of the same names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click

from ffngen.cli.values import PLACE
from ffngen.engine import Engine, FlowMode
from ffngen.flow.files import FlowFormat


def several(kind: type[int] | type[str]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback that splits ``5,10`` into a list."""

    def split(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return tuple(kind(part.strip()) for part in value.split(","))
        except ValueError:
            raise click.BadParameter(f"{value!r} is not a list such as 5,10,20") from None

    return split


#: What every engine takes.
_FIELDS = (
    click.option("--out", type=PLACE, help="Folder of the dataset, or s3://BUCKET/PREFIX.  [default: dataset]"),
    click.option("--n-frames", callback=several(int), metavar="N[,N...]", help="Frames per sequence.  [default: 10]"),
    click.option("--include-neutral", is_flag=True, default=None, help="Prepend the neutral frame t = 0."),
    click.option("--identities", type=int, help="How many identities to sample.  [default: 1]"),
    click.option(
        "--emotion", "emotions", callback=several(str), metavar="WORD[,...]", help="Emotions in turn.  [default: all]"
    ),
    click.option("--params", help="sample, or a tracker's files (ffngen params formats).  [default: sample]"),
    click.option("--params-format", help="Whose files they are, where their content does not tell."),
    click.option(
        "--motion",
        type=click.Choice(["interpolate", "tracked"]),
        help="From neutral to each parameter set, or as a video was tracked.  [default: interpolate]",
    ),
    click.option(
        "--motion-profile",
        type=click.Choice(["linear", "ease", "micro"]),
        help="How an interpolated face moves; micro: onset, apex, offset.  [default: linear]",
    ),
    click.option("--amplitude", type=float, help="Share of the expression reached.  [default: 1; micro: 0.25]"),
    click.option("--pose-amplitude", type=float, help="Share of the head pose reached.  [default: 1]"),
    click.option("--frame-step", type=int, help="Tracked: every so many frames of the video.  [default: 1]"),
    click.option("--frame-range", metavar="FIRST:LAST", help="Tracked: these frames of the video.  [default: all]"),
    click.option("--fps", type=float, help="Tracked: resample to so many frames per second."),
    click.option(
        "--camera",
        type=click.Choice(["preset", "tracked"]),
        help="The scene's, or the one that the tracker saw the face with.  [default: preset]",
    ),
    click.option("--rig", help="Several cameras: nersemble, or a transforms.json.  [default: one camera]"),
    click.option(
        "--views", callback=several(int), metavar="N[,N...]", help="Which of the rig's cameras, from 0.  [default: all]"
    ),
    click.option(
        "--source-images",
        type=click.Path(path_type=Path),
        help="Folder of the tracked pictures: each is its face's background.",
    ),
    click.option("--head", help="open, or the path of a FLAME model.  [default: open]"),
    click.option("--head-family", help="The FLAME version, where the file's name does not tell."),
    click.option("--head-teeth", is_flag=True, default=None, help="Add VHAP's and GaussianAvatars' teeth to FLAME."),
    click.option("--jaw-motion", type=click.Choice(["pose", "expression"]), help="What the jaw's rotation belongs to."),
    click.option("--textures", help="generated, a folder of UV textures, or FLAME_texture.npz.  [default: generated]"),
    click.option(
        "--props",
        callback=several(str),
        metavar="KIND[,...]",
        help="Of lashes, brows, hair, glasses, collar; or none.  [default: all, with generated textures]",
    ),
    click.option("--backgrounds", help="hdri, or a folder of photographs.  [default: hdri]"),
    click.option(
        "--hdris", type=click.Path(path_type=Path), help="Folder of .hdr or .exr surroundings.  [default: the scene's]"
    ),
    click.option("--scene", help="A preset (ffngen scene list), or a .yaml or .blend file.  [default: portrait]"),
    click.option("--resolution", metavar="WxH", help="Image size in pixels.  [default: 512x512]"),
    click.option("--workers", type=int, help="Render processes.  [default: one per GPU, or per four cores]"),
    click.option("--threads", type=int, help="Threads of each process.  [default: the cores shared out]"),
    click.option("--seed", type=int, help="Seeds everything that varies.  [default: 0]"),
    click.option("--flow-format", type=click.Choice([f.value for f in FlowFormat]), help="Flow files.  [default: flo]"),
    click.option(
        "--labels",
        callback=several(str),
        metavar="LABEL[,...]",
        help="Labels to add: all, backward, occlusion, ... (ffngen label --help).  [default: none]",
    ),
    click.option(
        "--label-pairs",
        callback=several(str),
        metavar="N[,...]",
        help="Flow between frames so far apart, or first-last.  [default: none]",
    ),
    click.option("--image-format", type=click.Choice(["jpg", "png"]), help="Colour images.  [default: jpg]"),
    click.option(
        "--folders",
        type=click.Choice(["published", "spread"]),
        help="One folder per emotion, or 256 of them, for more than 10,000 sequences.  [default: published]",
    ),
)


#: What Cycles takes besides.
_CYCLES = (
    click.option("--samples", type=int, help="Cycles samples per pixel.  [default: 16]"),
    click.option(
        "--device",
        type=click.Choice(["auto", "cpu", "cuda", "optix", "hip", "oneapi", "metal"]),
        help="What Cycles renders on.  [default: auto]",
    ),
)

#: What Gaussians take besides.
_SPLAT = (
    click.option("--gaussians", type=int, help="Gaussians on a head without an avatar.  [default: 200000]"),
    click.option(
        "--flow-mode",
        type=click.Choice(get_args(FlowMode)),
        help="What Gaussians say of motion; affine is exact on triangles, mean the paper's.  [default: affine]",
    ),
)

#: How a run goes on.
_RUN = (
    click.option("--overwrite", is_flag=True, help="Delete the dataset that is in the folder."),
    click.option("--shard", metavar="I/N", help="Render part I of N alone, counted from 0; or auto, or auto/N."),
    click.option(
        "--grace",
        type=click.FloatRange(0, 86_400),
        default=20.0,
        show_default=True,
        metavar="SECONDS",
        help="After SIGTERM, how long the sequences at work may take.",
    ),
    click.option("--dry-run", is_flag=True, help="List what would be rendered, with disk and time estimates."),
    click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
)


def job_options(engine: Engine) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A decorator that adds the options of jobs of an engine, and those of a run."""

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed((*_FIELDS, *(_CYCLES if engine == "cycles" else _SPLAT), *_RUN)):
            command = option(command)
        return command

    return add
