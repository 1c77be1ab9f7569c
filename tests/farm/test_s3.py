"""Datasets on a real S3 server hold what a folder would."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from farm_runs import JOB, SEQUENCES, end, start
from s3_runs import invoke, on_server, render, without_folders
from s3_server import BUCKET, S3Server
from stand_in import FakeBlender

from ffngen.dataset.context import open_context
from ffngen.dataset.plan import plan_sequences
from ffngen.dataset.store import open_store
from ffngen.job import load_job
from ffngen.url import parse_place

FIRST, LAST = "open-000000_e0_n2", "open-000001_e0_n3"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_shards_status_finish_and_home(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """The way of a farm, from the plan to a verified folder."""
    plan = json.loads(invoke("farm", "plan", job, "--out", out, "--json").stdout)
    assert plan["out"] == out and plan["to_render"] == SEQUENCES
    for run in [start("render", job, "--out", out, "--shard", f"{i}/2", "--json") for i in range(2)]:
        assert out in end(run)
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert (status["dataset"], status["sequences"], status["done"]) == (out, SEQUENCES, SEQUENCES)
    assert sum(node["done"] for node in status["nodes"].values()) == SEQUENCES
    assert f"{out}: 4 of 4 sequences done" in invoke("farm", "status", out).stdout
    finished = invoke("farm", "finish", job, "--out", out, "--json")
    assert finished.exit_code == 0, finished.output
    assert json.loads(finished.stdout)["complete"] == SEQUENCES
    assert on_server(server, out) == alone
    assert json.loads(invoke("farm", "plan", job, "--out", out, "--json").stdout)["to_render"] == 0
    home = tmp_path / "home"
    merged = json.loads(invoke("farm", "merge", out, "--out", home, "--json").stdout)
    assert merged["merged"] == SEQUENCES
    assert without_folders(home) == alone
    # And back to another place there.
    assert invoke("farm", "merge", home, "--out", f"{out}-again").exit_code == 0
    assert on_server(server, f"{out}-again") == alone


def test_the_whole_job_by_farm_run_with_labels(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, tmp_path: Path
) -> None:
    """Labels come with each sequence, as what lies there is not read back; they are those of a folder."""
    job.write_text(f"{JOB}labels: [backward, coverage, segmentation]\nlabel_pairs: [2]\nfolders: spread\n")
    run = invoke("farm", "run", job, "--out", out, "--executor", "inline", "--json")
    assert run.exit_code == 0, run.output
    assert invoke("render", job, "--out", tmp_path / "folder").exit_code == 0
    folder, home = tmp_path / "folder", tmp_path / "home"
    there = on_server(server, out)
    assert any("flow_pairs/" in path for path in there) and any("/labels.json" in path for path in there)
    assert there == without_folders(folder)
    assert invoke("farm", "merge", out, "--out", home).exit_code == 0
    assert without_folders(home) == there


def test_going_on_lists_and_asks_for_no_sequence(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(job, out)
    before = on_server(server, out)
    server.asked.clear()
    assert json.loads(invoke("render", job, "--out", out, "--json").stdout)["rendered"] == 0
    assert not [path for method, path in server.asked if method == "HEAD"]
    assert on_server(server, out) == before
    # But of a job of a million, one sequence is asked for.
    context = open_context(load_job(job))
    server.asked.clear()
    plans = plan_sequences(context.job, context.source)
    assert open_store(parse_place(out)).missing(plans[:1], 1_000_000) == []
    assert [method for method, _ in server.asked] == ["HEAD"]
    # In pages, which are short here.
    monkeypatch.setattr("ffngen.dataset.bucket._PAGE", 3)
    where = f"{out.removeprefix(f's3://{BUCKET}/')}/logs/"
    names = sorted(f"s{i}" for i in range(17))
    for name in names:
        server.client.put_object(Bucket=BUCKET, Key=f"{where}{len(name):02x}/{name}.log", Body=b"key\nodd\n")
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert status["done"] == SEQUENCES
    logs = [f"{out}/logs/{len(name):02x}/{name}.log" for name in names]
    assert status["failures"] == [{"cause": "odd", "count": 17, "logs": logs}]
    result = invoke("render", job, "--out", out, "--seed", "5", "--overwrite", "--dry-run", "--json")
    assert json.loads(result.stdout)["to_render"] == SEQUENCES


def test_mixed_jobs_are_refused(fake_blender: FakeBlender, server: S3Server, job: Path, out: str) -> None:
    """Two that come at once: one of them gets the place."""
    runs = [start("render", job, "--out", out, "--shard", "0/1", "--seed", str(seed)) for seed in (0, 1)]
    results = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert sorted(code for *_, code in results) == [0, 2]
    (stderr,) = [stderr for _, stderr, code in results if code == 2]
    assert "holds the dataset of another job (seed is" in stderr and "Traceback" not in stderr
    assert invoke("render", job, "--out", out, "--seed", "7", "--overwrite").exit_code == 0
    assert invoke("render", job, "--out", out, "--seed", "8").exit_code == 2


def test_what_failed_is_seen_and_tried_again(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes]
) -> None:
    fake_blender.behave(LAST, "error")
    render(job, out, "--shard", "0/1", code=1)
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert (status["done"], status["failed"]) == (SEQUENCES - 1, 1)
    (failure,) = status["failures"]
    assert failure["cause"].endswith("RuntimeError: out of [memory]") and failure["logs"][0].startswith(f"{out}/logs/")
    assert invoke("farm", "finish", job, "--out", out).exit_code == 1
    fake_blender.forget()
    assert json.loads(invoke("farm", "retry", job, "--out", out, "--json").stdout)["rendered"] == 1
    assert invoke("farm", "finish", job, "--out", out).exit_code == 0
    assert on_server(server, out) == alone


def test_a_run_that_is_at_work_is_seen(fake_blender: FakeBlender, server: S3Server, job: Path, out: str) -> None:
    fake_blender.behave(FIRST, "hang", "ok")
    run = start("render", job, "--out", out, "--shard", "0/1", "--grace", "0")
    wait_for(lambda: (fake_blender.state / f"{FIRST}.attempts").exists())
    wait_for(lambda: invoke("farm", "status", out, "--json").exit_code == 0)
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert sum(node["alive"] for node in status["nodes"].values()) == 1
    run.send_signal(signal.SIGTERM)
    end(run, 143)
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert sum(node["alive"] for node in status["nodes"].values()) == status["interrupted_runs"] == 0


@pytest.mark.parametrize("command", ["verify", "label", "stats", "view"])
def test_other_commands_want_a_folder(command: str) -> None:
    arguments = {"label": ("--add", "all"), "stats": (), "view": (), "verify": ()}[command]
    result = invoke(command, f"s3://{BUCKET}/x", *arguments)
    assert result.exit_code == 2 and "ffngen farm merge s3://" in result.stderr, result.output


def test_slurm_wants_a_folder_for_its_scripts(job: Path) -> None:
    result = invoke("farm", "submit", job, "--out", f"s3://{BUCKET}/x", "--array", "2")
    assert result.exit_code == 2 and "--print" in result.stderr and result.stderr.count("\n") == 1
    printed = invoke("farm", "submit", job, "--out", f"s3://{BUCKET}/x", "--array", "2", "--print").stdout
    assert f"--out s3://{BUCKET}/x" in printed and "#SBATCH --output=ffngen-%A_%a.log" in printed
