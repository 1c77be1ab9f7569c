"""One sequence's way into the dataset, with raw files that hold nothing."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from ffngen.dataset import work as module
from ffngen.dataset.arrays import read_mask, read_vertices
from ffngen.dataset.context import JobContext, open_context
from ffngen.dataset.folder_store import FolderStore
from ffngen.dataset.layout import Output, Record, log_path
from ffngen.dataset.metadata import read_sequence
from ffngen.dataset.plan import is_complete, plan_sequences
from ffngen.dataset.work import SequenceWork
from ffngen.errors import InputFileError
from ffngen.flow.files import read_flow
from ffngen.images import read_image
from ffngen.job import Job
from ffngen.render.process import RenderedFrame
from ffngen.render.request import Crop, RawPass, SequenceRequest

EMPTY = Crop(0, 0, 0, 0)
N = 3


@pytest.fixture(scope="module")
def context() -> JobContext:
    return open_context(Job(resolution=32, samples=1, texture_size=64, n_frames=[N]))


@pytest.fixture
def sequence(context: JobContext, tmp_path: Path) -> SequenceWork:
    (plan,) = plan_sequences(context.job, context.source)
    run = tmp_path / "out" / ".partial" / "run"
    run.mkdir(parents=True)
    return SequenceWork(context, plan, FolderStore(tmp_path / "out"), run, None)


def frames() -> list[RenderedFrame]:
    kinds = [(RawPass.TRUTH, 0), (RawPass.FACIAL_COLOUR, 0), (RawPass.HEAD_COLOUR, 1)]
    return [
        RenderedFrame(kind, frame, EMPTY, 0.0) for kind, first in kinds for frame in range(first, N)
    ]  # a head-only image stands for the next frame, so there is none of the first


def make(sequence: SequenceWork) -> None:
    sequence.prepare()
    for frame in frames():
        sequence.frame_done(frame)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_nothing_is_in_place_before_it_is_whole(context: JobContext, sequence: SequenceWork, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (plan,) = plan_sequences(context.job, context.source)
    request = SequenceRequest.read(sequence.prepare())
    assert len(request.facial) == N
    for frame in frames():
        sequence.frame_done(frame)
        assert [path.name for path in out.iterdir()] == [".partial"]
    sequence.finish()
    assert is_complete(out, plan)
    assert sorted(files(out)) == sorted(map(str, [*plan.layout.files(), plan.layout.record(Record.METADATA)]))
    assert list((out / ".partial" / "run").iterdir()) == []

    metadata = read_sequence(out, plan.layout.key)
    assert metadata.job_digest == context.digest
    assert set(metadata.files) == {str(path) for path in plan.layout.files()}
    vertices = read_vertices(out / plan.layout.record(Record.VERTICES))
    # The head's own vertices come first, then those of what it wears.
    assert vertices.facial.shape[0] == N and vertices.facial.shape[1] > len(context.model.template)
    # A head that is out of the picture: an empty mask, no motion, the bare background in every image.
    assert not read_mask(out / plan.layout.file(Output.MASK, 1)).any()
    assert not read_flow(out / plan.layout.file(Output.FACIAL_FLOW, 1)).any()
    first = read_image(out / plan.layout.file(Output.FACIAL_IMAGE, 1))
    assert (read_image(out / plan.layout.file(Output.HEAD_IMAGE, 2)) == first).all()


def test_the_same_bytes_every_time(context: JobContext, tmp_path: Path) -> None:
    (plan,) = plan_sequences(context.job, context.source)
    found = []
    for name in ("a", "b"):
        out = tmp_path / name
        (out / ".partial").mkdir(parents=True)
        sequence = SequenceWork(context, plan, FolderStore(out), out / ".partial", None)
        if name == "b":  # an attempt that came to nothing leaves no trace
            sequence.prepare()
            sequence.frame_done(frames()[0])
            sequence.abandon()
            assert list((out / ".partial").iterdir()) == []
        make(sequence)
        sequence.finish()
        found.append(files(out))
    assert found[0] == found[1]


#: Six folders, vertices, the contact sheet, the metadata.
MOVES = 9


@pytest.mark.parametrize("step", range(MOVES + 1))
def test_a_kill_while_it_moves_into_place(
    step: int, context: JobContext, sequence: SequenceWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped before any of the moves: not complete, and the next attempt is whole."""
    (plan,) = plan_sequences(context.job, context.source)
    out = tmp_path / "out"
    moves = 0

    class Killed(BaseException):
        pass

    def count(function: Any) -> Any:
        def counted(path: Path, target: Path) -> Any:
            nonlocal moves
            is_move = ".partial" not in Path(target).parts
            if is_move and moves == step:
                raise Killed
            moves += is_move
            return function(path, target)

        return counted

    make(sequence)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", count(Path.rename))
        patch.setattr(Path, "replace", count(Path.replace))
        if step == MOVES:
            sequence.finish()
            assert moves == MOVES
            return
        with pytest.raises(Killed):
            sequence.finish()
    assert not is_complete(out, plan)
    make(sequence)
    sequence.finish()
    metadata = read_sequence(out, plan.layout.key)
    assert len(metadata.files) == len(list(plan.layout.files()))
    assert sorted(files(out)) == sorted(map(str, [*plan.layout.files(), plan.layout.record(Record.METADATA)]))


def test_what_another_run_has_completed_stays(context: JobContext, sequence: SequenceWork, tmp_path: Path) -> None:
    make(sequence)
    sequence.finish()
    out = tmp_path / "out"
    before = {path: path.stat().st_ino for path in out.rglob("*") if path.is_file()}
    make(sequence)
    sequence.finish()
    assert {path: path.stat().st_ino for path in out.rglob("*") if path.is_file()} == before
    assert list((out / ".partial" / "run").iterdir()) == []


def test_a_fault_in_the_middle_leaves_nothing_in_place(
    sequence: SequenceWork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    sequence.prepare()
    monkeypatch.setattr(module, "write_depth_exr", full)
    with pytest.raises(OSError, match="full"):
        sequence.frame_done(frames()[0])
    sequence.abandon()
    assert files(tmp_path / "out") == {}


def test_giving_up_keeps_the_reason_and_the_end_of_what_was_printed(sequence: SequenceWork, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"early" + b"x" * 30_000 + b"\xff late")
    sequence.give_up(InputFileError("is no picture", where="a.png"), log)
    text = (tmp_path / "out" / log_path(sequence.name)).read_text()
    assert "a.png: is no picture" in text
    assert text.endswith("late")
    assert "early" not in text
    assert len(text) < 25_000
    sequence.give_up(RuntimeError("odd"), tmp_path / "no such log")
    assert "RuntimeError: odd" in (tmp_path / "out" / log_path(sequence.name)).read_text()
    # What succeeds later forgets it.
    make(sequence)
    sequence.finish()
    assert not list((tmp_path / "out" / "logs").rglob("*.log"))
