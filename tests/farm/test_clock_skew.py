"""Machines whose clocks are wrong by more than a year, in one dataset's folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from farm_runs import JOB, PROGRAM, SEQUENCES, end, files, start
from stand_in import STAND_IN, FakeBlender

from ffngen.cli import main
from ffngen.dataset.layout import PARTIAL_FOLDER

FIRST = "open-000000_e0_n2"


def library() -> str | None:
    """Debian's libfaketime, which shifts a process's clock."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    return str(found[0]) if found else None


def can_rename_machines() -> bool:
    """Whether a process may be given a host name of its own."""
    if shutil.which("unshare") is None:
        return False
    return (
        subprocess.run(["unshare", "--uts", "hostname", "elsewhere"], capture_output=True, check=False).returncode == 0
    )


pytestmark = [
    pytest.mark.skipif(library() is None, reason="libfaketime is not installed (Debian: faketime)"),
    pytest.mark.skipif(not can_rename_machines(), reason="host names of processes cannot be set here"),
]


def start_on(host: str, shift: str, *arguments: str | Path) -> subprocess.Popen[str]:
    """Start ``ffngen ARGUMENTS`` as on a machine of another name and clock; files keep the server's times."""
    command = ["unshare", "--uts", "sh", "-c", f'hostname {host}; exec "$@"', "sh"]
    command += [sys.executable, "-c", PROGRAM, str(STAND_IN), *map(str, arguments)]
    clock = {"LD_PRELOAD": str(library()), "FAKETIME": shift, "NO_FAKE_STAT": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    # Touching a file asks the server for its time, which the library would replace without this.
    clock["FAKE_UTIME"] = "1"
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **clock}
    )


def status(out: Path) -> dict[str, object]:
    result = CliRunner().invoke(main, ["farm", "status", str(out), "--json"])
    assert result.exit_code == 0, result.output
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_two_nodes_years_apart(fake_blender: FakeBlender, tmp_path: Path) -> None:
    """One is at work all the time that the other, two years ahead of it, makes everything else and finishes."""
    job, out, alone = tmp_path / "job.yaml", tmp_path / "out", tmp_path / "alone"
    job.write_text(JOB)
    fake_blender.behave(FIRST, "hang", "ok")
    early = start_on("early", "-400d", "render", job, "--out", out, "--shard", "0/1")
    deadline = time.monotonic() + 60
    while not (fake_blender.state / f"{FIRST}.attempts").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # Neither takes the other's run for dead, nor its unfinished work away.
    late = start_on("late", "+400d", "render", job, "--out", out, "--shard", "0/1")
    end(late)
    partial = [path.name.partition("~")[0] for path in (out / PARTIAL_FOLDER).iterdir()]
    now = status(out)
    assert (now["sequences"], now["done"], now["interrupted_runs"]) == (SEQUENCES, SEQUENCES, 0)
    nodes = now["nodes"]
    assert isinstance(nodes, dict) and nodes.keys() == {"early", "late"} and now["running"] == {}
    assert partial == ["early"] and (nodes["early"]["alive"], nodes["late"]["alive"]) == (1, 0)
    assert 0 <= nodes["late"]["seconds_per_image"] < 60
    (hanging,) = fake_blender.alive()
    os.kill(hanging, signal.SIGKILL)
    end(early)
    assert not (out / PARTIAL_FOLDER).exists()
    # Going on, on a third machine whose clock is right.
    result = CliRunner().invoke(main, ["render", str(job), "--out", str(out), "--json"])
    assert json.loads(result.stdout)["rendered"] == 0
    end(start("render", job, "--out", alone))
    assert files(out) == files(alone)
