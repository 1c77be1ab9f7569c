"""A million sequences without rendering: planning, going on and status, in seconds and memory.

    python tests/bench/farm_scale.py [--sequences 1000000] [--folder /tmp]

What lies there is what ffngen asks for: each complete sequence's metadata file (empty here, for none of the three reads
it), and the notes of runs with a thousand sequences each. Each of the three runs in a process of its own. Bounds: 60 s
and 2 GB.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ffngen.dataset.context import open_context
from ffngen.dataset.dataset_file import encode_record
from ffngen.dataset.layout import Record
from ffngen.dataset.plan import plan_sequences
from ffngen.farm.journal import journal_path
from ffngen.job import load_job

_MEASURED = """
import contextlib, io, json, resource, sys, time
start = time.monotonic()
from ffngen.cli import main
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    main(sys.argv[1:])
print(json.dumps([time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))
"""


def measure(*arguments: str) -> tuple[float, float]:
    """Seconds and gigabytes of a command."""
    done = subprocess.run([sys.executable, "-c", _MEASURED, *arguments], check=True, capture_output=True, text=True)
    seconds, gigabytes = json.loads(done.stdout.splitlines()[-1])
    return seconds, gigabytes


def make(folder: Path, sequences: int) -> Path:
    """A dataset nine tenths of whose sequences are complete; returns its job file."""
    job_file = folder / "job.yaml"
    job_file.write_text(
        f"out: {folder / 'dataset'}\nidentities: {sequences // 4}\nn_frames: [5, 10, 15, 20]\nfolders: spread\n"
    )
    context = open_context(load_job(job_file))
    root = context.job.out
    root.mkdir()
    record = encode_record(context.content(), identities=context.job.identities, n_frames=[5, 10, 15, 20])
    (root / "dataset.json").write_bytes(record)
    complete = plan_sequences(context.job, context.source)[: sequences * 9 // 10]
    for i, plan in enumerate(complete):
        path = root / plan.layout.record(Record.METADATA)
        path.parent.mkdir(parents=True)
        path.touch()
        if i % 1000 == 0:
            lines = [{"event": "begin", "time": i, "host": f"node{i // 1000 % 100}", "job_sequences": sequences}]
        lines.append({"event": "started", "time": i, "name": plan.name})
        lines.append({"event": "done", "time": i, "name": plan.name, "seconds": 60.0 + i % 7, "images": plan.images})
        if i % 1000 == 999:
            journal = root / journal_path(f"node{i // 1000 % 100}~{i}~1~0")
            journal.parent.mkdir(parents=True, exist_ok=True)
            journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return job_file


def main() -> int:
    """Make, measure, and compare with the bounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sequences", type=int, default=100_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="ffngen-scale-", dir=options.folder))
    is_good = True
    try:
        start = time.monotonic()
        job = make(folder, options.sequences)
        print(f"{options.sequences} sequences, made in {time.monotonic() - start:.0f} s")
        commands = {
            "planning": ("farm", "plan", str(job), "--out", str(folder / "new"), "--shards", "1000", "--json"),
            "going on": ("render", str(job), "--dry-run"),
            "a shard": ("render", str(job), "--shard", "7/1000", "--dry-run"),
            "status": ("farm", "status", str(folder / "dataset"), "--json"),
        }
        for name, command in commands.items():
            seconds, gigabytes = measure(*command)
            is_good &= seconds < 60 and gigabytes < 2
            print(f"{name:>10}  {seconds:5.1f} s  {gigabytes:.2f} GB")
    finally:
        shutil.rmtree(folder)
    print("passed" if is_good else "FAILED")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
