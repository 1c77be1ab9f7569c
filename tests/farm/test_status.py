"""What is said of a dataset's state."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from farm_runs import JOB, SEQUENCES, end, files, start
from stand_in import FakeBlender

from ffngen.cli import main
from ffngen.dataset.layout import PARTIAL_FOLDER, log_path
from ffngen.farm.journal import journal_path
from ffngen.farm.status import Status, read_status

FAILING = "open-000001_e0_n2"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def invoke(*arguments: str | Path) -> Any:
    return CliRunner().invoke(main, ["farm", *map(str, arguments)])


def test_one_sequence_that_always_crashes_blender(fake_blender: FakeBlender, job: Path, tmp_path: Path) -> None:
    """It is recorded, the rest is finished, and it alone is tried again."""
    out, alone = tmp_path / "out", tmp_path / "alone"
    fake_blender.behave(FAILING, "die")
    end(start("render", job, "--out", out, "--shard", "0/1"), 1)
    status = json.loads(invoke("status", out, "--json").stdout)
    assert (status["sequences"], status["done"], status["failed"], status["missing"]) == (SEQUENCES, 3, 1, 1)
    assert status["running"] == {} and status["interrupted_runs"] == 0
    (failure,) = status["failures"]
    assert failure == {
        "cause": "the render process ended with exit code #",
        "count": 1,
        "logs": [str(out / log_path(FAILING))],
    }
    assert Path(failure["logs"][0]).is_file()
    (node,) = status["nodes"].values()
    assert (node["runs"], node["alive"], node["done"], node["failed"], node["retries"]) == (1, 0, 3, 1, 2)
    assert len(status["slowest"]) == 3
    text = invoke("status", out).stdout
    assert "3 of 4 sequences done, 0 running, 1 failed" in text and failure["logs"][0] in text

    finished = invoke("finish", job, "--out", out, "--json")
    assert finished.exit_code == 1
    assert json.loads(finished.stdout) == {
        "out": str(out), "sequences": 4, "complete": 3, "failed": 1, "unlabelled": {},
    }  # fmt: skip
    assert (out / "manifest.parquet").exists()

    fake_blender.forget()
    result = invoke("retry", job, "--out", out, "--json")
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert (summary["sequences"], summary["rendered"]) == (1, 1)
    assert invoke("finish", job, "--out", out).exit_code == 0
    end(start("render", job, "--out", alone))
    assert files(out) == files(alone)
    assert json.loads(invoke("status", out, "--json").stdout)["failures"] == []


def test_what_is_at_work_and_what_has_died(fake_blender: FakeBlender, job: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fake_blender.behave("open-000001_e0_n2", "hang")
    run = start("render", job, "--out", out, "--shard", "0/1")
    deadline = time.monotonic() + 60
    while not (out / "dataset.json").exists() or read_status(out).running.keys() != {"open-000001_e0_n2"}:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    status = read_status(out)
    assert status.done == 2 and status.total == SEQUENCES
    assert status.per_hour > 0 and status.seconds_left is not None and status.seconds_left > 0
    (partial,) = (out / PARTIAL_FOLDER).iterdir()
    # Its node falls silent; nobody here can ask it, as it is elsewhere.
    run.send_signal(signal.SIGKILL)
    end(run, -signal.SIGKILL)
    elsewhere = partial.with_name(partial.name.replace(os.uname().nodename, "elsewhere"))
    partial.rename(elsewhere)
    journal = out / journal_path(partial.name)
    moved = out / journal_path(elsewhere.name)
    moved.parent.mkdir(exist_ok=True)
    journal.rename(moved)
    assert read_status(out).running.keys() == {"open-000001_e0_n2"}
    os.utime(elsewhere, (time.time() - 600,) * 2)
    status = read_status(out)
    assert status.running == {} and status.interrupted == 1 and status.seconds_left is None


def write_journal(root: Path, run: str, *lines: str) -> None:
    path = root / journal_path(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


@pytest.mark.parametrize(
    "line",
    ["", "{", "[]", "null", "1", '{"event":1}', '{"event":"done"}', '{"event":"begin"}', '{"event":"done","name":{}}',
     '{"event":"begin","host":[],"time":"x","job_sequences":"y"}', "[" * 100_000, '{"event":"started"}', "\x00\xff"],
)  # fmt: skip
def test_hostile_and_torn_notes(line: str, made_dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_bytes((made_dataset / "dataset.json").read_bytes())
    good = '{"event":"begin","time":1.0,"host":"a","job_sequences":7}'
    write_journal(tmp_path, "run", good, line, good, line, good, '{"event":"don')
    status = read_status(tmp_path)
    assert status.total == 7 and status.done == 0
    assert invoke("status", tmp_path).exit_code == 0


def test_clocks_that_differ_do_no_harm(made_dataset: Path, tmp_path: Path) -> None:
    """Two nodes of the same speed, one of whose clocks is a year wrong."""
    (tmp_path / "dataset.json").write_bytes((made_dataset / "dataset.json").read_bytes())
    for host, offset in (("a", 0.0), ("b", -3.2e7)):
        run = f"{host}~1~1~00000000"
        (tmp_path / PARTIAL_FOLDER / run).mkdir(parents=True)
        lines = [{"event": "begin", "time": 4e7 + offset, "host": host, "job_sequences": 100}]
        for i in range(10):
            name, when = f"{host}{i}", 4e7 + offset + 36.0 * (i + 1)
            lines.append({"event": "started", "time": when - 36, "name": name})
            lines.append({"event": "done", "time": when, "name": name, "seconds": 36.0, "images": 9})
        write_journal(tmp_path, run, *map(json.dumps, lines))
    status = read_status(tmp_path)
    assert {host: node.per_hour for host, node in status.nodes.items()} == pytest.approx({"a": 100.0, "b": 100.0})
    assert status.per_hour == pytest.approx(200.0)
    assert status.seconds_left == pytest.approx(100 / 200 * 3600)


def test_causes_are_grouped() -> None:
    status = Status(Path("d"), 9, 0)
    status.failed = {f"s{i}": f"s{i}: died after {i} s" for i in range(3)} | {"t": "other"}
    assert status.causes == [("SEQUENCE: died after # s", ["s0", "s1", "s2"]), ("other", ["t"])]


def test_no_dataset(tmp_path: Path) -> None:
    result = invoke("status", tmp_path)
    assert result.exit_code == 2 and len(result.stderr.splitlines()) == 1
