"""The pool, with render processes that die, hang, complain and have GPUs, and without Blender."""

from __future__ import annotations

import errno
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ffngen.errors import InputFileError, JobError, OutOfSpaceError
from ffngen.render.pool import ATTEMPTS, Event, RenderPool, available_cores, choose_layout
from ffngen.render.process import Device, RenderedFrame, RenderProcessDied

FRAME_TIMEOUT = 1.0


class Work:
    """A sequence that notes what is done with it."""

    save_blend = None

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder / name
        self.calls: list[str] = []
        self.fault: Exception | None = None
        self.prepare_fault: Exception | None = None
        self.log = ""

    def prepare(self) -> Path:
        self.calls.append("prepare")
        if self.prepare_fault is not None:
            raise self.prepare_fault
        (self.folder / "request").mkdir(parents=True, exist_ok=True)
        return self.folder / "request"

    def frame_done(self, frame: RenderedFrame) -> None:
        self.calls.append(f"{frame.kind.value} {frame.frame}")
        if self.fault is not None:
            raise self.fault

    def finish(self) -> None:
        self.calls.append("finish")

    def abandon(self) -> None:
        self.calls.append("abandon")

    def give_up(self, error: Exception, log: Path) -> None:
        self.calls.append("give_up")
        self.log = str(error)


FRAMES = [
    "truth 0",
    "facial_colour 0",
    "truth 1",
    "facial_colour 1",
    "head_colour 1",
    "truth 2",
    "facial_colour 2",
    "head_colour 2",
]
FIRST = FRAMES[:2]


def works(folder: Path, count: int) -> list[Work]:
    return [Work(folder, f"s{i}") for i in range(count)]


def pool(folder: Path, **options: Any) -> RenderPool:
    scratch = folder / "scratch" / "run"
    scratch.mkdir(parents=True, exist_ok=True)
    return RenderPool(
        **{
            "device": "cpu",
            "workers": 2,
            "threads": 1,
            "scratch": scratch,
            "frame_timeout": FRAME_TIMEOUT,
            **options,
        }
    )


def kinds(events: list[Event]) -> Counter[str]:
    return Counter(event.kind for event in events)


def of(events: list[Event], name: str) -> list[str]:
    return [event.kind for event in events if event.name == name and event.kind != "frame"]


def test_every_sequence_once(fake_blender: Any, tmp_path: Path) -> None:
    sequences = works(tmp_path, 7)
    events = list(pool(tmp_path, workers=3).run(sequences))
    assert events[0].kind == "ready"
    assert kinds(events) == {"ready": 1, "started": 7, "frame": 7 * len(FRAMES), "done": 7}
    for work in sequences:
        assert work.calls == ["prepare", *FRAMES, "finish"]
    assert len(fake_blender.lines("starts")) == 3
    assert not fake_blender.alive()


def test_nothing_to_do(fake_blender: Any, tmp_path: Path) -> None:
    assert list(pool(tmp_path).run([])) == []
    assert fake_blender.lines("starts") == []


def test_a_process_that_dies_is_restarted_and_its_sequence_tried_again(fake_blender: Any, tmp_path: Path) -> None:
    fake_blender.behave("s1", "die", "ok")
    sequences = works(tmp_path, 3)
    events = list(pool(tmp_path, workers=1).run(sequences))
    assert of(events, "s1") == ["started", "retry", "done"]
    assert "ended with exit code 3" in str(next(event.reason for event in events if event.kind == "retry"))
    assert sequences[1].calls == ["prepare", *FIRST, "abandon", "prepare", *FRAMES, "finish"]
    assert len(fake_blender.lines("starts")) == 2
    assert [of(events, name)[-1] for name in ("s0", "s2")] == ["done", "done"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_sequence_that_always_fails_is_given_up_and_the_rest_goes_on(
    workers: int, fake_blender: Any, tmp_path: Path
) -> None:
    fake_blender.behave("s1", "die")
    sequences = works(tmp_path, 4)
    events = list(pool(tmp_path, workers=workers).run(sequences))
    assert of(events, "s1") == ["started", *["retry"] * (ATTEMPTS - 1), "failed"]
    assert sequences[1].calls == ["prepare", *FIRST, "abandon"] * ATTEMPTS + ["give_up"]
    assert "exit code 3" in sequences[1].log
    for i in (0, 2, 3):
        assert of(events, f"s{i}")[-1] == "done"
    assert not fake_blender.alive()


def test_a_process_that_hangs_is_stopped(fake_blender: Any, tmp_path: Path) -> None:
    fake_blender.behave("s0", "hang", "ok")
    begin = time.monotonic()
    events = list(pool(tmp_path, workers=1).run(works(tmp_path, 1)))
    assert of(events, "s0") == ["started", "retry", "done"]
    assert "said nothing for 1 s" in str(next(event.reason for event in events if event.kind == "retry"))
    assert FRAME_TIMEOUT <= time.monotonic() - begin < 20
    assert not fake_blender.alive()


def test_a_slow_process_is_not_stopped(fake_blender: Any, tmp_path: Path) -> None:
    """The time limit is on silence, not on a sequence."""
    fake_blender.behave("s0", "slow")
    events = list(pool(tmp_path, workers=1, frame_timeout=0.8).run(works(tmp_path, 1)))
    assert of(events, "s0") == ["started", "done"]


@pytest.mark.parametrize(("fault", "words"), [("error", "out of [memory]"), ("garbage", "Blender quit")])
def test_what_a_process_complains_of(fault: str, words: str, fake_blender: Any, tmp_path: Path) -> None:
    fake_blender.behave("s0", fault, fault, "ok")
    events = list(pool(tmp_path, workers=1).run(works(tmp_path, 1)))
    assert of(events, "s0") == ["started", "retry", "retry", "done"]
    assert all(words in str(event.reason) for event in events if event.kind == "retry")


def test_a_fault_of_the_input_is_not_tried_again(fake_blender: Any, tmp_path: Path) -> None:
    sequences = works(tmp_path, 2)
    sequences[0].prepare_fault = InputFileError("not an image", where="a.png")
    events = list(pool(tmp_path, workers=1).run(sequences))
    assert of(events, "s0") == ["started", "failed"]
    assert of(events, "s1") == ["started", "done"]
    assert sequences[0].log == "a.png: not an image"


def test_a_fault_while_files_are_written_is_tried_again(fake_blender: Any, tmp_path: Path) -> None:
    sequences = works(tmp_path, 1)
    sequences[0].fault = RuntimeError("odd")
    events = list(pool(tmp_path, workers=1).run(sequences))
    assert of(events, "s0") == ["started", "retry", "retry", "failed"]
    assert sequences[0].log == "odd"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("place", ["fault", "prepare_fault"])
def test_a_full_disk_ends_it(code: int, place: str, fake_blender: Any, tmp_path: Path) -> None:
    sequences = works(tmp_path, 3)
    setattr(sequences[1], place, OSError(code, "full"))
    with pytest.raises(OutOfSpaceError, match="the disk is full; free some space"):
        list(pool(tmp_path).run(sequences))
    assert not fake_blender.alive()
    assert "give_up" not in sequences[1].calls


def test_closing_early_stops_everything(fake_blender: Any, tmp_path: Path) -> None:
    fake_blender.behave("s0", "hang")
    fake_blender.behave("s1", "hang")
    before = threading.active_count()
    sequences = works(tmp_path, 5)
    begin = time.monotonic()
    with closing(pool(tmp_path, frame_timeout=60).run(sequences)) as events:
        for event in events:
            if event.kind == "frame":
                break
    assert time.monotonic() - begin < 20
    assert not fake_blender.alive()
    assert threading.active_count() == before
    assert not any("finish" in work.calls or "give_up" in work.calls for work in sequences)


def test_closing_before_it_is_ready(fake_blender: Any, tmp_path: Path) -> None:
    sequences = works(tmp_path, 2)
    with closing(pool(tmp_path).run(sequences)) as events:
        assert next(events).kind == "ready"
        # Nothing is begun before the event has been dealt with.
        time.sleep(0.2)
        assert all(work.calls in ([], ["prepare"]) for work in sequences)
    assert not fake_blender.alive()


def test_a_start_that_fails_is_tried_again(fake_blender: Any, tmp_path: Path) -> None:
    fake_blender.behave("start", "die", "die", "ok")
    events = list(pool(tmp_path, workers=1).run(works(tmp_path, 2)))
    assert kinds(events)["done"] == 2
    assert len(fake_blender.lines("starts")) == 3


def test_a_start_that_always_fails_ends_it(fake_blender: Any, tmp_path: Path) -> None:
    fake_blender.behave("start", "die")
    with pytest.raises(RenderProcessDied, match="ended with exit code 3"):
        list(pool(tmp_path).run(works(tmp_path, 2)))
    assert len(fake_blender.lines("starts")) == ATTEMPTS


def test_a_device_that_is_absent_ends_it(fake_blender: Any, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="device: no metal device; use --device auto"):
        list(pool(tmp_path, device="metal").run(works(tmp_path, 2)))
    assert len(fake_blender.lines("starts")) == 1


@pytest.mark.parametrize(("workers", "indices"), [(None, [0, 1, 2]), (1, [0]), (5, [0, 0, 1, 1, 2])])
def test_one_process_per_gpu(
    workers: int | None, indices: list[int], fake_blender: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GPUS", "3")
    renders = pool(tmp_path, device="auto", workers=workers, threads=None)
    assert kinds(list(renders.run(works(tmp_path, 6))))["done"] == 6
    assert sorted(fake_blender.device_indices) == indices
    assert renders.layout is not None
    assert renders.layout.device == Device("CUDA", 3, "0.0")
    assert renders.layout.workers == len(indices)


def test_a_gpu_process_is_restarted_on_its_own_gpu(
    fake_blender: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_GPUS", "2")
    for i in range(4):
        fake_blender.behave(f"s{i}", "slow", "ok")
    fake_blender.behave("s1", "die", "ok")
    list(pool(tmp_path, device="auto", workers=None).run(works(tmp_path, 4)))
    assert Counter(fake_blender.device_indices) in (Counter({0: 1, 1: 2}), Counter({0: 2, 1: 1}))


def test_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpus = Device("CPU", 0, "5"), Device("OPTIX", 4, "5")
    cores = available_cores()
    assert cores >= 1
    monkeypatch.setattr("ffngen.render.pool.available_cores", lambda: 16)

    def layout(device: Device, workers: int | None, threads: int | None, sequences: int) -> tuple[int, int]:
        chosen = choose_layout(device, workers=workers, threads=threads, sequences=sequences)
        assert chosen.device is device
        return chosen.workers, chosen.threads

    assert layout(cpu, None, None, 100) == (4, 4)
    assert layout(cpu, None, None, 3) == (3, 5)
    assert layout(cpu, None, None, 1) == (1, 16)
    assert layout(cpu, 2, None, 100) == (2, 8)
    assert layout(cpu, 100, None, 100) == (100, 1)
    assert layout(cpu, 2, 3, 100) == (2, 3)
    assert layout(gpus, None, None, 100) == (4, 4)
    assert layout(gpus, None, None, 2) == (2, 8)
    assert layout(gpus, 8, None, 100) == (8, 2)


def test_the_command_takes_the_threads_of_the_layout(fake_blender: Any, tmp_path: Path) -> None:
    list(pool(tmp_path, workers=1, threads=5).run(works(tmp_path, 2)))
    assert fake_blender.lines("threads") == [["5"], ["5"]]
