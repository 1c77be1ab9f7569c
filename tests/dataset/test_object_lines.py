"""What a run notes in an object store, in parts."""

from __future__ import annotations

import time

import pytest

from ffngen.dataset import object_lines as module
from ffngen.dataset.object_lines import ObjectLines, line_objects
from ffngen.errors import UnreachableError


class Bucket:
    """Objects in memory; counts how often each was written, and may be away."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.writes: list[str] = []
        self.is_away = False

    def put(self, path: str, content: bytes) -> bool:
        if self.is_away:
            raise UnreachableError("away")
        self.writes.append(path)
        self.objects[path] = content
        return True

    def get(self, path: str) -> bytes:
        return self.objects[path]

    def entries(self, folder: str) -> list[object]:
        return [type("Entry", (), {"path": path}) for path in sorted(self.objects)]

    def lines(self) -> list[str]:
        return [line for _, lines in line_objects(self, "runs") for line in lines]  # type: ignore[arg-type]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setattr(module, "_LAG_SECONDS", 0.05)
    return Bucket()


def opened(bucket: Bucket, heartbeat: float = 60.0) -> ObjectLines:
    return ObjectLines(bucket, "runs/ab/one.jsonl", heartbeat)  # type: ignore[arg-type]


def test_nothing_is_lost_and_little_written(bucket: Bucket) -> None:
    """The first line at once, the others together, the last ones at the end."""
    lines = opened(bucket)
    lines.close()
    assert not bucket.writes
    lines.write("0")
    assert bucket.lines() == ["0"]
    for i in range(1, 1000):
        lines.write(str(i))
    lines.close()
    assert bucket.lines() == [str(i) for i in range(1000)]
    assert len(bucket.writes) < 10


def test_parts_that_are_full_stay(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PART_BYTES", 100)
    lines = opened(bucket)
    for i in range(60):
        lines.write(f"line {i:03d}")
        time.sleep(0.005)
    lines.close()
    assert bucket.lines() == [f"line {i:03d}" for i in range(60)]
    assert len(bucket.objects) > 2 and sorted(bucket.objects)[0] == "runs/ab/one.jsonl/0000"


def test_a_sign_of_life_and_a_server_that_is_away(bucket: Bucket) -> None:
    lines = opened(bucket, heartbeat=0.05)
    lines.write("0")
    deadline = time.monotonic() + 30
    while len(bucket.writes) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert bucket.lines() == ["0"]
    bucket.is_away = True
    with pytest.raises(UnreachableError):
        while time.monotonic() < deadline:
            lines.write("1")
            time.sleep(0.01)
    lines.close()
