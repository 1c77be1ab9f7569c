"""``ffngen view``."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

import click

from ffngen.atomic import write_atomic
from ffngen.cli.progress import make_progress
from ffngen.dataset.layout import SPLITS, SequenceKey
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.view import open_recording, send_dataset, viewer_layout
from ffngen.dataset.view_labels import shown_labels
from ffngen.errors import DatasetError, JobError

_SHOWN = 4
_SCREENS = {"DISPLAY", "WAYLAND_DISPLAY"}


@click.command("view")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.option("--sequence", "names", multiple=True, metavar="NAME",
              help="Show these sequences, each by its folder's name or a part of it.")  # fmt: skip
@click.option("--split", "splits", multiple=True, type=click.Choice(SPLITS), help="Show these splits.  [default: all]")
@click.option("--limit", type=click.IntRange(min=1), default=_SHOWN, show_default=True,
              help="Show so many sequences at most.")  # fmt: skip
@click.option("--save", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.rrd",
              help="Write a recording instead of opening a window; `rerun FILE.rrd` opens it.")  # fmt: skip
@click.option("--web", is_flag=True, help="Serve the viewer to browsers, of other machines too, until Ctrl-C.")
@click.option("--port", type=click.IntRange(1, 65534), default=9090, show_default=True,
              help="--web: of the page; the data come from the port after it.")  # fmt: skip
def command(
    dataset: Path,
    names: tuple[str, ...],
    splits: tuple[str, ...],
    limit: int,
    save: Path | None,
    web: bool,
    port: int,
) -> None:
    """Look at DATASET in the Rerun viewer: images, flows in colour, depth, masks, and the head before its camera.

    \b
    ffngen view dataset                                  # a window
    ffngen view dataset --save faces.rrd                 # a file to send to somebody
    ffngen view dataset --web                            # in a browser, on a machine without a screen
    ffngen view dataset --sequence open-000003 --limit 1
    """
    if save is not None and web:
        raise click.UsageError("--save writes a file, --web serves: choose one")
    data = FlowDataset(dataset, splits=splits or None)
    chosen = _chosen(data, dataset, names)
    if save is None and not web and sys.platform == "linux" and not _SCREENS & os.environ.keys():
        raise JobError("there is no screen to open a window on", mend="use --web or --save FILE.rrd")
    if save is not None and not save.parent.is_dir():
        raise JobError("no such folder", where=save.parent, mend="make it first")
    if web:
        _check_free(port)
        _check_free(port + 1)
    recording = open_recording()
    if save is not None:
        pairs = _save(recording, save, data, chosen[:limit])
        click.echo(f"{save}: {pairs} pairs, {save.stat().st_size / 1e6:.1f} MB; open it with `rerun {save}`")
    elif web:
        recording.serve_web(open_browser=False, web_port=port, grpc_port=port + 1)
        source = f"rerun%2Bhttp://127.0.0.1:{port + 1}/proxy"
        click.echo(f"open http://127.0.0.1:{port}/?url={source} and stop with Ctrl-C")
        _send(recording, data, chosen[:limit])
        while True:
            time.sleep(3600)
    else:
        recording.spawn()
        _send(recording, data, chosen[:limit])
    if len(chosen) > limit:
        click.echo(f"{limit} of {len(chosen)} sequences; --limit shows more, --sequence others")


def _chosen(data: FlowDataset, dataset: Path, names: tuple[str, ...]) -> list[SequenceKey]:
    chosen = [key for key in data.sequences if not names or any(name in str(key) for name in names)]
    if not chosen:
        what = f"has no sequence named like {' or '.join(names)}" if names else "has no sequence to show"
        raise DatasetError(what, where=dataset)
    return chosen


def _check_free(port: int) -> None:
    """Refuse a port that is taken: Rerun would end the process."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("0.0.0.0", port))
    except OSError as error:
        raise JobError(
            f"cannot be opened: {error.strerror or error}", where=f"port {port}", mend="give --port"
        ) from error


def _save(recording: Any, path: Path, data: FlowDataset, chosen: list[SequenceKey]) -> int:
    """Write the recording beside its place and move it there whole."""
    sent = 0

    def write(temporary: Path) -> None:
        nonlocal sent
        recording.save(temporary)
        sent = _send(recording, data, chosen)
        recording.disconnect()

    write_atomic(path, write)
    return sent


def _send(recording: Any, data: FlowDataset, chosen: list[SequenceKey]) -> int:
    """Send the layout and the sequences to where the recording goes.

    ``serve_web(default_blueprint=...)`` would send the layout too, but with Python's lock held until it is sent, while
    the thread that sends it needs that lock to let go of numpy's memory: both waited for ever, once in ten starts.
    """
    recording.send_blueprint(viewer_layout(shown_labels(data, chosen)))
    with make_progress() as progress:
        task = progress.add_task("reading", total=len(chosen), note="")
        return send_dataset(recording, data, chosen, lambda done, total: progress.update(task, completed=done))
