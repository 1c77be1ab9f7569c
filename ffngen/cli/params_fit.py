"""``ffngen params fit``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ffngen.cli.progress import make_progress

if TYPE_CHECKING:
    from ffngen.fit.fit import FitResult

#: Pictures that are listed: those without a face, and those that fit worst.
_SHOWN = 10


@click.command("fit")
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--same-person",
    is_flag=True,
    help="A folder's photos all show one person. With a dozen, raised brows are told from high ones.",
)
@click.option("--head", default="open", show_default=True, help="open, or the path of a FLAME model.")
@click.option("--head-family", help="The FLAME version, where the file's name does not tell.")
@click.option(
    "--fov",
    type=float,
    metavar="DEGREES",
    help="The camera's angle of view along the longer side.  [default: a photo's EXIF data; else 30]",
)
@click.option("--smoothing", type=float, default=1.0, show_default=True, help="Of videos; 0 for none.")
@click.option(
    "--preview",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for pictures of what was found and fitted.",
)
@click.option(
    "--frames",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the frames of videos, for ffngen render --source-images.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(
    source: Path,
    out: Path,
    same_person: bool,
    head: str,
    head_family: str | None,
    fov: float | None,
    smoothing: float,
    preview: Path | None,
    frames: Path | None,
    as_json: bool,
) -> None:
    """Fit a head to the faces of SOURCE, a photo, a video or a folder, and write OUT.parquet.

    No tracker is needed. Each photo is a person of its own, and so is each video and each folder within a folder.
    The largest face of a picture is taken, and followed in a video; heads turned by more than 60 degrees are not found.
    Brows and lids are looked for more closely for the open head than for FLAME.

    \b
    ffngen params fit portrait.jpg me.parquet --preview seen
    ffngen params fit talking.mp4 talking.parquet
    ffngen render --params talking.parquet --motion tracked --camera tracked
    ffngen params fit talking.mp4 talking.parquet --frames seen
    ffngen render --params talking.parquet --camera tracked --source-images seen
    """
    from ffngen.fit.detect import FaceDetector
    from ffngen.fit.fit import FitOptions, fit_images
    from ffngen.fit.footage import open_footage
    from ffngen.fit.preview import write_frames, write_previews
    from ffngen.head.load import load_head
    from ffngen.params.table import SUFFIX, write_parameter_sets

    if out.suffix.lower() != SUFFIX:
        raise click.BadParameter(f"{out} must end in {SUFFIX}", param_hint="OUT")
    if not out.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no folder {out.parent}", param_hint="OUT")
    options = FitOptions(field_of_view=fov, smoothing=smoothing)
    people = open_footage(source, same_person=same_person)
    detector = FaceDetector()
    model = load_head(head, family=head_family)
    with make_progress(quiet=as_json) as bar:
        task = bar.add_task("finding faces", total=None, note="")

        def show(what: str, done: int, total: int | None) -> None:
            bar.update(task, description=what, completed=done, total=total)

        result = fit_images(people, model, detector, options, show)
        write_parameter_sets(out, result.sets)
        if preview is not None:
            write_previews(preview, people, result, model, lambda done, total: show("drawing", done, total))
        if frames is not None:
            write_frames(frames, people, result, lambda done, total: show("writing frames", done, total))
    _report(result, out, preview, as_json)


def _report(result: FitResult, out: Path, preview: Path | None, as_json: bool) -> None:
    errors = sorted(((frame.error, frame.name) for frame in result.frames), reverse=True)
    identities = len({frame.parameters.identity for frame in result.frames})
    median = errors[len(errors) // 2][0]
    if as_json:
        summary: dict[str, Any] = {
            "out": str(out),
            "sets": len(errors),
            "identities": identities,
            "median_error": median,
            "frames": [{"name": frame.name, "error": frame.error} for frame in result.frames],
            "skipped": [{"name": name, "why": why} for name, why in result.skipped],
        }
        click.echo(json.dumps(summary, indent=1))
        return
    click.echo(f"      sets  {len(errors)} of {identities} {'person' if identities == 1 else 'people'} in {out}")
    click.echo(f"     error  {100 * median:.1f}% of the eyes' distance in the median picture; at worst")
    for error, name in errors[:3]:
        click.echo(f"            {100 * error:5.1f}%  {name}")
    # What is rare is told first: one damaged file among many frames without a face.
    often = Counter(why for _, why in result.skipped)
    for name, why in sorted(result.skipped, key=lambda one: often[one[1]])[:_SHOWN]:
        click.echo(f"   skipped  {name}: {why}")
    if len(result.skipped) > _SHOWN:
        click.echo(f"            and {len(result.skipped) - _SHOWN} more")
    if preview is not None:
        click.echo(f"   look at  {preview}")
