"""Datasets on a real S3 server: what a folder would hold, whatever goes wrong on the way."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from farm_runs import JOB, SEQUENCES, end, files, start
from s3_server import BUCKET, S3Server, s3_server
from stand_in import STAND_IN, FakeBlender

from ffngen.cli import main
from ffngen.render import process

FIRST, LAST = "open-000000_e0_n2", "open-000001_e0_n3"


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
    return {path: data for path, data in files(folder / "out").items() if (folder / "out" / path).is_file()}


def invoke(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def render(job: Path, out: str | Path, *options: str, code: int = 0) -> None:
    result = invoke("render", job, "--out", out, *options)
    assert result.exit_code == code, result.output


def on_server(server: S3Server, out: str) -> dict[str, bytes]:
    return server.files(out.removeprefix(f"s3://{BUCKET}/"))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_shards_status_finish_and_home(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes], tmp_path: Path
) -> None:
    """The way of a farm, from the plan to a verified folder."""
    plan = json.loads(invoke("farm", "plan", job, "--out", out, "--json").stdout)
    assert plan["out"] == out and plan["to_render"] == SEQUENCES
    for run in [start("render", job, "--out", out, "--shard", f"{i}/2", "--json") for i in range(2)]:
        assert out in end(run)
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert (status["dataset"], status["sequences"], status["done"]) == (out, SEQUENCES, SEQUENCES)
    assert sum(node["done"] for node in status["nodes"].values()) == SEQUENCES
    assert f"{out}: 4 of 4 sequences done" in invoke("farm", "status", out).stdout
    finished = invoke("farm", "finish", job, "--out", out, "--json")
    assert finished.exit_code == 0, finished.output
    assert json.loads(finished.stdout)["complete"] == SEQUENCES
    assert on_server(server, out) == alone
    assert json.loads(invoke("farm", "plan", job, "--out", out, "--json").stdout)["to_render"] == 0
    home = tmp_path / "home"
    merged = json.loads(invoke("farm", "merge", out, "--out", home, "--json").stdout)
    assert merged["merged"] == SEQUENCES
    assert {path: data for path, data in files(home).items() if (home / path).is_file()} == alone
    # And back to another place there.
    assert invoke("farm", "merge", home, "--out", f"{out}-again").exit_code == 0
    assert on_server(server, f"{out}-again") == alone


def test_the_whole_job_by_farm_run_with_labels(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, tmp_path: Path
) -> None:
    """Labels come with each sequence, as what lies there is not read back; they are those of a folder."""
    job.write_text(f"{JOB}labels: [backward, coverage, segmentation]\nlabel_pairs: [2]\nfolders: spread\n")
    run = invoke("farm", "run", job, "--out", out, "--executor", "inline", "--json")
    assert run.exit_code == 0, run.output
    assert invoke("render", job, "--out", tmp_path / "folder").exit_code == 0
    folder, home = tmp_path / "folder", tmp_path / "home"
    there = on_server(server, out)
    assert any("flow_pairs/" in path for path in there) and any("/labels.json" in path for path in there)
    assert there == {path: data for path, data in files(folder).items() if (folder / path).is_file()}
    assert invoke("farm", "merge", out, "--out", home).exit_code == 0
    assert files(home) == files(folder)


def test_going_on_lists_and_asks_for_no_sequence(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    render(job, out)
    before = on_server(server, out)
    server.asked.clear()
    assert json.loads(invoke("render", job, "--out", out, "--json").stdout)["rendered"] == 0
    assert not [path for method, path in server.asked if method == "HEAD"]
    assert on_server(server, out) == before
    # In pages, which are short here.
    monkeypatch.setattr("ffngen.dataset.bucket._PAGE", 3)
    where = f"{out.removeprefix(f's3://{BUCKET}/')}/logs/"
    names = sorted(f"s{i}" for i in range(17))
    for name in names:
        server.client.put_object(Bucket=BUCKET, Key=f"{where}{len(name):02x}/{name}.log", Body=b"key\nodd\n")
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert status["done"] == SEQUENCES
    logs = [f"{out}/logs/{len(name):02x}/{name}.log" for name in names]
    assert status["failures"] == [{"cause": "odd", "count": 17, "logs": logs}]
    result = invoke("render", job, "--out", out, "--seed", "5", "--overwrite", "--dry-run", "--json")
    assert json.loads(result.stdout)["to_render"] == SEQUENCES


@pytest.mark.parametrize("status", [500, 503, 200])
def test_a_server_that_fails_for_a_while_and_is_slow(
    status: int, fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes]
) -> None:
    """Every third request fails, or all are slow; the run knows nothing of it."""
    lock, count = threading.Lock(), [0]

    def fault(method: str, path: str) -> int | None:
        if status == 200:
            time.sleep(0.02)
            return None
        with lock:
            count[0] += 1
            return status if count[0] % 3 == 0 else None

    server.fault = fault
    render(job, out)
    server.fault = None
    assert on_server(server, out) == alone


def test_a_server_that_stays_away_ends_the_run(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes], monkeypatch: Any
) -> None:
    """In one line; no sequence counts as failed, and the next run goes on."""
    monkeypatch.setattr("ffngen.dataset.bucket._ATTEMPTS", 2)
    puts: list[str] = []

    def fault(method: str, path: str) -> int | None:
        puts.extend([path] if method == "PUT" else [])
        return 500 if len(puts) > 30 else None

    server.fault = fault
    result = invoke("render", job, "--out", out)
    assert result.exit_code == 2, result.output
    assert result.stderr.splitlines()[-1].startswith(f"ffngen: {out}/") and "the server says 500" in result.stderr
    server.fault = None
    assert not any(path.startswith("logs/") for path in on_server(server, out))
    render(job, out)
    assert on_server(server, out) == alone


@pytest.mark.parametrize("objects", [1, 12, 30])
def test_a_process_that_is_killed_between_objects(
    objects: int, fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes]
) -> None:
    """What is half there does not count, and the next run makes the dataset whole."""
    run: list[subprocess.Popen[str]] = []
    puts: list[str] = []

    def fault(method: str, path: str) -> int | None:
        if method == "PUT":
            puts.append(path)
            if len(puts) > objects:
                run[0].kill()
                return 500
        return None

    server.fault = fault
    run.append(start("render", job, "--out", out, "--shard", "0/1"))
    end(run[0], -signal.SIGKILL)
    server.fault = None
    half = on_server(server, out)
    assert half.keys() < alone.keys()
    complete = sum(path.endswith("/metadata.json") for path in half)
    plan = json.loads(invoke("render", job, "--out", out, "--dry-run", "--json").stdout)
    assert plan["to_render"] == SEQUENCES - complete
    render(job, out)
    assert on_server(server, out) == alone


def test_two_writers_of_the_same_sequences_at_once(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes]
) -> None:
    """All shards are handed in twice, and every object is written twice or refused."""
    for run in [start("render", job, "--out", out, "--shard", f"{i}/2") for i in (0, 1, 0, 1)]:
        end(run)
    assert invoke("farm", "finish", job, "--out", out).exit_code == 0
    assert on_server(server, out) == alone


def test_images_of_two_machines_do_not_mix_up_the_metadata(server: S3Server, made_dataset: Path, out: str) -> None:
    """Another machine's images lie there: they are kept, truth is replaced, and the metadata lists what lies there."""
    from ffngen.dataset.layout import Output, complete_sequences, metadata_path
    from ffngen.dataset.metadata import SequenceMetadata, read_sequence
    from ffngen.dataset.store import open_store
    from ffngen.url import parse_place

    key = complete_sequences(made_dataset)[0]
    metadata = read_sequence(made_dataset, key)
    store, where = open_store(parse_place(out)), out.removeprefix(f"s3://{BUCKET}/")
    image, flow = (str(metadata.layout.file(output, 1)) for output in (Output.FACIAL_IMAGE, Output.FACIAL_FLOW))
    for path in (image, flow):
        server.client.put_object(Bucket=BUCKET, Key=f"{where}/{path}", Body=b"another")
    store.put_sequence(made_dataset, metadata)
    there = on_server(server, out)
    assert there[image] == b"another" and there[flow] == (made_dataset / flow).read_bytes()
    found = SequenceMetadata.model_validate_json(there[metadata_path(key)])
    assert found.files[image].bytes == len(b"another") and found.files[flow] == metadata.files[flow]
    # A writer that comes later changes nothing.
    store.put_sequence(made_dataset, metadata)
    assert on_server(server, out) == there


def test_a_server_without_conditions(server: S3Server, fake_blender: FakeBlender, job: Path, out: str) -> None:
    """It answers 501 to If-None-Match, which some do; a job is compared all the same."""
    plain: set[str] = set()

    def fault(method: str, path: str) -> int | None:
        if method == "PUT" and path not in plain:
            plain.add(path)
            return 501
        return None

    server.fault = fault
    render(job, out)
    server.fault = None
    result = invoke("render", job, "--out", out, "--seed", "5")
    assert result.exit_code == 2 and "holds the dataset of another job (seed is" in result.stderr


def test_mixed_jobs_are_refused(fake_blender: FakeBlender, server: S3Server, job: Path, out: str) -> None:
    """Two that come at once: one of them gets the place."""
    runs = [start("render", job, "--out", out, "--shard", "0/1", "--seed", str(seed)) for seed in (0, 1)]
    results = [(*run.communicate(timeout=120), run.returncode) for run in runs]
    assert sorted(code for *_, code in results) == [0, 2]
    (stderr,) = [stderr for _, stderr, code in results if code == 2]
    assert "holds the dataset of another job (seed is" in stderr and "Traceback" not in stderr
    assert invoke("render", job, "--out", out, "--seed", "7", "--overwrite").exit_code == 0
    assert invoke("render", job, "--out", out, "--seed", "8").exit_code == 2


def test_what_failed_is_seen_and_tried_again(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes]
) -> None:
    fake_blender.behave(LAST, "error")
    render(job, out, "--shard", "0/1", code=1)
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert (status["done"], status["failed"]) == (SEQUENCES - 1, 1)
    (failure,) = status["failures"]
    assert failure["cause"].endswith("RuntimeError: out of [memory]") and failure["logs"][0].startswith(f"{out}/logs/")
    assert invoke("farm", "finish", job, "--out", out).exit_code == 1
    fake_blender.forget()
    assert json.loads(invoke("farm", "retry", job, "--out", out, "--json").stdout)["rendered"] == 1
    assert invoke("farm", "finish", job, "--out", out).exit_code == 0
    assert on_server(server, out) == alone


def test_a_run_that_is_at_work_is_seen(fake_blender: FakeBlender, server: S3Server, job: Path, out: str) -> None:
    fake_blender.behave(FIRST, "hang", "ok")
    run = start("render", job, "--out", out, "--shard", "0/1", "--grace", "0")
    wait_for(lambda: (fake_blender.state / f"{FIRST}.attempts").exists())
    wait_for(lambda: invoke("farm", "status", out, "--json").exit_code == 0)
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert sum(node["alive"] for node in status["nodes"].values()) == 1
    run.send_signal(signal.SIGTERM)
    end(run, 143)
    status = json.loads(invoke("farm", "status", out, "--json").stdout)
    assert sum(node["alive"] for node in status["nodes"].values()) == status["interrupted_runs"] == 0


@pytest.mark.parametrize(
    ("variables", "place", "says"),
    [
        ({}, "s3://no-such-bucket/x", "there is no bucket 'no-such-bucket'"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, f"s3://{BUCKET}/x", "the server cannot be reached"),
        ({"AWS_ENDPOINT_URL": "nonsense"}, f"s3://{BUCKET}/x", "the server cannot be reached"),
        ({"AWS_PROFILE": "nobody"}, f"s3://{BUCKET}/x", "there are no credentials"),
        ({"AWS_ACCESS_KEY_ID": ""}, f"s3://{BUCKET}/x", "there are no credentials"),
        ({}, "s3://lab", "is not s3://BUCKET/PREFIX"),
        ({}, "s3://lab/../x", "is not s3://BUCKET/PREFIX"),
        ({}, "gs://lab/x", "gs:// is no scheme"),
    ],
)
def test_faults_of_the_user_are_one_line(
    variables: dict[str, str], place: str, says: str, server: S3Server, job: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffngen.dataset.bucket._ATTEMPTS", 1)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if variables.get("AWS_ACCESS_KEY_ID") == "":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for arguments in (("render", job, "--out", place), ("farm", "status", place)):
        result = invoke(*arguments)
        assert result.exit_code == 2, result.output
        assert says in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_keys_that_the_server_does_not_know(server: S3Server, job: Path, out: str) -> None:
    def refuse(method: str, path: str) -> int | None:
        return 403

    server.fault = refuse
    result = invoke("render", job, "--out", out)
    assert result.exit_code == 2 and "the server refuses access" in result.stderr and result.stderr.count("\n") == 1


def test_without_boto3_it_is_one_line(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    result = invoke("render", job, "--out", f"s3://{BUCKET}/x")
    assert result.exit_code == 2 and 'pip install "ffngen[s3]"' in result.stderr and result.stderr.count("\n") == 1


def test_a_full_scratch_disk(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes], monkeypatch: Any
) -> None:
    """The disk is full in the midst of the second sequence; what was written stays, and the rest follows."""
    import errno

    from ffngen.dataset import work

    count, write = [0], work.write_flow

    def full(*arguments: Any, **options: Any) -> None:
        count[0] += 1
        if count[0] == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(work, "write_flow", full)
        result = invoke("render", job, "--out", out)
    assert result.exit_code == 2 and "the disk is full" in result.stderr
    assert 0 < sum(path.endswith("metadata.json") for path in on_server(server, out)) < SEQUENCES
    render(job, out)
    assert on_server(server, out) == alone


def test_scratch_that_is_somebody_elses(
    server: S3Server, job: Path, out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_blender: FakeBlender
) -> None:
    import tempfile

    from ffngen.dataset.store import open_store
    from ffngen.url import parse_place

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_store(parse_place(out)).run_folder() as folder:
        scratch = folder.parents[1]
    assert scratch.parent == tmp_path and not scratch.exists()
    scratch.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    result = invoke("render", job, "--out", out)
    assert result.exit_code == 2 and "is somebody else's" in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["verify", "label", "stats", "view"])
def test_other_commands_want_a_folder(command: str) -> None:
    arguments = {"label": ("--add", "all"), "stats": (), "view": (), "verify": ()}[command]
    result = invoke(command, f"s3://{BUCKET}/x", *arguments)
    assert result.exit_code == 2 and "ffngen farm merge s3://" in result.stderr, result.output


def test_slurm_wants_a_folder_for_its_scripts(job: Path) -> None:
    result = invoke("farm", "submit", job, "--out", f"s3://{BUCKET}/x", "--array", "2")
    assert result.exit_code == 2 and "--print" in result.stderr and result.stderr.count("\n") == 1
    printed = invoke("farm", "submit", job, "--out", f"s3://{BUCKET}/x", "--array", "2", "--print").stdout
    assert f"--out s3://{BUCKET}/x" in printed and "#SBATCH --output=ffngen-%A_%a.log" in printed
