"""Identity measures against a computation pair by pair, and which sequences are measured."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from ffngen.dataset.layout import ImageFormat, SequenceKey, SequenceLayout
from ffngen.dataset.manifest import SequenceRow, read_manifest
from ffngen.diversity.identities import closer_than, similarities, spread, told_apart
from ffngen.diversity.sample import choose_frames, choose_sequences
from ffngen.flow.files import FlowFormat


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def test_spread_of_people() -> None:
    vectors = np.random.default_rng(0).normal(0.5, 1, (12, 7)) * 3
    found = spread(vectors)
    unit = np.array([v / np.sqrt((v * v).sum()) for v in vectors])
    stds = [np.sqrt(((unit[:, d] - unit[:, d].mean()) ** 2).mean()) for d in range(7)]
    assert found["people"] == 12
    assert found["std"] == pytest.approx(np.mean(stds))
    assert found["std_times_sqrt_size"] == pytest.approx(np.mean(stds) * 7**0.5)
    ratios = [s / abs(unit[:, d].mean()) for d, s in enumerate(stds)]
    assert found["cv"] == pytest.approx(np.mean(ratios))
    assert found["cv_median"] == pytest.approx(np.median(ratios))
    assert found["between"] == pytest.approx(np.mean([cosine(a, b) for a, b in combinations(vectors, 2)]))


def test_equal_people_do_not_differ() -> None:
    found = spread(np.tile([1.0, 2.0, 3.0], (4, 1)))
    assert found["std"] == pytest.approx(0, abs=1e-12)
    assert found["between"] == pytest.approx(1)


def test_pairs_of_the_same_and_of_different_people() -> None:
    vectors = np.random.default_rng(1).normal(size=(6, 5))
    people = ["a", "b", "a", "c", "a", "b"]
    same, between = similarities(vectors, people)
    wanted = [(0, 2), (0, 4), (2, 4), (1, 5)]
    assert sorted(same) == pytest.approx(sorted(cosine(vectors[i], vectors[j]) for i, j in wanted))
    firsts = [(0, 1), (0, 3), (1, 3)]
    assert sorted(between) == pytest.approx(sorted(cosine(vectors[i], vectors[j]) for i, j in firsts))


def test_told_apart() -> None:
    same, between = np.array([0.9, 0.5, 0.2]), np.array([0.1, 0.5, 0.6, 0.3])
    wins = [(s > b) + 0.5 * (s == b) for s in same for b in between]
    assert told_apart(same, between) == pytest.approx(np.mean(wins))


def test_how_many_are_closer_than_a_bound() -> None:
    vectors = np.random.default_rng(2).normal(size=(20, 3))
    near = [np.linalg.norm(a - b) < 1.5 for a, b in combinations(vectors, 2)]
    assert 0 < sum(near) < len(near)
    assert closer_than(vectors, 1.5) == pytest.approx(np.mean(near))


def rows(template: SequenceRow, people: dict[str, int]) -> list[SequenceRow]:
    return [
        replace(template, identity=name, sequence=f"{name}_e0_n{i + 2}")
        for name, count in people.items()
        for i in range(count)
    ]


def test_people_are_measured_with_all_of_their_sequences(made_dataset: Path) -> None:
    template = read_manifest(made_dataset)[0]
    everyone = rows(template, {f"p{i:03d}": 4 for i in range(100)})
    chosen = choose_sequences(everyone, 40)
    assert len(chosen) == 40
    people = {key.sequence.partition("_")[0] for key in chosen}
    assert len(people) == 10 and {"p000", "p099"} <= people
    assert choose_sequences(everyone, 1000) == sorted(row.key for row in everyone)
    # One person with many sequences, and two people who alone have too many.
    assert len(choose_sequences(rows(template, {"p": 50}), 7)) == 7
    two = choose_sequences(rows(template, {"p": 50, "q": 50}), 6)
    assert {key.sequence[0] for key in two} == {"p", "q"} and len(two) == 6


def test_frames_are_spread() -> None:
    layout = SequenceLayout(SequenceKey("train", "sad", "a"), 9, False, ImageFormat.JPG, FlowFormat.FLO)
    assert choose_frames(layout, 2) == ([1, 9], [1, 8])
    assert choose_frames(layout, 1) == ([9], [8])
    assert choose_frames(layout, 100) == (list(range(1, 10)), list(range(1, 9)))
