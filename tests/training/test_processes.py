"""Several processes that train one network together, over gloo, each with its share of the batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = """
base: decflow-stage1
steps: 4
batch_size: 2
crop: [64, 64]
iterations: 2
validate_pairs: 0
log_every: 1
workers: 0
threads: 1
accelerator: cpu
"""

_PROGRAM = "from ffngen.cli import main; main()"


def losses(folder: Path, dataset: Path, devices: int) -> list[float]:
    """The losses of a run, from its log."""
    (folder / "config.yaml").write_text(CONFIG)
    # Each process is started with the arguments of the first, so that this must be a program in a file.
    (folder / "train.py").write_text(_PROGRAM)
    out = folder / f"run{devices}"
    arguments = ["train", str(dataset), str(folder / "config.yaml"), "--devices", str(devices), "--out", str(out)]
    subprocess.run(
        [sys.executable, str(folder / "train.py"), *arguments],
        check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=200,
    )  # fmt: skip
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if line["kind"] == "training"]


def test_two_processes_share_a_batch(made_dataset: Path, tmp_path: Path) -> None:
    """The same pairs give the same losses: means over masks and batch norm's statistics are over the whole batch."""
    alone, together = (losses(tmp_path, made_dataset, devices) for devices in (1, 2))
    assert len(together) == 4
    assert together == pytest.approx(alone, rel=1e-5)
