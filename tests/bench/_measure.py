"""What the benches share: CPU time of processes, one render process, requests of the default job."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ffngen.dataset.compose import ComposedSequence
from ffngen.dataset.context import encode_fast_png
from ffngen.render.process import RenderedFrame, RenderProcess
from ffngen.render.request import Settings


def cpu_seconds(pid: int) -> float:
    """User and system seconds of a live process, all its threads included (Linux)."""
    # The command's name, in brackets, may hold spaces; the fields after it do not.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Stopwatch:
    """Wall and CPU seconds of this process over a ``with`` block."""

    def __enter__(self) -> Stopwatch:
        self._start = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exception: object) -> None:
        self.wall = time.perf_counter() - self._start[0]
        self.cpu = time.process_time() - self._start[1]


@contextmanager
def render_process(log: Path) -> Iterator[RenderProcess]:
    """A warm render process on the CPU."""
    process = RenderProcess(device="cpu", device_index=0, log=log)
    process.start()
    try:
        yield process
    finally:
        process.stop()


def write_part(
    composed: ComposedSequence, folder: Path, *, first: int, count: int, settings: Settings | None = None
) -> None:
    """Write the request for the facial frames ``first`` to ``first + count - 1`` of a sequence."""
    request = composed.request
    seeds = request.settings.colour_seeds
    frames = len(request.facial)
    part = slice(first, first + count)
    head = slice(first, first + count - 1)
    chosen = settings or replace(request.settings, colour_seeds=seeds[part] + seeds[frames:][head])
    folder.mkdir(parents=True)
    replace(request, facial=request.facial[part], head=request.head[head], settings=chosen).write(
        folder, composed.atlas_png, encode_fast_png(composed.background)
    )


def render_part(process: RenderProcess, folder: Path, threads: int) -> list[tuple[RenderedFrame, float]]:
    """Render a request; each finished frame with the process's CPU seconds for it."""
    assert process.pid is not None
    done = []
    before = cpu_seconds(process.pid)
    for frame in process.render(folder, threads=threads, timeout=3600):
        after = cpu_seconds(process.pid)
        done.append((frame, after - before))
        before = after
    return done


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A temporary folder."""
    with tempfile.TemporaryDirectory(prefix="ffngen-bench-") as folder:
        yield Path(folder)


def report(result: dict[str, Any], as_json: bool, lines: list[str]) -> None:
    """Print a bench's result: one JSON object, or lines for a reader."""
    print(json.dumps(result, indent=1) if as_json else "\n".join(lines))
