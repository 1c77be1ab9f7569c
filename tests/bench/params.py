"""Many parameter sets: importing EMOCA's folders, validating, planning; seconds and peak memory.

python tests/bench/params.py [--sets 100000] [--json] [--quick]
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
from _measure import report, scratch_folder

from ffngen.head.load import load_head

SECONDS_BOUND, BYTES_BOUND = 120.0, 2e9
_CODES = {"shape": 100, "exp": 50, "pose": 6}


def make_codes(root: Path, count: int) -> None:
    """EMOCA's folders, a thousand to a folder."""
    rng = np.random.default_rng(0)
    for i in range(count):
        folder = root / ("happy", "sad", "fear")[i % 3] / f"{i // 1000:03d}" / f"face{i:06d}00"
        folder.mkdir(parents=True)
        for name, size in _CODES.items():
            content = io.BytesIO()
            np.save(content, (0.3 * rng.normal(size=size)).astype(np.float32))
            (folder / f"{name}.npy").write_bytes(content.getvalue())


def make_head(path: Path) -> None:
    """A small head in FLAME's schema: the open head's geometry with as many coefficients as FLAME 2020 has."""
    model = load_head("open")
    vertices = model.vertex_count
    np.savez(
        path,
        v_template=model.template,
        f=model.faces,
        shapedirs=np.zeros((vertices, 3, 400), np.float32),
        posedirs=np.zeros((vertices, 3, 36), np.float32),
        J_regressor=model.joint_regressor.toarray(),
        weights=model.skin_weights,
        kintree_table=np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]]),
        vt=model.uv.coordinates if model.uv else 0,
        ft=model.uv.faces if model.uv else 0,
    )


def run(*arguments: object) -> tuple[float, float, dict[str, object]]:
    """A command's seconds, its peak bytes, and its JSON."""
    code = (
        "import sys, resource; from ffngen.cli import main\n"
        "try: main()\n"
        "finally: print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments), "--json"], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise click.ClickException(done.stderr)
    return seconds, float(done.stderr.split()[-1]), json.loads(done.stdout)


@click.command()
@click.option("--sets", default=100_000, show_default=True)
@click.option("--quick", is_flag=True, help="1,000 sets, which show that the bench runs and little more.")
@click.option("--json", "as_json", is_flag=True)
def main(sets: int, quick: bool, as_json: bool) -> None:
    """Measure import, validation and planning."""
    sets = 1000 if quick else sets
    steps: dict[str, dict[str, float]] = {}
    with scratch_folder() as root:
        make_codes(root / "codes", sets)
        make_head(root / "generic_model.npz")
        table, head = root / "sets.parquet", root / "generic_model.npz"
        commands = {
            "import": ("params", "import", root / "codes", table),
            "validate": ("params", "validate", table, "--head", head),
            "plan": (
                "render",
                "--params",
                table,
                "--head",
                head,
                "--folders",
                "spread",
                "--dry-run",
                "--out",
                root / "out",
            ),
        }
        for name, arguments in commands.items():
            seconds, peak, _ = run(*arguments)
            steps[name] = {"seconds": seconds, "bytes": peak}
    total = sum(step["seconds"] for step in steps.values())
    largest = max(step["bytes"] for step in steps.values())
    summary = {
        "bench": "params",
        "sets": sets,
        "steps": steps,
        "seconds": total,
        "seconds_bound": SECONDS_BOUND,
        "peak_bytes": largest,
        "bytes_bound": BYTES_BOUND,
        "within_bounds": total <= SECONDS_BOUND and largest <= BYTES_BOUND,
    }
    lines = [f"{sets} sets"]
    lines += [f"{name:>9}  {step['seconds']:6.1f} s  {step['bytes'] / 1e9:5.2f} GB" for name, step in steps.items()]
    lines += [f"{total:.1f} s in all (bound {SECONDS_BOUND:.0f}), at most {largest / 1e9:.2f} GB (bound 2)"]
    report(summary, as_json, lines)


if __name__ == "__main__":
    main()
