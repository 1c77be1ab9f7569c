"""Jobs through a real Ray cluster of two nodes, started as processes here."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from farm_runs import JOB, SEQUENCES, end, files
from farm_runs import start_real as start

from ffngen.dataset.context import JobContext, open_context
from ffngen.dataset.folder_store import FolderStore
from ffngen.dataset.layout import PARTIAL_FOLDER, complete_sequences
from ffngen.errors import FfngenError
from ffngen.farm.executors import RayOptions, execute
from ffngen.farm.journal import read_journals
from ffngen.job import load_job

pytestmark = [
    pytest.mark.bpy,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed (the extra farm)"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
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


def test_no_cluster_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FfngenError, match="no Ray cluster at"):
        for _ in execute(context(tmp_path), "ray", RayOptions("127.0.0.1:1")):
            pass
    assert not (tmp_path / "out").exists()
