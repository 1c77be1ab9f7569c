"""A render process, ``python -m ffngen.splat``; what it is told and what it answers: :mod:`ffngen.render.child`."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from ffngen.render.child import begin, serve


@click.command()
@click.option("--device", default="cpu")
@click.option("--device-index", type=int, default=0)
@click.option("--parent", type=int, required=True, help="process id of the parent")
def main(device: str, device_index: int, parent: int) -> None:
    """Render the sequences that standard input asks for."""
    answer = begin(parent)
    if answer is None:
        return
    try:
        import numba
    except ImportError as error:
        answer(event="no_program", message=str(error))
        return
    if device not in ("auto", "cpu"):
        answer(event="no_device", message=f"Gaussians are rendered on the CPU, not on {device}")
        return

    from ffngen.splat.sequence import render_sequence

    answer(event="ready", program=f"splatting with numba {version('numba')}", device="CPU", gpus=0)

    most = numba.get_num_threads()

    def render(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        numba.set_num_threads(max(1, min(request["threads"], most)))
        yield from render_sequence(Path(request["folder"]), request.get("what", "sequence"))

    serve(answer, render)


if __name__ == "__main__":
    main()
