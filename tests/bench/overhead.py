"""What a run of four sequences spends outside the colour renders.

Two shares, each in one run at the job's defaults:

- the truth's render time over the colour's (bound 10%);
- the share of the wall time in which Blender does not render (bound 5%): with W processes, the wall
  time from the first import of ffngen to the finished manifest, less the sum of the frames' seconds
  over W. The frames' seconds are those of the render process: the first frame of a sequence
  includes loading its request.

The parent's CPU-seconds say where the rest goes; most of them run beside the renders.

    python tests/bench/overhead.py [--json] [--n-frames 10] [--workers N]
"""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from typing import Any

START = time.perf_counter(), time.process_time()

import click  # noqa: E402
from _measure import report, scratch_folder  # noqa: E402

from ffngen.dataset import work as dataset_work  # noqa: E402
from ffngen.dataset.context import open_context  # noqa: E402
from ffngen.dataset.render import render_dataset  # noqa: E402
from ffngen.job import Job  # noqa: E402
from ffngen.render.process import RenderProcess  # noqa: E402

TRUTH_BOUND, OTHER_BOUND = 0.10, 0.05
SEQUENCES = 4

IMPORTED = time.perf_counter(), time.process_time()


class Spent:
    """Seconds by the name of what was done: CPU of the thread that did it, or wall where the CPU is not ours."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def wrap(self, owner: Any, name: str, label: str, clock: Callable[[], float] = time.thread_time) -> None:
        """Make ``owner.name`` count its own time under ``label``."""
        function = getattr(owner, name)

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            start = clock()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[label] += clock() - start

        setattr(owner, name, timed)


@click.command()
@click.option("--n-frames", default=10, show_default=True, help="4 is quick; the shares of start-up then weigh more.")
@click.option("--workers", type=int)
@click.option("--json", "as_json", is_flag=True)
def main(n_frames: int, workers: int | None, as_json: bool) -> None:
    """Render four sequences and say where the time went."""
    spent = Spent()
    spent.wrap(dataset_work.SequenceWork, "prepare", "compose_and_write_request")
    spent.wrap(dataset_work.SequenceWork, "frame_done", "decode_encode")
    spent.wrap(dataset_work.SequenceWork, "finish", "finish")
    spent.wrap(dataset_work, "contact_sheet", "contact_sheet")
    spent.wrap(RenderProcess, "start", "blender_start_wall", time.perf_counter)
    frames: dict[str, float] = defaultdict(float)
    count = 0
    with scratch_folder() as scratch:
        job = Job(out=scratch / "dataset", identities=SEQUENCES, n_frames=(n_frames,), device="cpu", workers=workers)
        before = time.perf_counter()
        context = open_context(job)
        head_load = time.perf_counter() - before
        with closing(render_dataset(context)) as states:
            run, _ = next(states)
            for _, event in states:
                if event is not None and event.frame is not None:
                    frames[event.frame.kind.value] += event.frame.seconds
                    count += event.frame.kind.value.endswith("colour")
        wall, cpu = time.perf_counter() - START[0], time.process_time() - START[1]
    assert len(run.done) == SEQUENCES and run.layout is not None
    colour = frames["facial_colour"] + frames["head_colour"]
    other = 1 - (colour + frames["truth"]) / run.layout.workers / wall
    spent.seconds["finish"] -= spent.seconds["contact_sheet"]
    summary = {
        "bench": "overhead",
        "sequences": SEQUENCES,
        "n_frames": n_frames,
        "colour_images": count,
        "workers": run.layout.workers,
        "threads": run.layout.threads,
        "wall_seconds": wall,
        "colour_seconds": colour,
        "truth_seconds": frames["truth"],
        "truth_over_colour": frames["truth"] / colour,
        "truth_bound": TRUTH_BOUND,
        "not_blender_share_of_wall": other,
        "not_blender_bound": OTHER_BOUND,
        "within_bounds": frames["truth"] / colour <= TRUTH_BOUND and other <= OTHER_BOUND,
        "once": {
            "imports": IMPORTED[0] - START[0],
            "open_context": head_load,
            "blender_start": spent.seconds.pop("blender_start_wall") / run.layout.workers,
        },
        "parent_cpu_seconds_per_sequence": {
            **{name: seconds / SEQUENCES for name, seconds in spent.seconds.items()},
            "all": cpu / SEQUENCES,
        },
    }
    report(summary, as_json, _lines(summary))


def _lines(summary: dict[str, Any]) -> list[str]:
    once = ", ".join(f"{name} {seconds:.2f}" for name, seconds in summary["once"].items())
    parent = ", ".join(f"{name} {s:.2f}" for name, s in summary["parent_cpu_seconds_per_sequence"].items())
    return [
        f"{SEQUENCES} sequences of {summary['n_frames']} frames, {summary['workers']} process(es) of "
        f"{summary['threads']} threads: {summary['wall_seconds']:.1f} s",
        f"truth / colour: {summary['truth_over_colour']:.1%} (bound {TRUTH_BOUND:.0%})",
        f"wall time in which Blender does not render: {summary['not_blender_share_of_wall']:.1%} "
        f"(bound {OTHER_BOUND:.0%})",
        f"once per run, wall seconds: {once}",
        f"per sequence, CPU-seconds of the parent: {parent}",
    ]


if __name__ == "__main__":
    main()
