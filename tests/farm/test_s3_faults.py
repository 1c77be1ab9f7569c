"""Datasets on a real S3 server, whatever goes wrong on the way."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from farm_runs import SEQUENCES, end, start
from s3_runs import invoke, on_server, render
from s3_server import BUCKET, S3Server
from stand_in import FakeBlender

from ffngen.dataset import work
from ffngen.dataset.layout import Output, complete_sequences, metadata_path
from ffngen.dataset.metadata import SequenceMetadata, read_sequence
from ffngen.dataset.store import open_store
from ffngen.url import parse_place

FIRST, LAST = "open-000000_e0_n2", "open-000001_e0_n3"


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


@pytest.mark.parametrize("objects", [3, 20])
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
    """The one shard is handed in twice, and every object is written twice or refused."""
    for run in [start("render", job, "--out", out, "--shard", f"{i}/1") for i in (0, 0)]:
        end(run)
    assert invoke("farm", "finish", job, "--out", out).exit_code == 0
    assert on_server(server, out) == alone


def test_images_of_two_machines_do_not_mix_up_the_metadata(server: S3Server, made_dataset: Path, out: str) -> None:
    """Another machine's images lie there: they are kept, truth is replaced, and the metadata lists what lies there."""

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
    server.require_keys(True)
    try:
        result = invoke("render", job, "--out", out)
    finally:
        server.require_keys(False)
    assert result.exit_code == 2 and "the server refuses access (InvalidAccessKeyId)" in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_boto3_it_is_one_line(job: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    result = invoke("render", job, "--out", f"s3://{BUCKET}/x")
    assert result.exit_code == 2 and 'pip install "ffngen[s3]"' in result.stderr and result.stderr.count("\n") == 1


def test_a_full_scratch_disk(
    fake_blender: FakeBlender, server: S3Server, job: Path, out: str, alone: dict[str, bytes], monkeypatch: Any
) -> None:
    """The disk is full in the midst of the second sequence; what was written stays, and the rest follows."""

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

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_store(parse_place(out)).run_folder() as folder:
        scratch = folder.parents[1]
    assert scratch.parent == tmp_path and not scratch.exists()
    scratch.symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").mkdir()
    result = invoke("render", job, "--out", out)
    assert result.exit_code == 2 and "is somebody else's" in result.stderr and result.stderr.count("\n") == 1
