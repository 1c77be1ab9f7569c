"""``ffngen flow``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import write_atomic
from ffngen.errors import InputFileError
from ffngen.flow.color import error_map, flow_legend, flow_to_rgb
from ffngen.flow.files import FlowFormat, read_flow, write_flow
from ffngen.flow.values import Flow, check_size, known
from ffngen.images import encode_png
from ffngen.metrics.flow_errors import endpoint_error, flow_errors

_LEGEND = 48
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON.")


@click.group("flow")
def command() -> None:
    """Look at flow files, and convert them: .flo, .cflo, .exr, .npz, FlyingThings' .pfm, KITTI's .png, Spring's .flo5.

    \b
    ffngen flow show dataset/flow/facial/train/happy/*/0001.flo --color pictures/
    ffngen flow diff estimate.flo truth.flo --color error.png
    ffngen flow convert *.cflo --to flo --out plain/
    """


@command.command("show")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--color", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Write a picture of each, FILE.png, in Middlebury's colours.")  # fmt: skip
@click.option("--max", "longest", type=click.FloatRange(min=0, min_open=True), metavar="PIXELS",
              help="The length of the fullest colour.  [default: the longest motion of all files]")  # fmt: skip
@_JSON
def show_command(files: tuple[Path, ...], color: Path | None, longest: float | None, as_json: bool) -> None:
    """Print how long the motion in FILES is and where it leads."""
    flows = [read_flow(path) for path in files]
    rows = [{"file": str(path), **_figures(flow)} for path, flow in zip(files, flows, strict=True)]
    if color is not None:
        scale = longest or max(row["max"] or 0.0 for row in rows)
        names = _picture_names(files)
        color.mkdir(parents=True, exist_ok=True)
        for name, flow in zip(names, flows, strict=True):
            write_atomic(color / name, encode_png(_with_legend(flow_to_rgb(flow, scale))))
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        size = f"{row['width']}x{row['height']}"
        if row["max"] is None:
            click.echo(f"{row['file']}: {size}, no pixel's motion is known")
            continue
        click.echo(
            f"{row['file']}: {size}, {row['known']:.1%} known, {row['moving']:.1%} moving; "
            f"length mean {row['mean']:.3f}, median {row['median']:.3f}, max {row['max']:.3f} px; "
            f"u {row['u'][0]:.3f} to {row['u'][1]:.3f}, "
            f"v {row['v'][0]:.3f} to {row['v'][1]:.3f}"
        )
    if color is not None:
        click.echo(f"  look at {color}, where {scale:.3f} px has the fullest colour")


@command.command("diff")
@click.argument("flow", type=click.Path(path_type=Path))
@click.argument("truth", type=click.Path(path_type=Path))
@click.option("--color", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.png",
              help="Write both and their error, side by side.")  # fmt: skip
@_JSON
def diff_command(flow: Path, truth: Path, color: Path | None, as_json: bool) -> None:
    """Compare FLOW with TRUTH where both are known. Formats may differ."""
    found, true = read_flow(flow), read_flow(truth)
    check_size(flow, found.shape, (true.shape[0], true.shape[1]))
    both = known(found) & known(true)
    errors = flow_errors(found, true, both)
    if errors is None:
        raise InputFileError("knows no motion that the other knows too", where=flow)
    error = np.where(both, endpoint_error(np.where(both[..., None], found, 0), np.where(both[..., None], true, 0)), 0)
    inside = error[both]
    only = int((known(found) != known(true)).sum())
    result = {
        "epe": errors.epe,
        "median": float(np.median(inside)),
        "p99": float(np.percentile(inside, 99)),
        "max": float(inside.max()),
        "px1": errors.px1,
        "px3": errors.px3,
        "fl_all": errors.fl_all,
        "magnitude": errors.magnitude,
        "pixels": errors.pixels,
        "known_in_one_alone": only,
    }
    if color is not None:
        scale = max(_figures(found)["max"] or 0.0, _figures(true)["max"] or 0.0)
        parts = (_with_legend(flow_to_rgb(found, scale)), flow_to_rgb(true, scale), error_map(error, result["max"]))
        write_atomic(color, encode_png(np.concatenate(parts, axis=1)))
    if as_json:
        click.echo(json.dumps(result))
        return
    click.echo(
        f"end-point error mean {errors.epe:.3g}, median {result['median']:.3g}, p99 {result['p99']:.3g}, max "
        f"{result['max']:.3g} px over {errors.pixels} pixels; true motion {errors.magnitude:.3g} px; above 1 px "
        f"{errors.px1:.1%}, above 3 px {errors.px3:.1%}, Fl-all {errors.fl_all:.1%}"
    )
    if only:
        click.echo(f"{only} pixels are known in one of them alone")
    if color is not None:
        click.echo(f"  look at {color}: FLOW, TRUTH, their error (white: {result['max']:.3g} px)")


_DATASET_FORMATS = {f.value: f.suffix for f in FlowFormat}
_SUFFIXES = {**_DATASET_FORMATS, "kitti": ".png", "pfm": ".pfm"}


@command.command("convert")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--to", "name", required=True, type=click.Choice(list(_SUFFIXES)), help="The format to write.")
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder to write to.")
def convert_command(files: tuple[Path, ...], name: str, out: Path) -> None:
    """Write FILES, of any format, in another one.

    There and back gives the same values, but for what exr-half (a 2048th), compact (0.00025 px) and kitti
    (1/128 px) round away. Pixels without a motion stay so; pfm cannot hold them.
    """
    stems = [Path(Path(picture).stem).stem for picture in _picture_names(files)]
    targets = [out / f"{stem}{_SUFFIXES[name]}" for stem in stems]
    there = next((target for i, target in enumerate(targets) if target.exists() or target in targets[:i]), None)
    if there is not None:
        raise InputFileError("is there already", where=there, mend="name another folder with --out")
    flow_format = FlowFormat(name) if name in _DATASET_FORMATS else None
    for path, target in zip(files, targets, strict=True):
        flow = read_flow(path)
        out.mkdir(parents=True, exist_ok=True)
        where = known(flow)
        try:
            write_flow(target, flow, None if where.all() else where, flow_format)
        except ValueError as error:
            raise InputFileError(f"cannot be written as {name}: {error}", where=path) from error
    click.echo(f"{out}: {len(files)} flows")


def _figures(flow: Flow) -> dict[str, Any]:
    where = known(flow)
    figures: dict[str, Any] = {"width": flow.shape[1], "height": flow.shape[0], "known": float(where.mean())}
    values = flow[where].astype(np.float64)
    if not len(values):
        return figures | dict.fromkeys(("moving", "mean", "median", "max", "u", "v"))
    length = np.hypot(values[:, 0], values[:, 1])
    return figures | {
        "moving": float((length > 0).mean()),
        "mean": float(length.mean()),
        "median": float(np.median(length)),
        "max": float(length.max()),
        "u": [float(values[:, 0].min()), float(values[:, 0].max())],
        "v": [float(values[:, 1].min()), float(values[:, 1].max())],
    }


def _picture_names(files: tuple[Path, ...]) -> list[str]:
    """Names of pictures; files of one name are told apart by their folders'."""
    depth = 1
    while True:
        names = ["_".join(path.absolute().parts[-depth:]) for path in files]
        if len(set(names)) == len(set(files)) or depth > 64:
            return [f"{name}.png" for name in names]
        depth += 1


def _with_legend(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    side = min(_LEGEND, *(n // 4 for n in picture.shape[:2]))
    if side >= 12:
        picture = picture.copy()
        legend = flow_legend(side)
        picture[:side, -side:] = np.where((legend < 255).any(-1, keepdims=True), legend, picture[:side, -side:])
    return picture
