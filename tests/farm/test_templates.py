"""The templates that ship for schedulers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ffngen.dataset.context import open_context
from ffngen.dataset.plan import plan_sequences
from ffngen.farm.shard import parse_shard
from ffngen.job import load_job

JOBS = Path(__file__).parents[2] / "jobs"
FOLDER = JOBS / "farm"


def test_kubernetes_starts_as_many_pods_as_there_are_shards() -> None:
    job = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    shard = container["args"][container["args"].index("--shard") + 1]
    count = job["spec"]["completions"]
    assert job["spec"]["completionMode"] == "Indexed"
    assert {parse_shard(shard, {"JOB_COMPLETION_INDEX": str(i)}).count for i in range(count)} == {count}
    grace = float(container["args"][container["args"].index("--grace") + 1])
    assert grace < job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]


def test_the_batch_script_is_a_script() -> None:
    assert subprocess.run(["bash", "-n", str(FOLDER / "render.sbatch")], check=False).returncode == 0


def test_the_ray_cluster_is_yaml() -> None:
    assert yaml.safe_load((FOLDER / "ray-cluster.yaml").read_text())["provider"]["type"] == "local"


def openjd(*arguments: str) -> str:
    program = Path(sys.executable).with_name("openjd")
    path = str(program) if program.exists() else shutil.which("openjd")
    if path is None:
        pytest.skip("openjd-cli is not installed (the extra dev)")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_open_job_description_is_valid_and_runs_every_shard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = str(FOLDER / "openjd.yaml")
    assert "passes validation" in openjd("check", template)
    # A command that says what it is asked for.
    (tmp_path / "ffngen").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    (tmp_path / "ffngen").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    parameters = [f"Job={JOBS / 'demo.yaml'}", f"Out={tmp_path / 'out'}", "Shards=3", "Last=2"]
    options = [part for parameter in parameters for part in ("-p", parameter)]
    openjd("run", template, "--step", "Finish", "--run-dependencies", *options)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split("--shard ")[1].split()[0] for line in asked[:-1]] == ["0/3", "1/3", "2/3"]
    assert asked[-1].startswith("farm finish ")


def test_the_job_of_the_published_size() -> None:
    context = open_context(load_job(JOBS / "facialflownet.yaml"))
    plans = plan_sequences(context.job, context.source)
    assert len(plans) == 9635 * 4
    # Four, nine, fourteen and nineteen pairs of each person.
    assert sum(plan.pairs for plan in plans) == 9635 * 46
