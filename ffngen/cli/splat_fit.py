"""``ffngen splat fit``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click

from ffngen.cli.progress import make_progress
from ffngen.extras import require

_MEASURES = (("psnr_head", "PSNR of the head", " dB"), ("psnr", "of the picture", " dB"),
             ("ssim_head", "SSIM of the head", ""), ("ssim", "of the picture", ""))  # fmt: skip


@click.command("fit")
@click.argument("source", metavar="DATASET|FOLDER", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder of the result.")
@click.option(
    "--avatar",
    "avatar_path",
    type=click.Path(path_type=Path),
    help="What to begin with: a point_cloud.ply, or a folder of GaussianAvatars.  [default: a mean skin on the head]",
)
@click.option(
    "--count", type=click.IntRange(100, 5_000_000), default=30_000, show_default=True,
    help="Without --avatar: how many Gaussians.",
)  # fmt: skip
@click.option("--identity", help="Which person, where there are several.")
@click.option("--head", default="open", show_default=True, help="open, or the path of a FLAME model.")
@click.option("--head-family", help="The FLAME version, where the file's name does not tell.")
@click.option("--head-teeth", is_flag=True, help="Add VHAP's and GaussianAvatars' teeth to FLAME.")
@click.option("--steps", type=click.IntRange(1, 10_000_000), default=1500, show_default=True)
@click.option(
    "--resolution", type=click.IntRange(16, 8192), default=512, show_default=True, metavar="PIXELS",
    help="Scale pictures down so that the longer side is at most so long.",
)  # fmt: skip
@click.option(
    "--sh-degree", type=click.IntRange(0, 3), default=0, show_default=True,
    help="Of the harmonics: 0 is one colour from all sides.",
)  # fmt: skip
@click.option("--move", is_flag=True, help="Fit places and turns, too; flow is then less exact.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("--overwrite", is_flag=True, help="Begin anew, whatever --out holds.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def fit(
    source: Path,
    out: Path,
    avatar_path: Path | None,
    count: int,
    identity: str | None,
    head: str,
    head_family: str | None,
    head_teeth: bool,
    steps: int,
    resolution: int,
    sh_degree: int,
    move: bool,
    device: Literal["auto", "cpu", "cuda"],
    seed: int,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Fit an avatar's colours, opacities and scales to pictures of the person, and write OUT/point_cloud.ply.

    The pictures are those of one person of an ffngen DATASET, or of a FOLDER of VHAP or GaussianAvatars
    (transforms.json, flame_param/, images/, fg_masks/). Every eighth picture is kept for judging. Colours are those
    of the light in the pictures: of several lights they are the mean. A fit that was stopped goes on when you repeat
    the command.

    \b
    ffngen render --rig nersemble --n-frames 5 --props none --out views
    ffngen splat fit views --out avatar
    ffngen splat fit nersemble/074 --head FLAME2023/ --head-teeth --avatar point_cloud.ply --out fitted

    Ends with OUT/point_cloud.ply, OUT/fit.json and OUT/comparison.png to look at.
    """
    require("splat", "torch", "numba")
    # PyTorch takes seconds to import, which --help should not.
    from ffngen.avatar_fit.run import SHEET, mean_avatar, open_run, run_fit
    from ffngen.avatar_fit.settings import FitSettings
    from ffngen.avatar_fit.source import open_source
    from ffngen.head.load import load_head
    from ffngen.splat.ply import NAME, read_avatar

    settings = FitSettings(steps, resolution, sh_degree, move, seed)
    model = load_head(head, family=head_family, teeth=head_teeth)
    views = open_source(source, model, identity)
    start = mean_avatar(views, model, count, seed) if avatar_path is None else read_avatar(avatar_path)
    run = open_run(views, model, start, settings, out, device=device, overwrite=overwrite)
    result = run.result
    if result is None:
        with make_progress(quiet=as_json) as bar:
            task = bar.add_task("fitting", total=steps, note="")
            result = run_fit(
                run,
                lambda step: bar.update(
                    task, completed=step.done, note=f"loss {step.loss:.4f}  PSNR {step.psnr:.1f} dB"
                ),
            )
    elif not as_json:
        click.echo(f"ffngen: {out} holds this fit, finished; --overwrite makes it anew", err=True)
    if as_json:
        click.echo(json.dumps({"out": str(out / NAME), **result}, indent=1))
        return
    _report(result, out / NAME, out / SHEET)


def _report(result: dict[str, Any], cloud: Path, sheet: Path) -> None:
    asked = result["asked"]
    views = asked["views"]
    click.echo(f"    avatar  {asked['gaussians']} Gaussians in {cloud}")
    click.echo(f"  fitted to {views['fitted']} pictures of {asked['identity']}; {len(views['held_out'])} others show")
    for key, name, unit in _MEASURES:
        digits = 2 if unit else 4
        click.echo(f"            {name}  {result['before'][key]:.{digits}f} -> {result['after'][key]:.{digits}f}{unit}")
    click.echo(f"   look at  {sheet}")
