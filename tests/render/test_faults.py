"""The whole command, with a stand-in for Blender: failures, interruption, a full disk, growth, other jobs."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from ffngen.cli import main
from ffngen.cli.render_report import RenderReporter
from ffngen.dataset import work
from ffngen.dataset.layout import log_path
from ffngen.dataset.manifest import read_manifest
from ffngen.dataset.run_folder import run_name

JOB = "texture_size: 64\nresolution: 32\nsamples: 1\nn_frames: [2]\nidentities: 3\nworkers: 2\nthreads: 1\n"


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


def render(job: Path, out: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["render", str(job), "--out", str(out), *options])


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else b"" for path in root.rglob("*")}


def one_line(result: Result) -> str:
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    lines = [line for line in result.stderr.splitlines() if line.startswith("ffngen: ")]
    assert len(lines) == 1, result.stderr
    assert "Traceback" not in result.output
    return lines[0]


def test_a_sequence_that_fails_costs_the_others_nothing(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    name = "open-000001_e0_n2"
    fake_blender.behave(name, "error")
    out = tmp_path / "out"
    result = render(job, out, "--json")
    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    assert list(summary["failed"]) == [name]
    assert "out of [memory]" in summary["failed"][name]
    assert summary["complete"] == summary["rendered"] == 2
    assert "out of [memory]" in (out / log_path(name)).read_text()
    assert sorted(row.sequence for row in read_manifest(out)) == ["open-000000_e0_n2", "open-000002_e0_n2"]
    assert not list(out.rglob(f"*{name}*/*"))

    # In words, too; what Blender said is no markup.
    result = render(job, out)
    assert result.exit_code == 1
    assert "2 of 3 sequences are complete already" in result.stderr
    assert "out of [memory]" in result.stderr
    assert "2 of 3 complete" in result.stdout

    fake_blender.forget()
    result = render(job, out, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["rendered"] == 1
    assert len(read_manifest(out)) == 3
    assert not (out / "logs").exists()
    assert not (out / ".partial").exists()

    render(job, tmp_path / "undisturbed")
    assert files(out) == files(tmp_path / "undisturbed")


def test_complete_sequences_are_left_alone(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert render(job, out).exit_code == 0
    starts = len(fake_blender.lines("starts"))
    before = {path: path.stat().st_mtime_ns for path in (out / "image").rglob("*")}
    result = render(job, out)
    assert result.exit_code == 0
    assert "3 of 3 sequences are complete already" in result.stderr
    assert len(fake_blender.lines("starts")) == starts
    assert {path: path.stat().st_mtime_ns for path in (out / "image").rglob("*")} == before


@pytest.mark.parametrize("after", ["ready", "frame", "done"])
def test_interruption_leaves_a_dataset_to_go_on_with(
    after: str, fake_blender: Any, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    update = RenderReporter.update

    def interrupt(self: RenderReporter, run: Any, event: Any) -> None:
        update(self, run, event)
        if event is not None and event.kind == after:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(RenderReporter, "update", interrupt)
        result = render(job, out)
    assert result.exit_code == 130
    assert one_line(result) == "ffngen: stopped; run the same command again to go on"
    assert not fake_blender.alive()
    assert not (out / ".partial").exists()
    assert render(job, out).exit_code == 0
    render(job, tmp_path / "undisturbed")
    assert files(out) == files(tmp_path / "undisturbed")


SCRIPT = """
import sys
from ffngen.render import process
process.COMMANDS["cycles"] = (sys.executable, sys.argv[1])
from ffngen.cli import main
main(["render", *sys.argv[2:]])
"""


@pytest.mark.parametrize("moment", ["start", "rendering"])
def test_ctrl_c_in_a_terminal(moment: str, fake_blender: Any, job: Path, tmp_path: Path) -> None:
    """The signal goes to the command and its render processes alike."""
    fake_blender.behave("open-000000_e0_n2" if moment == "rendering" else "start", "hang")
    out = tmp_path / "out"
    fake = str(Path(__file__).with_name("fake_blender.py"))
    command = [sys.executable, "-c", SCRIPT, fake, str(job), "--out", str(out)]
    process = subprocess.Popen(
        command,
        start_new_session=True,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        # As a terminal starts it: a shell's background jobs, such as this test's own, inherit Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    noted = fake_blender.state / ("threads" if moment == "rendering" else "starts")
    deadline = time.monotonic() + 60
    while not noted.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr.decode()
    assert stderr.decode().splitlines()[-1] == "ffngen: stopped; run the same command again to go on"
    assert b"Traceback" not in stderr
    assert not fake_blender.alive()
    assert not (out / ".partial").exists()
    # Where nothing was begun, nothing is left.
    assert out.exists() == (moment == "rendering")


def test_two_runs_at_once(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    """Both make every sequence; one of them wins, and nothing is lost."""
    out = tmp_path / "out"
    fake = str(Path(__file__).with_name("fake_blender.py"))
    command = [sys.executable, "-c", SCRIPT, fake, str(job), "--out", str(out)]
    runs = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(2)]
    for run in runs:
        _, stderr = run.communicate(timeout=120)
        assert run.returncode == 0, stderr.decode()
    render(job, tmp_path / "undisturbed")
    assert files(out) == files(tmp_path / "undisturbed")


def test_a_full_disk_is_one_line(fake_blender: Any, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"

    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(work, "write_depth_exr", full)
        result = render(job, out)
    assert result.exit_code == 2
    assert one_line(result) == f"ffngen: {out}: the disk is full; free some space and run again"
    assert not fake_blender.alive()
    assert not (out / ".partial").exists()
    assert render(job, out).exit_code == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full(fake_blender: Any, job: Path, small_disk: Path, tmp_path: Path) -> None:
    out = small_disk / "out"
    result = render(job, out, "--resolution", "256", "--n-frames", "9")
    assert result.exit_code == 2
    assert "the disk is full; free some space and run again" in one_line(result)
    assert not fake_blender.alive()
    assert not (out / ".partial").exists()
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    assert render(job, out, "--resolution", "256", "--n-frames", "9").exit_code == 0
    render(job, tmp_path / "undisturbed", "--resolution", "256", "--n-frames", "9")
    assert files(out) == files(tmp_path / "undisturbed")


@pytest.mark.parametrize(
    ("gpus", "device", "words"),
    [
        ("0", "auto", "on CPU (no GPU was found): 2 processes, 1 threads each"),
        ("0", "cpu", "on CPU: 2 processes"),
        ("2", "auto", "on CUDA: 2 processes"),
    ],
)
def test_it_says_what_it_runs_on(
    gpus: str, device: str, words: str, fake_blender: Any, job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GPUS", gpus)
    result = render(job, tmp_path / "out", "--device", device)
    assert result.exit_code == 0
    assert words in result.stderr


def test_a_start_that_always_fails_is_one_line(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    fake_blender.behave("start", "die")
    result = render(job, tmp_path / "out")
    assert result.exit_code == 2
    assert "ended with exit code 3" in one_line(result)
    assert not (tmp_path / "out").exists()


def test_a_dataset_grows(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert render(job, out, "--identities", "1").exit_code == 0
    first = {name: data for name, data in files(out).items() if "open-000000_e0_n2" in name}
    assert first
    assert render(job, out, "--identities", "2", "--n-frames", "2,3").exit_code == 0
    grown = files(out)
    assert {name: grown[name] for name in first} == first
    assert len(read_manifest(out)) == 4
    before = files(out)
    for options, words in (
        (("--identities", "1", "--n-frames", "2,3"), "holds 2 identities, and this job has 1"),
        (("--identities", "2", "--n-frames", "2"), "holds sequences of n = 3, which this job lacks"),
        (("--identities", "2", "--n-frames", "2,3", "--seed", "1"), "seed is 0 there and 1 here"),
        (("--identities", "2", "--n-frames", "2,3", "--jaw-motion", "expression"), "jaw_motion"),
    ):
        for more in ((), ("--dry-run",)):
            result = render(job, out, *options, *more)
            assert result.exit_code == 2
            assert words in one_line(result)
            assert "--overwrite" in one_line(result)
            assert files(out) == before


def test_overwriting(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert render(job, out).exit_code == 0
    (out / "notes.txt").write_text("mine")
    result = render(job, out, "--seed", "1", "--identities", "1", "--overwrite", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["rendered"] == 1
    assert (out / "notes.txt").read_text() == "mine"
    (out / "notes.txt").unlink()
    render(job, tmp_path / "undisturbed", "--seed", "1", "--identities", "1")
    assert files(out) == files(tmp_path / "undisturbed")


def test_what_killed_runs_leave_is_cleared_away(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    """Unfinished work, and a sequence that was being moved into place."""
    out = tmp_path / "out"
    render(job, tmp_path / "undisturbed")
    assert render(job, out, "--identities", "2").exit_code == 0
    name = "open-000002_e0_n2"
    for file in (tmp_path / "undisturbed").rglob("*"):
        if name in file.parts and file.is_file() and file.name != "metadata.json":
            target = out / file.relative_to(tmp_path / "undisturbed")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(b"half")
            (target.parent / "9999.stray").touch()
    host, _, _, scope = run_name().split("~")
    (out / ".partial" / f"{host}~999999999~1~{scope}" / name).mkdir(parents=True)
    assert render(job, out).exit_code == 0
    assert files(out) == files(tmp_path / "undisturbed")


def test_other_files_in_a_users_folder_are_another_job(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    """Which picture a sequence gets depends on all of them; a dataset must not mix two choices."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    Image.new("RGB", (64, 64)).save(pictures / "a.png")
    out = tmp_path / "out"
    options = ("--backgrounds", str(pictures), "--identities", "1")
    assert render(job, out, *options).exit_code == 0
    assert render(job, out, *options).exit_code == 0
    Image.new("RGB", (64, 64)).save(pictures / "b.png")
    result = render(job, out, *options)
    assert result.exit_code == 2
    assert "the folder of backgrounds has changed" in one_line(result)


def test_a_picture_that_breaks_off_fails_its_sequence(fake_blender: Any, job: Path, tmp_path: Path) -> None:
    """Its header is sound, so that it is found only when it is drawn."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    path = pictures / "a.jpg"
    Image.effect_noise((256, 256), 100).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    result = render(job, tmp_path / "out", "--backgrounds", str(pictures), "--json")
    assert result.exit_code == 1
    summary = json.loads(result.stdout)
    assert len(summary["failed"]) == 3
    assert all("a.jpg: not an image" in reason for reason in summary["failed"].values())
