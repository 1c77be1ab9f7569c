"""The executors of this machine make the same dataset, and meet the same faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from farm_runs import JOB, SEQUENCES, files
from stand_in import FakeBlender

from ffngen.cli import main
from ffngen.dataset.folder_store import FolderStore
from ffngen.dataset.layout import log_path
from ffngen.farm.journal import read_journals

FAILING = "open-000001_e0_n2"


def run(executor: str, folder: Path, name: str) -> tuple[int, dict[str, object], Path]:
    (folder / "job.yaml").write_text(JOB)
    out = folder / name
    arguments = ["farm", "run", str(folder / "job.yaml"), "--executor", executor, "--out", str(out), "--json"]
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, json.loads(result.stdout), out


def test_inline_and_local_come_to_the_same(fake_blender: FakeBlender, tmp_path: Path) -> None:
    found = {}
    for executor in ("inline", "local"):
        code, summary, out = run(executor, tmp_path, executor)
        assert code == 0 and summary["rendered"] == SEQUENCES
        assert not fake_blender.alive()
        ((_, lines),) = read_journals(FolderStore(out))
        begin, *_ = lines
        assert begin["executor"] == executor
        found[executor] = files(out)
    assert found["inline"] == found["local"]
    # One process for all sequences.
    assert len(fake_blender.lines("starts")) == 2


@pytest.mark.parametrize("fault", ["die", "error", "garbage"])
def test_inline_tries_again_and_gives_up(fault: str, fake_blender: FakeBlender, tmp_path: Path) -> None:
    fake_blender.behave("open-000000_e0_n2", fault, "ok")
    fake_blender.behave(FAILING, fault)
    code, summary, out = run("inline", tmp_path, "out")
    assert code == 1
    assert list(summary["failed"]) == [FAILING]  # type: ignore[call-overload]
    assert (out / log_path(FAILING)).is_file()
    assert len((fake_blender.state / f"{FAILING}.attempts").read_text()) == 3
    fake_blender.forget()
    assert run("inline", tmp_path, "out")[0] == 0
    run("local", tmp_path, "local")
    assert files(out) == files(tmp_path / "local")


def test_ray_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    arguments = ["farm", "run", str(tmp_path / "job.yaml"), "--executor", "ray", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2 and 'pip install "ffngen[farm]"' in result.stderr
