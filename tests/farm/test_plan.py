"""What a job comes to on a farm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from farm_runs import JOB, end, start
from stand_in import FakeBlender

from ffngen.cli import main
from ffngen.dataset.context import open_context
from ffngen.dataset.folder_store import FolderStore
from ffngen.dataset.layout import ImageFormat, SequenceKey, SequenceLayout, complete_sequences
from ffngen.dataset.metadata import read_sequence
from ffngen.dataset.plan import SequencePlan, estimate_bytes, largest_folder
from ffngen.farm.cost import Cost, disk_by_flow_format, noted_cost
from ffngen.farm.journal import journal_path
from ffngen.farm.plan import balance_of
from ffngen.farm.shard import shard_index
from ffngen.flow.files import FlowFormat
from ffngen.job import Job, load_job


def plans(count: int, n: int = 5) -> list[SequencePlan]:
    return [
        SequencePlan(
            i, i, str(i),
            SequenceLayout(SequenceKey("train", "happy", f"s{i}"), n, False, ImageFormat.JPG, FlowFormat.FLO),
        )
        for i in range(count)
    ]  # fmt: skip


def invoke(*arguments: str | Path) -> dict[str, Any]:
    result = CliRunner().invoke(main, ["farm", "plan", *map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    data: dict[str, Any] = json.loads(result.stdout)
    return data


def test_balance() -> None:
    some = plans(50)
    cost = Cost("", 10.0, 2.0)
    # Five facial frames and four head-only ones.
    assert cost.seconds(some[0]) == 10 + 9 * 2
    balance = balance_of(some, cost, 4)
    counts = [sum(shard_index(plan.name, 4) == i for plan in some) for i in range(4)]
    assert list(balance.sequences) == counts
    assert balance.makespan == max(counts) * 28 and balance.ideal == 50 * 28 / 4
    assert balance_of([], cost, 3).makespan == 0.0
    assert largest_folder(some) == ("train/happy", 50)
    assert largest_folder([]) == ("", 0)


def test_disk_by_format() -> None:
    job = Job(resolution=(100, 50), flow_format="exr")
    some = plans(3)
    disk = disk_by_flow_format(job, some, Cost("", 0, 0))
    assert disk["exr"] == sum(estimate_bytes(job, plan) for plan in some)
    # Three sequences of two flows for four pairs.
    assert disk["flo"] - disk["exr"] == pytest.approx((8 - 1.42) * 3 * 2 * 4 * 5000)
    assert disk_by_flow_format(job, some, Cost("", 0, 0, bytes_per_image=1e6, bytes_per_sequence=5.0))["exr"] == 3 * (
        9e6 + 5
    )


def test_the_plan_of_a_job(tmp_path: Path) -> None:
    job = tmp_path / "job.yaml"
    job.write_text("identities: 40\nn_frames: [5, 10]\n")
    data = invoke(job, "--out", tmp_path / "out", "--shards", "8", "--list")
    assert data["to_render"] == data["sequences"] == len(data["list"]) == 80
    assert data["pairs"] == 40 * (4 + 9)
    assert data["images"] == 40 * (9 + 19)
    assert data["cost"]["source"].startswith("estimated")
    seconds = [0.0] * 8
    for one in data["list"]:
        seconds[one["shard"]] += one["seconds"]
    assert data["balance"]["makespan_hours"] == pytest.approx(max(seconds) / 3600, abs=1e-4)
    assert data["process_hours"] == pytest.approx(sum(seconds) / 3600, rel=1e-3)
    text = CliRunner().invoke(main, ["farm", "plan", str(job), "--out", str(tmp_path / "out"), "--shards", "8"]).stdout
    assert "80 of 80 sequences, 520 pairs" in text
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("devices", "gpu_hours"), [(["OPTIX", "OPTIX"], 1.0), (["CPU"], None), (["OPTIX", "CPU"], None)]
)
def test_hours_of_gpus(devices: list[str], gpu_hours: float | None, tmp_path: Path) -> None:
    """What runs noted on GPUs is counted in GPU-hours; a mixture of devices is not."""
    job = tmp_path / "job.yaml"
    job.write_text("identities: 100\nn_frames: 5\n")
    digest = open_context(load_job(job)).digest
    for i, device in enumerate(devices):
        journal = tmp_path / "out" / journal_path(f"node{i}~1~1~0")
        journal.parent.mkdir(parents=True, exist_ok=True)
        lines = [
            {"event": "begin", "time": 0, "host": f"node{i}", "job_digest": digest, "device": device},
            {"event": "done", "time": 36, "name": "p0_e0_n5", "seconds": 36.0, "images": 9},
        ]
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    data = invoke(job, "--out", tmp_path / "out")
    assert data["process_hours"] == 1.0 and data["gpu_hours"] == gpu_hours
    text = CliRunner().invoke(main, ["farm", "plan", str(job), "--out", str(tmp_path / "out")]).stdout
    assert ("1 GPU-hours" in text) is (gpu_hours is not None)
    assert ("1 hours of one render process" in text) is (gpu_hours is None)


def test_cost_from_what_runs_noted_and_from_a_probe(fake_blender: FakeBlender, tmp_path: Path) -> None:
    job, out = tmp_path / "job.yaml", tmp_path / "out"
    job.write_text(JOB)
    assert noted_cost(FolderStore(out), "") is None
    probed = invoke(job, "--out", out, "--probe")
    assert probed["cost"]["source"].startswith("measured on one sequence here, on CPU with 1 threads")
    assert not out.exists()
    end(start("render", job, "--out", out, "--shard", "0/1"))
    # Of all lengths, from two of the shortest: what lies there now, but for what is compressed.
    written = sum(read_sequence(out, key).files[path].bytes for key in complete_sequences(out)
                  for path in read_sequence(out, key).files)  # fmt: skip
    assert probed["disk_bytes"] == pytest.approx(written, rel=0.1)
    after = invoke(job, "--out", out)
    assert after["cost"]["source"] == "measured on 4 sequences of this dataset"
    assert after["cost"]["seconds_per_image"] > 0
    assert after["to_render"] == 0 and after["process_hours"] == 0
