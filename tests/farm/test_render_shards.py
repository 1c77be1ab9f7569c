"""Parts of a job that are rendered by several processes into one folder, with a stand-in for Blender."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from farm_runs import JOB, SEQUENCES, end, files, start

from ffngen.cli import main
from ffngen.dataset.folder_store import FolderStore
from ffngen.dataset.layout import PARTIAL_FOLDER, complete_sequences
from ffngen.farm.journal import read_journals


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def events(root: Path, kind: str) -> list[dict[str, Any]]:
    return [line for _, lines in read_journals(FolderStore(root)) for line in lines if line["event"] == kind]


def test_parts_at_once_and_twice_come_to_the_undisturbed_dataset(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    """Each of two parts in two processes, all four at once, and then the end."""
    out, alone = tmp_path / "out", tmp_path / "alone"
    runs = [start("render", job, "--out", out, "--shard", f"{i}/2", "--json") for i in (0, 1, 0, 1)]
    summaries = [json.loads(end(run)) for run in runs]
    assert sum(summary["sequences"] for summary in summaries) == 2 * SEQUENCES
    assert all(summary["complete"] == summary["sequences"] for summary in summaries)
    assert len(complete_sequences(out)) == SEQUENCES
    assert not (out / "manifest.parquet").exists()
    assert not (out / PARTIAL_FOLDER).exists()

    end(start("render", job, "--out", out))
    end(start("render", job, "--out", alone))
    assert files(out) == files(alone)
    # Each run's notes are its own, and come to the same.
    assert {line["job_sequences"] for line in events(out, "begin")} == {SEQUENCES}
    assert len({line["name"] for line in events(out, "done")}) == SEQUENCES
    assert len(events(out, "end")) == len(events(out, "begin"))


def test_a_killed_part_and_its_second_try(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    out, alone = tmp_path / "out", tmp_path / "alone"
    fake_blender.behave("open-000000_e0_n3", "hang", "ok")
    run = start("render", job, "--out", out, "--shard", "0/1")
    wait_for(lambda: (fake_blender.state / "open-000000_e0_n3.attempts").exists())
    run.send_signal(signal.SIGKILL)
    end(run, -signal.SIGKILL)
    assert 1 <= len(complete_sequences(out)) < SEQUENCES
    assert (out / PARTIAL_FOLDER).exists()
    for shard in ("0/1", "1/2"):
        end(start("render", job, "--out", out, "--shard", shard))
    end(start("render", job, "--out", out))
    end(start("render", job, "--out", alone))
    assert files(out) == files(alone)


def wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("has_time", [True, False])
def test_sigterm_completes_or_drops_the_sequence_at_work(
    has_time: bool, fake_blender: Any, job: Path, tmp_path: Path
) -> None:
    """The scheduler's notice, several times over; then the next try."""
    out, alone = tmp_path / "out", tmp_path / "alone"
    at_work = "open-000000_e0_n3"
    fake_blender.behave(at_work, "slow" if has_time else "hang", "ok")
    run = start("render", job, "--out", out, "--shard", "0/1", "--grace", "60" if has_time else "0.2")
    wait_for(lambda: (fake_blender.state / f"{at_work}.attempts").exists())
    for _ in range(3):
        run.send_signal(signal.SIGTERM)
        time.sleep(0.02)
    end(run, 143)
    assert not (out / PARTIAL_FOLDER).exists()
    assert not fake_blender.alive()
    complete = [key.sequence for key in complete_sequences(out)]
    assert (at_work in complete) == has_time
    assert len(complete) < SEQUENCES
    assert [line["how"] for line in events(out, "end")] == ["ended" if has_time else "interrupted"]
    end(start("render", job, "--out", out, "--shard", "0/1"))
    end(start("render", job, "--out", out))
    end(start("render", job, "--out", alone))
    assert files(out) == files(alone)


def test_sigterm_at_the_last_sequence_is_no_failure(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    last = "open-000001_e0_n3"
    fake_blender.behave(last, "slow")
    run = start("render", job, "--out", out, "--shard", "0/1")
    wait_for(lambda: (fake_blender.state / f"{last}.attempts").exists())
    run.send_signal(signal.SIGTERM)
    end(run)
    assert len(complete_sequences(out)) == SEQUENCES


def test_an_empty_part_needs_no_blender(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    # With so many parts most are empty; with 0 it is one of these.
    result = CliRunner().invoke(main, ["render", str(job), "--out", str(out), "--shard", "0/100000", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["sequences"] == 0
    assert not fake_blender.lines("starts")
    assert not out.exists()


def test_two_jobs_that_claim_a_folder_at_once(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    """One of them gets it, and the other one's fault is a line."""
    out = tmp_path / "out"
    runs = [start("render", job, "--out", out, "--shard", "0/1", "--seed", str(seed)) for seed in (0, 1)]
    results = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert sorted(code for *_, code in results) == [0, 2]
    (stderr,) = [stderr for _, stderr, code in results if code == 2]
    assert "holds the dataset of another job (seed is" in stderr and "Traceback" not in stderr
    assert len(complete_sequences(out)) == SEQUENCES


@pytest.mark.parametrize("option", [["--overwrite"], ["--save-blend", "x.blend"], ["--shard", "2/2"]])
def test_what_does_not_go_together(option: list[str], job: Path) -> None:
    result = CliRunner().invoke(main, ["render", str(job), "--shard", "0/2", *option])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1


def test_dry_run_of_a_part(job: Path, tmp_path: Path) -> None:
    lists = []
    for i in range(3):
        arguments = ["render", str(job), "--out", str(tmp_path / "out"), "--shard", f"{i}/3", "--dry-run", "--json"]
        lists.append(json.loads(CliRunner().invoke(main, arguments).stdout)["list"])
    assert len({name for names in lists for name in names}) == sum(map(len, lists)) == SEQUENCES
