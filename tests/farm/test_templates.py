"""The templates that ship for schedulers."""

from __future__ import annotations

import re
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


@pytest.mark.parametrize("version", ["1.30", "1.33", "1.37"])
def test_kubernetes_takes_the_job(version: str) -> None:
    """By the schemas of Kubernetes' own API."""
    validator = pytest.importorskip("kubernetes_validate")
    job = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text())
    validator.validate(job, version, strict=True)
    job["spec"]["completion"] = 1
    with pytest.raises(validator.ValidationError):
        validator.validate(job, version, strict=True)


@pytest.mark.parametrize("script", [FOLDER / "render.sbatch", JOBS / "train.sbatch"])
def test_the_batch_scripts_are_scripts(script: Path) -> None:
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0


def test_ray_takes_the_cluster() -> None:
    """As `ray up` reads it: what an older form lacks is filled in, then all is compared with Ray's schema."""
    util = pytest.importorskip("ray.autoscaler._private.util")
    cluster = yaml.safe_load((FOLDER / "ray-cluster.yaml").read_text())
    util.validate_config(util.prepare_config(cluster))
    (nodes,) = util.prepare_config(cluster)["available_node_types"].values()
    assert nodes["min_workers"] == nodes["max_workers"] == len(cluster["provider"]["worker_ips"])


def test_the_containers_have_what_blender_needs() -> None:
    """The libraries that the Makefile installs; and their shell lines can be read."""
    wanted = set(re.search(r"^PACKAGES := (.*)$", (JOBS.parent / "Makefile").read_text(), re.M)[1].split())  # type: ignore[index]
    for name in ("Dockerfile", "apptainer.def"):
        text = (FOLDER / name).read_text()
        assert set(re.findall(r"\blib[a-z0-9-]+", text.split("pip install")[0])) == wanted
    post = (FOLDER / "apptainer.def").read_text().split("%post\n")[1].split("\n%")[0]
    assert subprocess.run(["bash", "-n", "-c", post], check=False).returncode == 0


def test_the_dockerfile_passes_its_linter() -> None:
    run(program("hadolint"), str(FOLDER / "Dockerfile"))


def program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    path = str(beside) if beside.exists() else shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (the extra dev)")
    return path


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def openjd(*arguments: str) -> str:
    return run(program("openjd"), *arguments)


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
