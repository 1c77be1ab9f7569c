"""Jobs through SLURM: the scripts as text, and a real SLURM of one node."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from farm_runs import JOB, PROGRAM, SEQUENCES, end, files, start, start_real
from slurm_cluster import Slurm, slurm_cluster, why_not
from stand_in import STAND_IN, FakeBlender

from ffngen.cli import main
from ffngen.dataset.layout import complete_sequences
from ffngen.errors import JobError
from ffngen.farm.shard import shard_index
from ffngen.farm.slurm import SlurmOptions, array_script, finish_script, submit

GOLDEN = Path(__file__).with_name("golden")
JOBS = Path(__file__).parents[2] / "jobs"
DIRECTIVES = {"partition": "gpu", "gres": "gpu:1", "cpus-per-task": "8", "time": "12:00:00"}
OPTIONS = SlurmOptions(16, 4, 120, DIRECTIVES, ("module load python/3.11",))


def test_the_scripts_are_these() -> None:
    job, out = Path("/jobs/a job.yaml"), Path("/data/demo")
    assert array_script(job, out, OPTIONS) == (GOLDEN / "array.sbatch").read_text()
    assert finish_script(job, out, OPTIONS) == (GOLDEN / "finish.sbatch").read_text()


def test_the_command_line_says_the_same() -> None:
    arguments = ["farm", "submit", "jobs/demo.yaml", "--out", "/data/demo", "--array", "16", "--at-once", "4"]
    arguments += ["--partition", "gpu", "--gres", "gpu:1", "--cpus-per-task", "8", "--option", "time=12:00:00"]
    result = CliRunner().invoke(main, [*arguments, "--setup", "module load python/3.11", "--print"])
    assert result.exit_code == 0, result.output
    job = Path("jobs/demo.yaml").absolute()
    assert result.stdout == (GOLDEN / "array.sbatch").read_text().replace("'/jobs/a job.yaml'", str(job))


@pytest.mark.parametrize("value", ["", "x\n#SBATCH --uid=0", "a b"])
def test_options_that_would_break_out_of_their_line(value: str) -> None:
    with pytest.raises(JobError, match="no option of sbatch"):
        SlurmOptions(1, directives={"partition": value})


def test_without_slurm_it_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    monkeypatch.setenv("PATH", str(tmp_path))
    arguments = ["farm", "submit", str(tmp_path / "job.yaml"), "--out", str(tmp_path / "out"), "--array", "2"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("ffngen: sbatch is not installed") and result.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def slurm() -> Iterator[Slurm]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with slurm_cluster() as cluster:
        yield cluster


#: What SLURM's tasks start: the command, with a stand-in for Blender, and with Blender.
STANDING_IN = (sys.executable, "-c", PROGRAM, str(STAND_IN))
REAL = (sys.executable, "-c", "from ffngen.cli import main; main()")


class Farm:
    """A job that is handed in to a SLURM."""

    def __init__(self, slurm: Slurm, folder: Path, fake_blender: FakeBlender) -> None:
        self.slurm, self.folder, self.fake = slurm, folder, fake_blender
        self.job, self.out = folder / "job.yaml", folder / "out"
        self.job.write_text(JOB)

    def submit(self, tasks: int, command: tuple[str, ...] = STANDING_IN) -> tuple[str, str]:
        """Hand it in; the sequences at work get 45 seconds."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.slurm.environment.items():
                patch.setenv(name, value)
            return submit(self.job, self.out, SlurmOptions(tasks, notice=60, command=command))

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline, [self.slurm.states(), *self.logs()]
            time.sleep(0.05)

    def wait_for_attempt(self, name: str, attempts: int = 1) -> None:
        """Wait until the stand-in is asked for a sequence for the nth time."""
        path = self.fake.state / f"{name}.attempts"
        self.wait_for(lambda: bool(self.slurm.states()) and path.exists() and len(path.read_text()) >= attempts)

    def logs(self) -> list[str]:
        return [path.read_text() for path in sorted((self.out / ".farm" / "slurm").glob("*.log"))]

    def finish(self, *jobs: str, start: Callable[..., subprocess.Popen[str]] = start) -> None:
        """Wait for the end, and compare with what one process makes, started by ``start``."""
        states = self.slurm.wait(*jobs)
        assert set(states.values()) <= {"COMPLETED"}, [states, *self.logs()]
        assert len(complete_sequences(self.out)) == SEQUENCES
        self.fake.forget()
        end(start("render", self.job, "--out", self.folder / "alone"))
        assert files(self.out) == files(self.folder / "alone")


@pytest.fixture
def farm(slurm: Slurm, tmp_path: Path, fake_blender: FakeBlender) -> Farm:
    slurm.environment["FAKE_BLENDER"] = str(fake_blender.state)
    return Farm(slurm, tmp_path, fake_blender)


#: The first sequence of the job.
FIRST = "open-000000_e0_n2"


@pytest.mark.bpy
def test_an_array_and_what_finishes_it(farm: Farm) -> None:
    """With Blender."""
    farm.finish(*farm.submit(3, REAL), start=start_real)


def test_the_batch_script_by_hand(farm: Farm) -> None:
    """jobs/farm/render.sbatch as it is, with a stand-in in PATH, and jobs/train.sbatch as far as SLURM takes it."""
    (farm.folder / "bin").mkdir()
    command = farm.folder / "bin" / "ffngen"
    command.write_text(f'#!/bin/sh\nexec {shlex.join(STANDING_IN)} "$@"\n')
    command.chmod(0o755)
    variables = f"ALL,N=2,JOB={farm.job},OUT={farm.out},PATH={command.parent}:{farm.slurm.environment['PATH']}"
    here = ("--cpus-per-task=1", "--mem=0", f"--chdir={farm.folder}", f"--export={variables}")
    array = farm.slurm.ask("sbatch", "--parsable", "--array=0-1", *here, str(JOBS / "farm" / "render.sbatch"))
    assert set(farm.slurm.wait(array).values()) == {"COMPLETED"}
    result = CliRunner().invoke(main, ["farm", "finish", str(farm.job), "--out", str(farm.out)])
    assert result.exit_code == 0, result.output
    farm.finish(array)
    small = ("--nodes=1", "--ntasks-per-node=1", "--gres=none", "--cpus-per-task=1")
    farm.slurm.ask("sbatch", "--test-only", *small, str(JOBS / "train.sbatch"))


def test_preempted_with_grace(farm: Farm) -> None:
    """A job of more weight takes both cores: the sequence at work is completed, and the task comes back."""
    farm.fake.behave(FIRST, "slow2")
    farm.fake.behave("open-000000_e0_n3", "slow2")
    jobs = farm.submit(1)
    farm.wait_for_attempt(FIRST)
    command = ["sbatch", "--parsable", "-p", "high", "-c", "2", "-o", "/dev/null", "--wrap", "sleep 1"]
    important = farm.slurm.ask(*command)
    farm.finish(*jobs, important)
    assert "Restarts=1" in farm.slurm.ask("scontrol", "show", "job", f"{jobs[0]}_0")
    assert "1 of 4 sequences are complete already" in "".join(farm.logs())


def test_requeued_twice(farm: Farm) -> None:
    farm.fake.behave(FIRST, "hang", "hang", "ok")
    jobs = farm.submit(1)
    for attempt in (1, 2):
        farm.wait_for_attempt(FIRST, attempt)
        farm.slurm.ask("scontrol", "requeue", f"{jobs[0]}_0")
    farm.finish(*jobs)
    assert "Restarts=2" in farm.slurm.ask("scontrol", "show", "job", f"{jobs[0]}_0")


def test_the_controller_is_restarted(farm: Farm) -> None:
    farm.fake.behave(FIRST, "slow")
    jobs = farm.submit(2)
    farm.wait_for_attempt(FIRST)
    farm.slurm.stop("slurmctld")
    time.sleep(1)
    farm.slurm.start_controller()
    farm.wait_for(lambda: subprocess.run(["squeue"], env=farm.slurm.environment, capture_output=True).returncode == 0)
    farm.finish(*jobs)


def test_a_killed_task_and_half_of_the_shards_handed_in_twice(farm: Farm) -> None:
    """SIGKILL to the command of one task; the whole array is handed in anew while the rest still runs."""
    farm.fake.behave(FIRST, "hang", "ok")
    first, after = farm.submit(2)
    farm.wait_for_attempt(FIRST)
    killed = None
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # Other tests may run shards beside this one.
        wanted = {str(farm.job).encode(), f"{shard_index(FIRST, 2)}/2".encode()}
        if arguments[0] == sys.executable.encode() and wanted <= set(arguments):
            killed = int(entry.name)
            os.kill(killed, signal.SIGKILL)
            break
    assert killed is not None
    again = farm.submit(2)
    states = farm.slurm.wait(first, after)
    assert sorted(states[f"{first}_{i}"] for i in range(2)) == ["COMPLETED", "FAILED"]
    farm.finish(*again)


def test_a_cancelled_task_does_not_come_back(farm: Farm) -> None:
    farm.fake.behave(FIRST, "hang")
    first, after = farm.submit(1)
    farm.wait_for_attempt(FIRST)
    farm.slurm.ask("scancel", first)
    assert set(farm.slurm.wait(first).values()) == {"CANCELLED"}
    farm.slurm.wait(after)
