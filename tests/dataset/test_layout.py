"""Where files lie, and which names are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffngen.dataset.layout import (
    DATASET_FILE,
    ImageFormat,
    Output,
    Record,
    SequenceKey,
    SequenceLayout,
    complete_sequences,
    is_safe_name,
    require_dataset,
    sequence_folders,
)
from ffngen.errors import DatasetError
from ffngen.flow.files import FlowFormat

KEY = SequenceKey("train", "happy", "open-000012_e0_n10")


def layout(*, neutral: bool = False, n: int = 10) -> SequenceLayout:
    return SequenceLayout(KEY, n, neutral, ImageFormat.JPG, FlowFormat.FLO)


def test_published_layout() -> None:
    here = "train/happy/open-000012_e0_n10"
    plain = layout()
    assert str(plain.file(Output.FACIAL_IMAGE, 1)) == f"image/facial/{here}/0001.jpg"
    assert str(plain.file(Output.HEAD_IMAGE, 2)) == f"image/head/{here}/0002.jpg"
    assert str(plain.file(Output.FACIAL_FLOW, 1)) == f"flow/facial/{here}/0001.flo"
    assert str(plain.file(Output.HEAD_FLOW, 9)) == f"flow/head/{here}/0009.flo"
    assert str(plain.file(Output.MASK, 10)) == f"mask/{here}/0010.npy"
    assert str(plain.file(Output.DEPTH, 10)) == f"depth/{here}/0010.exr"
    assert str(plain.record(Record.METADATA)) == f"metadata/{here}/metadata.json"


@pytest.mark.parametrize("neutral", [False, True])
@pytest.mark.parametrize("n", [2, 5, 20])
def test_counts(n: int, neutral: bool) -> None:
    made = layout(n=n, neutral=neutral)
    images = n + neutral
    counts = {output: len(made.frames(output)) for output in Output}
    assert counts == {
        Output.FACIAL_IMAGE: images,
        Output.HEAD_IMAGE: images - 1,
        Output.FACIAL_FLOW: images - 1,
        Output.HEAD_FLOW: images - 1,
        Output.MASK: images,
        Output.DEPTH: images,
    }
    paths = list(made.files())
    assert len(paths) == len(set(paths)) == sum(counts.values()) + 2
    assert {str(path.parent) for path in paths} == {str(folder) for folder in sequence_folders(KEY)}
    # The published loader pairs sorted files by position.
    assert made.frames(Output.FACIAL_FLOW)[0] == made.frames(Output.FACIAL_IMAGE)[0] == (0 if neutral else 1)
    assert made.frames(Output.HEAD_IMAGE)[0] == made.frames(Output.FACIAL_FLOW)[0] + 1


def test_frames_that_are_not_there_are_bugs() -> None:
    for output, frame in ((Output.HEAD_IMAGE, 1), (Output.FACIAL_FLOW, 10), (Output.MASK, 0)):
        with pytest.raises(ValueError, match="no frame"):
            layout().file(output, frame)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", ".hidden", "a b", "a\n", "é", "x" * 129, "a\0"])
def test_unsafe_names(name: str) -> None:
    assert not is_safe_name(name)
    for make in (lambda: SequenceKey("train", name, "s"), lambda: SequenceKey("train", "happy", name)):
        with pytest.raises(DatasetError) as caught:
            make()
        assert "\n" not in str(caught.value)
    with pytest.raises(DatasetError):
        SequenceKey(name, "happy", "s")


def test_complete_sequences(tmp_path: Path) -> None:
    for split, emotion, sequence in (
        ("val", "sad", "b"),
        ("train", "sad", "a"),
        ("other", "sad", "c"),
        ("val", ".x", "d"),
    ):
        folder = tmp_path / "metadata" / split / emotion / sequence
        folder.mkdir(parents=True)
        (folder / "metadata.json").write_text("{}")
    (tmp_path / "metadata" / "test" / "sad" / "unfinished").mkdir(parents=True)
    assert complete_sequences(tmp_path) == [SequenceKey("train", "sad", "a"), SequenceKey("val", "sad", "b")]


def test_require_dataset(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=DATASET_FILE):
        require_dataset(tmp_path)
    (tmp_path / DATASET_FILE).write_text("{}")
    require_dataset(tmp_path)
