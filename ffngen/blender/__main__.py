"""A render process, ``python -m ffngen.blender``; what it is told and what it answers: :mod:`ffngen.render.child`."""

from __future__ import annotations

from collections.abc import Iterator
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
        import bpy
    except ImportError as error:
        answer(event="no_program", message=str(error))
        return

    from ffngen.blender import devices
    from ffngen.blender.scene import BlenderScene
    from ffngen.blender.sequence import render_sequence
    from ffngen.blender.template import inspect

    try:
        kind, gpus = devices.count_gpus(device)
    except devices.DeviceMissingError as error:
        answer(event="no_device", message=str(error))
        return
    scene = BlenderScene(kind, device_index)
    answer(event="ready", program=f"Blender {bpy.app.version_string}", device=kind, gpus=gpus)

    def render(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        scene.set_threads(request["threads"])
        folder, blend = Path(request["folder"]), request.get("save_blend")
        yield from render_sequence(scene, folder, blend, request.get("what", "sequence"))

    serve(answer, render, lambda path: inspect(Path(path)))


if __name__ == "__main__":
    main()
