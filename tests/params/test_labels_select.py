"""Labels that come beside the parameters, and balanced subsets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import InputFileError
from ffngen.params.labels import apply_labels, read_labels
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.select import select_per_class


def one(identity: str, emotion: str = "none", **more: object) -> ParameterSet:
    source = f"codes/{identity}"
    return ParameterSet(np.zeros(2), np.zeros(2), np.zeros(15), "flame2020", identity, emotion, source, **more)


def emoca(identity: str, emotion: str = "none") -> ParameterSet:
    return replace(one(identity, emotion), betas=np.zeros(100), expression=np.zeros(50))


def test_labels_of_numbers_and_of_like_names() -> None:
    """EMOCA's folder of 1.jpg is called 100, and names may come again in other folders."""
    labels = {"1.jpg": "happy", "100.jpg": "anger", "7.jpg": "sad"}
    named, unnamed = apply_labels([emoca("100"), emoca("10000"), emoca("700"), one("100")], labels)
    assert [s.emotion for s in named] == ["happy", "anger", "sad", "anger"] and unnamed == 0
    labels = {"a/1.jpg": "happy", "b/1.jpg": "anger", "b/2.jpg": "sad"}
    sets = [emoca("a/100"), emoca("b/100"), emoca("c/100"), emoca("200")]
    named, unnamed = apply_labels(sets, labels)
    assert [s.emotion for s in named] == ["happy", "anger", "none", "sad"] and unnamed == 1


@pytest.mark.parametrize(
    "text",
    [
        "name,emotion\na.jpg,happy\nb/c.jpg,Sad\nx,anger\n",
        "subDirectory_filePath,face_x,expression\na.jpg,7,1\nb/c.jpg,8,2\nx,0,6\n\n",
        "\ufefflabel , image\r\nhappy,a.jpg\r\nsad,b/c.jpg\r\nanger,x\r\n",
    ],
)
def test_labels(text: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text, newline="")
    labels = read_labels(path)
    assert labels == {"a.jpg": "happy", "b/c.jpg": "sad", "x": "anger"}
    sets = [emoca("a00"), one("folder/c"), one("y", image="photos/x.png"), one("z", "fear")]
    named, unnamed = apply_labels(sets, labels)
    assert [s.emotion for s in named] == ["happy", "sad", "anger", "fear"]
    assert unnamed == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no column name"),
        ("name\na\n", "has no column emotion"),
        ("name,emotion\na\n", "row 2 is too short"),
        ("name,emotion\na,9\n", "row 2: '9' is no emotion"),
        ("name,emotion\na,happy\nb,very sad\n", "row 3: 'very sad' is no emotion"),
        ('name,emotion\n"a' + "x" * 200_000, "cannot be read"),
    ],
)
def test_faulty_labels(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(InputFileError, match=words) as caught:
        read_labels(path)
    assert "\n" not in str(caught.value)


def test_balanced_subsets() -> None:
    sets = [one(f"{emotion}{i}", emotion) for i in range(50) for emotion in ("happy", "sad")]
    sets += [one(f"rare{i}", "fear") for i in range(3)]
    chosen = select_per_class(sets, 10)
    assert Counter(s.emotion for s in chosen) == {"happy": 10, "sad": 10, "fear": 3}
    order = {s.identity: i for i, s in enumerate(sets)}
    assert [order[s.identity] for s in chosen] == sorted(order[s.identity] for s in chosen)
    assert [s.identity for s in select_per_class(sets, 10)] == [s.identity for s in chosen]
    assert [s.identity for s in select_per_class(sets, 10, seed=1)] != [s.identity for s in chosen]
    alone = select_per_class([s for s in sets if s.emotion == "sad"], 10)
    assert [s.identity for s in alone] == [s.identity for s in chosen if s.emotion == "sad"]


def test_a_video_is_kept_whole() -> None:
    sets = [one(f"person{p}", "happy", track="clip", frame=i) for p in range(5) for i in range(4)]
    chosen = select_per_class(sets, 2)
    assert Counter(Counter(s.identity for s in chosen).values()) == {4: 2}
    mixed = [replace(s, emotion="sad") if s.frame == 2 else s for s in sets]
    assert Counter(Counter(s.identity for s in select_per_class(mixed, 2)).values()) == {4: 2}
