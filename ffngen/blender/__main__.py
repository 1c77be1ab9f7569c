"""A render process: ``python -m ffngen.blender --device D --device-index I --parent PID``.

It reads requests from standard input, one JSON object a line, and answers on standard output:

- at the start ``{"event": "ready", "blender": ..., "device": ..., "gpus": ...}``, or
  ``{"event": "no_device" | "no_blender", "message": ...}`` and the end;
- for ``{"folder": F, "threads": N}``, a folder written by ``SequenceRequest.write``: ``{"event": "frame", "pass":
  ..., "frame": ..., "crop": ..., "path": ..., "seconds": ...}`` for each finished file, then
  ``{"event": "done"}``, or ``{"event": "error", "message": ...}``;
- with ``"save_blend": PATH`` in a request, the scene is saved there before ``done``; with ``"what": "still"`` only
  the first colour image is rendered, with ``"what": "scene"`` nothing;
- for ``{"inspect": PATH}``, a .blend: ``{"event": "template", "seen": ...}``, or ``{"event": "error", ...}``.

Blender's own chatter goes to standard error. The process ends when its standard input does, or when
its parent dies.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any, TextIO

import click


def _die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere the closed pipe ends it."""
    if sys.platform == "linux":
        PR_SET_PDEATHSIG = 1
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _claim_stdout() -> TextIO:
    """Standard output for answers alone: whatever Blender prints goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)
    return answers


@click.command()
@click.option("--device", default="cpu")
@click.option("--device-index", type=int, default=0)
@click.option("--parent", type=int, required=True, help="process id of the parent")
def main(device: str, device_index: int, parent: int) -> None:
    """Render the sequences that standard input asks for."""
    _die_with_parent()
    if os.getppid() != parent:
        return
    # The terminal sends Ctrl-C to the whole group; the parent decides what to do about it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _claim_stdout()

    def answer(**message: Any) -> None:
        answers.write(json.dumps(message) + "\n")

    try:
        import bpy
    except ImportError as error:
        answer(event="no_blender", message=str(error))
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
    answer(event="ready", blender=bpy.app.version_string, device=kind, gpus=gpus)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "inspect" in request:
                answer(event="template", seen=inspect(Path(request["inspect"])))
                continue
            start = time.perf_counter()
            scene.set_threads(request["threads"])
            for frame in render_sequence(
                scene, Path(request["folder"]), request.get("save_blend"), request.get("what", "sequence")
            ):
                answer(event="frame", seconds=time.perf_counter() - start, **frame)
                start = time.perf_counter()
            answer(event="done")
        except Exception as error:
            traceback.print_exc()
            answer(event="error", message=f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
