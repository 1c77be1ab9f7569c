"""Commands whose dataset lies on a real S3 server; conftests take the fixtures from here."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from farm_runs import JOB, files
from s3_server import BUCKET, S3Server, s3_server
from stand_in import STAND_IN

from ffngen.cli import main
from ffngen.render import process


@pytest.fixture(scope="module")
def running() -> Iterator[S3Server]:
    with s3_server() as one:
        yield one


@pytest.fixture
def server(running: S3Server) -> Iterator[S3Server]:
    running.asked.clear()
    yield running
    running.fault = None


@pytest.fixture
def out(request: pytest.FixtureRequest) -> str:
    return f"s3://{BUCKET}/{prefix(request.node.name)}"


def prefix(name: str) -> str:
    return "sets/" + re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")


@pytest.fixture
def job(tmp_path: Path) -> Path:
    path = tmp_path / "job.yaml"
    path.write_text(JOB)
    return path


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one process writes into a folder."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "job.yaml").write_text(JOB)
    (folder / "state").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_BLENDER", str(folder / "state"))
        patch.setitem(process.COMMANDS, "cycles", (sys.executable, str(STAND_IN)))
        render(folder / "job.yaml", folder / "out")
    return without_folders(folder / "out")


def without_folders(root: Path) -> dict[str, bytes]:
    """The files of a dataset, which are all that an object store knows."""
    return {path: data for path, data in files(root).items() if (root / path).is_file()}


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def render(job: Path, out: str | Path, *options: str, code: int = 0) -> None:
    result = invoke("render", job, "--out", out, *options)
    assert result.exit_code == code, result.output


def on_server(server: S3Server, out: str) -> dict[str, bytes]:
    return server.files(out.removeprefix(f"s3://{BUCKET}/"))
