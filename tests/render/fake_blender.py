"""A stand-in for ``python -m ffngen.blender`` that renders nothing and misbehaves on request.

The folder $FAKE_BLENDER holds ``NAME.json`` for a sequence, and ``start.json`` for the start: what each attempt does,
the last entry again and again. ``ok`` is what happens where there is no such file. Every start is noted in ``starts``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

STATE = Path(os.environ["FAKE_BLENDER"])


def behaviour(name: str) -> str:
    """What this attempt is to do."""
    path = STATE / f"{name}.json"
    if not path.exists():
        return "ok"
    behaviours = json.loads(path.read_text())
    with (STATE / f"{name}.attempts").open("a+") as file:
        file.write("x")
        file.flush()
        attempt = file.tell()
    return behaviours[min(attempt, len(behaviours)) - 1]


def answer(**message: object) -> None:
    """One answer."""
    print(json.dumps(message), flush=True)


def frames(folder: Path) -> int:
    """How many facial frames the request asks for."""
    if not (folder / "arrays.npz").exists():
        return 3
    import numpy as np

    with np.load(folder / "arrays.npz") as arrays:
        return len(arrays["facial"])


def misbehave(what: str) -> None:
    """Do what an attempt is to do, if it is no good."""
    match what:
        case "die":
            os._exit(3)
        case "hang":
            # Until its parent ends.
            sys.stdin.read()
        case "garbage":
            print("Blender quit", flush=True)
        case "error":
            answer(event="error", message="RuntimeError: out of [memory]")


def render(folder: Path, what: str) -> None:
    """Answer for one sequence: every frame, all of them empty, after the first of which the fault comes."""
    for i in range(frames(folder)):
        for kind in ("truth", "facial_colour", *(["head_colour"] if i else [])):
            (folder / "raw").mkdir(exist_ok=True)
            (folder / "raw" / f"{kind}_{i:05d}.exr").touch()
            answer(event="frame", **{"pass": kind}, frame=i, crop=[0, 0, 0, 0], seconds=0.0)
        if what.startswith("slow"):
            time.sleep(float(what[4:] or 0.3))
        elif what != "ok":
            misbehave(what)
            return
    answer(event="done")


def main() -> None:
    """Read requests until there are no more."""
    # As Blender's process does: its parent decides.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parser = argparse.ArgumentParser()
    for name in ("--device", "--device-index", "--parent"):
        parser.add_argument(name)
    options = parser.parse_args()
    with (STATE / "starts").open("a") as file:
        file.write(f"{os.getpid()} {options.device} {options.device_index}\n")
    if options.device == "metal":
        answer(event="no_device", message="no metal device")
        return
    start = behaviour("start")
    misbehave(start)
    gpus = int(os.environ.get("FAKE_GPUS", "0"))
    answer(event="ready", program="0.0", device="CUDA" if gpus else "CPU", gpus=gpus)
    for line in sys.stdin:
        request = json.loads(line)
        with (STATE / "threads").open("a") as file:
            file.write(f"{request['threads']}\n")
        folder = Path(request["folder"])
        render(folder, behaviour(folder.parent.name))


main()
