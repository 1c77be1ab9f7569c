"""What Ray costs per sequence: a cluster on this machine whose workers render nothing.

python tests/bench/farm_ray.py [--sequences 2000]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ffngen.farm import ray_pool
from ffngen.job import Job
from ffngen.render.pool import Event, Layout
from ffngen.render.process import Device


class NullWorker:
    """Answers as :class:`ffngen.farm.ray_worker.Worker` does, at once."""

    def __init__(self, job: dict[str, Any], digest: str) -> None:
        pass

    def open(self) -> tuple[Layout, str]:
        """Nothing to open."""
        return Layout(1, 1, Device("CPU", 0, "none")), "here"

    def render(self, name: str) -> list[Event]:
        """Nothing to render."""
        return [Event("ready"), Event("started", name), Event("done", name)]

    def close(self) -> None:
        """Nothing to close."""


class Named:
    """A sequence, of which the pool asks nothing but the name."""

    save_blend = None

    def __init__(self, name: str) -> None:
        self.name = name


def main() -> int:
    """Run, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sequences", type=int, default=2000)
    options = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray_pool.Worker = NullWorker  # type: ignore[misc, assignment]
    with tempfile.TemporaryDirectory() as folder:
        job = Job(out=Path(folder) / "out", workers=2)
        pool = ray_pool.RayPool(job, "", address="local", gpus=0.0, cpus=1, no_more=None)
        times = []
        for event in pool.run([Named(f"s{i}") for i in range(options.sequences)]):  # type: ignore[arg-type]
            if event.kind == "done":
                times.append(time.monotonic())
    print(
        f"{1000 * (times[-1] - times[0]) / (len(times) - 1):.2f} ms per sequence, two workers, {len(times)} sequences"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
