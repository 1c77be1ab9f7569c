"""Jobs through a real Ray cluster of two nodes, started as processes here."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from farm_runs import JOB, SEQUENCES, end, files
from farm_runs import start_real as start
from s3_server import BUCKET, S3Server, s3_server

from ffngen.dataset.context import JobContext, open_context
from ffngen.dataset.folder_store import FolderStore
from ffngen.dataset.layout import PARTIAL_FOLDER, complete_sequences
from ffngen.errors import FfngenError
from ffngen.farm.executors import RayOptions, execute
from ffngen.farm.journal import read_journals
from ffngen.job import load_job
from ffngen.url import parse_place

pytestmark = [
    pytest.mark.bpy,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed (the extra farm)"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as one:
        yield one


@pytest.fixture(scope="module")
def cluster(server: S3Server) -> Iterator[Any]:
    """Its nodes know where the server is."""
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        # Nothing is reported to anybody, and dead nodes are found in seconds.
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        options = {
            "health_check_initial_delay_ms": 0,
            "health_check_period_ms": 500,
            "health_check_failure_threshold": 3,
        }
        one = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": options},
        )
        one.second = one.add_node(num_cpus=1)
        one.wait_for_nodes()
        yield one
        one.shutdown()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process makes."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "job.yaml").write_text(JOB)
    end(start("render", folder / "job.yaml", "--out", folder / "out"))
    return folder / "out"


def context(folder: Path) -> JobContext:
    (folder / "job.yaml").write_text(JOB.replace("workers: 1\n", ""))
    return open_context(load_job(folder / "job.yaml", {"out": folder / "out"}))


def lines(root: Path, event: str) -> list[dict[str, Any]]:
    return [line for _, found in read_journals(FolderStore(root)) for line in found if line["event"] == event]


def test_two_nodes_then_one_that_dies(cluster: Any, alone: Path, tmp_path: Path) -> None:
    options = RayOptions(cluster.address)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    undisturbed = context(tmp_path / "a")
    with closing(execute(undisturbed, "ray", options)) as states:
        *_, (run, _) = states
    assert sorted(run.done) == sorted(plan.name for plan in run.plans) and len(run.done) == SEQUENCES
    assert files(undisturbed.job.out) == files(alone)
    # Each worker has noted its own.
    assert len(lines(undisturbed.job.out, "done")) == SEQUENCES
    assert {line["executor"] for line in lines(undisturbed.job.out, "begin")} == {"ray"}

    disturbed = context(tmp_path / "b")
    killed, retries, started = False, [], set()
    with closing(execute(disturbed, "ray", options)) as states:
        for run, event in states:  # noqa: B007
            if event is not None and event.kind == "retry":
                retries.append(event.name)
            if event is not None and event.kind == "started":
                started.add(event.name)
            if len(started) == 2 and not killed:
                # Both nodes are at work.
                cluster.remove_node(cluster.second, allow_graceful=False)
                killed = True
    assert killed and run.failed == {}
    assert len(complete_sequences(disturbed.job.out)) == SEQUENCES
    assert not (disturbed.job.out / PARTIAL_FOLDER).exists()
    assert files(disturbed.job.out) == files(alone)
    assert len(retries) == 1


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of which next to nothing is free."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        (folder / "filler").write_bytes(bytes(int(3.8 * 2**20)))
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_on_one_node(
    cluster: Any, server: S3Server, alone: Path, full_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into an object store, where each node has its own disk for unfinished work; the other node makes it all."""
    sick = cluster.add_node(num_cpus=1, env_vars={"TMPDIR": str(full_disk)})
    cluster.wait_for_nodes()
    (tmp_path / "job.yaml").write_text(JOB.replace("workers: 1\n", ""))
    job = load_job(tmp_path / "job.yaml", {"out": parse_place(f"s3://{BUCKET}/ray/full")})
    import ray

    ended, kill = [], ray.kill
    monkeypatch.setattr(ray, "kill", lambda actor: (ended.append(actor), kill(actor)))
    try:
        with closing(execute(open_context(job), "ray", RayOptions(cluster.address))) as states:
            *_, (run, _) = states
    finally:
        cluster.remove_node(sick, allow_graceful=False)
    assert run.failed == {} and len(run.done) == SEQUENCES
    # Both workers are ended in the end, and the sick one was before, for its fault.
    assert (len(ended), len(set(ended))) == (3, 2)
    assert server.files("ray/full") == {name: data for name, data in files(alone).items() if (alone / name).is_file()}


def test_no_cluster_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FfngenError, match="no Ray cluster at"):
        for _ in execute(context(tmp_path), "ray", RayOptions("127.0.0.1:1")):
            pass
    assert not (tmp_path / "out").exists()
