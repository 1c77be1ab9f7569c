"""Folders of unfinished work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from ffngen.dataset import run_folder as module
from ffngen.dataset.layout import PARTIAL_FOLDER
from ffngen.dataset.run_folder import DEAD_SECONDS, run_folder
from ffngen.errors import DatasetError


def subprocess_pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


def begin_and_end(root: Path) -> int:
    for _ in range(50):
        with run_folder(root) as folder:
            (folder / "x").touch()
    return 50


HOLD = """
import sys, time
from pathlib import Path
from ffngen.dataset.run_folder import run_folder
with run_folder(Path(sys.argv[1])) as folder:
    (folder / "half").write_text("x")
    print(folder.name, flush=True)
    time.sleep(3600)
"""


def hold(root: Path) -> tuple[subprocess.Popen[str], str]:
    """Another run that is at work in the folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(root)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline().strip()


def test_it_is_gone_afterwards(tmp_path: Path) -> None:
    with run_folder(tmp_path) as folder:
        assert folder.parent == tmp_path / PARTIAL_FOLDER
        (folder / "a").mkdir()
        (folder / "a" / "b").touch()
    assert list(tmp_path.iterdir()) == []


def test_it_is_gone_after_a_fault(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), run_folder(tmp_path) as folder:
        (folder / "a").touch()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_new_root_that_stays_empty_goes_with_it(tmp_path: Path) -> None:
    with run_folder(tmp_path / "new"):
        pass
    assert not (tmp_path / "new").exists()
    with run_folder(tmp_path / "new"):
        (tmp_path / "new" / "dataset.json").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["dataset.json"]


def test_what_a_killed_run_left_is_cleared_away_and_a_live_one_is_not(tmp_path: Path) -> None:
    process, name = hold(tmp_path)
    try:
        with run_folder(tmp_path) as folder:
            assert folder.name != name
            assert (tmp_path / PARTIAL_FOLDER / name / "half").exists()
        # The folder of folders stays too, for the other run.
        assert (tmp_path / PARTIAL_FOLDER / name / "half").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / PARTIAL_FOLDER / name / "half").exists()
        with run_folder(tmp_path) as folder:
            assert [path.name for path in (tmp_path / PARTIAL_FOLDER).iterdir()] == [folder.name]
    finally:
        process.kill()
        process.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_zombie_is_dead(tmp_path: Path) -> None:
    process, name = hold(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has asked for its exit code
    with run_folder(tmp_path):
        assert not (tmp_path / PARTIAL_FOLDER / name).exists()
    process.wait()


def test_a_process_number_that_is_used_again(tmp_path: Path) -> None:
    """This process, by its number, and not, by the time that it started."""
    with run_folder(tmp_path) as folder:
        host, pid, started, scope = folder.name.split("~")
    stale = tmp_path / PARTIAL_FOLDER / f"{host}~{pid}~{int(started) - 1}~{scope}"
    stale.mkdir(parents=True)
    with run_folder(tmp_path):
        assert not stale.exists()


def test_runs_on_other_machines_are_left_alone(tmp_path: Path) -> None:
    other = tmp_path / PARTIAL_FOLDER / "some-other-machine~999999999~1~abcdef01"
    other.mkdir(parents=True)
    with run_folder(tmp_path):
        pass
    assert other.exists()


def test_another_container_of_the_same_name_is_left_alone(tmp_path: Path) -> None:
    """Its process numbers mean nothing here."""
    with run_folder(tmp_path) as folder:
        host = folder.name.partition("~")[0]
    other = tmp_path / PARTIAL_FOLDER / f"{host}~999999999~1~abcdef01"
    other.mkdir(parents=True)
    with run_folder(tmp_path):
        pass
    assert other.exists()


def test_runs_elsewhere_are_dead_after_a_long_silence_by_the_file_servers_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead, alive = (tmp_path / PARTIAL_FOLDER / f"{name}~1~1~abcdef01" for name in ("dead", "alive"))
    for folder, silence in ((dead, DEAD_SECONDS + 60), (alive, DEAD_SECONDS - 60)):
        (folder / "x").mkdir(parents=True)
        then = folder.stat().st_mtime - silence
        os.utime(folder, (then, then))
    # A node whose clock is a day wrong is not misled.
    monkeypatch.setattr("time.time", lambda: 0.0)
    with run_folder(tmp_path):
        assert not dead.exists() and alive.exists()


def test_a_run_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEARTBEAT_SECONDS", 0.01)
    with run_folder(tmp_path) as folder:
        os.utime(folder, (0, 0))
        deadline = time.monotonic() + 10
        while folder.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert folder.stat().st_mtime > 0


def test_many_begin_and_end_at_once(tmp_path: Path) -> None:
    """Those that end remove the folder of folders while others make theirs in it."""
    with subprocess_pool(4) as pool:
        assert sum(pool.map(begin_and_end, [tmp_path] * 4)) == 4 * 50
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rest", ["", "~", "~~", "~x~1", "~-1~1", "~1", "~99999999999999999999~1", "~\u00b2~1"])
def test_names_that_no_run_makes(rest: str, tmp_path: Path) -> None:
    with run_folder(tmp_path) as folder:
        host = folder.name.partition("~")[0]
    (tmp_path / PARTIAL_FOLDER / f"{host}{rest}").mkdir(parents=True)
    (tmp_path / PARTIAL_FOLDER / "file").mkdir()
    with run_folder(tmp_path) as folder:
        assert folder.is_dir()


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / PARTIAL_FOLDER).write_text("a file")
    with pytest.raises(DatasetError, match="cannot be used"), run_folder(tmp_path):
        pass
    with pytest.raises(DatasetError, match="/proc/ffngen"), run_folder(Path("/proc/ffngen")):
        pass
