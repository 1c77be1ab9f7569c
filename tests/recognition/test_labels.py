"""Label maps: the published ones, and the user's."""

from __future__ import annotations

from pathlib import Path

import pytest

from ffngen.errors import InputFileError, JobError
from ffngen.recognition import LABEL_MAPS, Sample, apply_labels, open_label_map


def sample(emotion: str, subject: str = "sub01", row: int = 2) -> Sample:
    return Sample("casme2", subject, f"clip{row}", emotion, Path(), Path(), Path("t.xlsx"), row)


def test_published_maps() -> None:
    assert list(LABEL_MAPS["casme2-3"].classes) == ["happiness", "surprise", "negative"]
    assert [LABEL_MAPS["casme2-3"].label(sample(e)) for e in ("fear", "disgust", "repression", "sadness")] == [2] * 4
    assert LABEL_MAPS["casme2-3"].label(sample("others")) is None
    assert LABEL_MAPS["casme2-5"].label(sample("fear")) is None
    assert LABEL_MAPS["casme2-5"].label(sample("others")) == 4
    assert LABEL_MAPS["composite"].label(sample("other")) is None
    assert LABEL_MAPS["composite"].label(sample("contempt")) == 0


def test_unknown_class_names_file_and_row() -> None:
    with pytest.raises(
        InputFileError, match=r"t.xlsx: row 7: unknown class 'tense'; the label map casme2-5 knows disg"
    ):
        LABEL_MAPS["casme2-5"].label(sample("tense", row=7))


def test_own_map(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("classes:\n  bad: [Tense, disgust]\n  good: [happiness]\nleave_out: [Other]\n")
    labels = open_label_map(str(path))
    samples = [sample("tense"), sample("happiness", "sub02", 3), sample("others", row=4)]
    kept, numbers, left_out = apply_labels(samples, labels)
    assert (kept, numbers, left_out) == (samples[:2], [0, 1], {"others": 1})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("classes: {a: [x]}", "classes"),
        ("classes: {a: [x], b: [X]}", "'x' is in two classes"),
        ("classes: {a: [other], b: [' Others']}", "'others' is in two classes"),
        ("classes: {a: [x], b: [y]}\nleave_out: [Y]", "'y' is in a class and left out"),
        ("classes: {a: [x], b: []}", "a class has no emotion"),
        ("classes: {a: [x], b: [y]}\nleaveout: []", "unknown field 'leaveout'"),
    ],
)
def test_own_map_faults(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(InputFileError, match=message):
        open_label_map(str(path))


def test_too_little_to_learn_from() -> None:
    with pytest.raises(JobError, match="unknown label map"):
        open_label_map("casme2-4")
    with pytest.raises(InputFileError, match="fewer than two classes"):
        apply_labels([sample("disgust"), sample("disgust", "sub02")], LABEL_MAPS["casme2-5"])
    with pytest.raises(InputFileError, match="of one subject"):
        apply_labels([sample("disgust"), sample("others")], LABEL_MAPS["casme2-5"])
