"""``ffngen verify``: seconds per frame at 512 x 512 and 1024 x 1024.

python tests/bench/verify.py [--json]
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import click
from _measure import report, scratch_folder

from ffngen.dataset.context import open_context
from ffngen.dataset.render import render_dataset
from ffngen.dataset.verify import verify_dataset
from ffngen.job import Job

SIZES = (512, 1024)
FRAMES = 3


def _measure(out: Path, size: int) -> dict[str, Any]:
    # One sample: the colour is not what is timed.
    job = Job(out=out, n_frames=(FRAMES,), resolution=(size, size), samples=1, denoise=False, device="cpu")
    with closing(render_dataset(open_context(job))) as states:
        for _run, _event in states:
            pass
    start = time.perf_counter()
    result = verify_dataset(out)
    return {"size": size, "seconds_per_frame": (time.perf_counter() - start) / FRAMES, "faults": len(result.failures)}


@click.command()
@click.option("--json", "as_json", is_flag=True)
def main(as_json: bool) -> None:
    """Render a small dataset of each size and time its check."""
    with scratch_folder() as scratch:
        sizes = [_measure(scratch / str(size), size) for size in SIZES]
    summary = {"bench": "verify", "frames": FRAMES, "sizes": sizes}
    lines = [
        f"{entry['size']} x {entry['size']}: {entry['seconds_per_frame']:.2f} s per frame, {entry['faults']} faults"
        for entry in sizes
    ]
    report(summary, as_json, lines)


if __name__ == "__main__":
    main()
