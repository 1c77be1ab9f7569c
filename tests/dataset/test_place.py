"""Several runs put the same sequence into place at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ffngen.dataset import place as module
from ffngen.dataset.layout import Output, Record, SequenceKey
from ffngen.dataset.metadata import FileEntry, SequenceMetadata, read_sequence
from ffngen.dataset.place import place_sequence
from ffngen.errors import RenderError

#: Renames into the dataset: six folders, vertices, the contact sheet, the metadata.
MOVES = 9


@pytest.fixture(scope="module")
def pattern(made_dataset: Path) -> SequenceMetadata:
    """The metadata of some sequence."""
    (path, *_) = sorted((made_dataset / "metadata").glob("*/*/*"))
    return read_sequence(made_dataset, SequenceKey(*path.parts[-3:]))


def stage(root: Path, run: str, pattern: SequenceMetadata, images: str) -> tuple[Path, Path, SequenceMetadata]:
    """A sequence that a run has made; only what its images hold may differ from run to run."""
    staged = root / ".partial" / run
    files = {}
    for path in pattern.layout.files():
        is_image = path.parts[0] == "image" or path.name == Record.CONTACT_SHEET.value
        content = f"{path}{images if is_image else ''}".encode()
        (staged / path).parent.mkdir(parents=True, exist_ok=True)
        (staged / path).write_bytes(content)
        files[str(path)] = FileEntry(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    return root, staged, pattern.model_copy(update={"files": files})


def check(root: Path, pattern: SequenceMetadata) -> None:
    """It is complete, and its metadata lists what lies there, and nothing else does."""
    metadata = read_sequence(root, pattern.key)
    found = {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file() and ".partial" not in path.parts
    }
    del found[str(pattern.layout.record(Record.METADATA))]
    assert found == {path: entry.sha256 for path, entry in metadata.files.items()}


class Moves:
    """Counts renames into the dataset, and does something else before one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, step: int, action: Callable[[], None]) -> None:
        self.count, self.step, self.action = 0, step, action
        monkeypatch.setattr(Path, "rename", self.hook(Path.rename))
        monkeypatch.setattr(Path, "replace", self.hook(Path.replace))

    def hook(self, function: Any) -> Any:
        def hooked(path: Path, target: Path) -> Any:
            if ".partial" not in Path(target).parts or "replaced" in Path(target).parts:
                self.count += 1
                if self.count == self.step:
                    self.action()
            return function(path, target)

        return hooked


def interleavings() -> Iterator[tuple[str, str, str, int]]:
    """What lies there from a dead run, the images of two others, and when the second one comes to pass."""
    for left in ("", "left", "a"):
        for other in ("a", "b"):
            # Taking an old folder away counts too.
            for step in range(1, MOVES + 2 * (left == "left") + 1):
                yield left, "a", other, step


@pytest.mark.parametrize(("left", "first", "second", "step"), list(interleavings()))
def test_the_second_run_is_done_in_the_midst_of_the_first(
    left: str, first: str, second: str, step: int,
    pattern: SequenceMetadata, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if left:
        _, staged, _ = stage(tmp_path, "dead", pattern, left)
        for output in (Output.FACIAL_IMAGE, Output.HEAD_IMAGE):
            folder = module.output_folder(output, pattern.key)
            (tmp_path / folder).parent.mkdir(parents=True)
            (staged / folder).rename(tmp_path / folder)
    one, two = stage(tmp_path, "one", pattern, first), stage(tmp_path, "two", pattern, second)
    moves = Moves(monkeypatch, step, lambda: place_sequence(*two))
    place_sequence(*one)
    assert moves.count > step or first == second
    check(tmp_path, pattern)


@pytest.mark.parametrize("step", range(1, MOVES + 1))
def test_the_second_run_is_killed_in_the_midst_of_the_first(
    step: int, pattern: SequenceMetadata, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    def begin_another() -> None:
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
            Moves(patch, step, die)
            place_sequence(*two)

    one, two = stage(tmp_path, "one", pattern, "a"), stage(tmp_path, "two", pattern, "b")
    with pytest.MonkeyPatch.context() as patch:
        Moves(patch, MOVES, begin_another)
        monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.0)
        try:
            place_sequence(*one)
        except RenderError:
            # It took a folder away and died: the sequence does not count, and is made again.
            assert not (tmp_path / pattern.layout.record(Record.METADATA)).exists()
            place_sequence(*stage(tmp_path, "three", pattern, "a"))
    check(tmp_path, pattern)


def test_what_is_complete_is_not_touched(pattern: SequenceMetadata, tmp_path: Path) -> None:
    place_sequence(*stage(tmp_path, "one", pattern, "a"))
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*") if ".partial" not in path.parts}
    place_sequence(*stage(tmp_path, "two", pattern, "b"))
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*") if ".partial" not in path.parts} == before


def test_damaged_files_are_replaced_once_the_metadata_file_is_deleted(
    pattern: SequenceMetadata, tmp_path: Path
) -> None:
    place_sequence(*stage(tmp_path, "one", pattern, "a"))
    layout = pattern.layout
    (tmp_path / layout.file(Output.FACIAL_FLOW, layout.pair_frames[0])).write_bytes(b"damaged")
    (tmp_path / module.metadata_folder(layout.key) / "labels.json").write_text("{}")
    (tmp_path / layout.record(Record.METADATA)).unlink()
    place_sequence(*stage(tmp_path, "two", pattern, "a"))
    check(tmp_path, pattern)
