"""Scores of outcomes and their intervals, against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest

from ffngen.metrics.recognition import confusion_matrix, recognition_scores
from ffngen.recognition.features import Features
from ffngen.recognition.folds import leave_one_subject_out
from ffngen.recognition.protocol import Outcome
from ffngen.recognition.summary import differences, interval, judge, summarise
from ffngen.seeds import derive_generator


def made(seeds: int = 3, subjects: int = 7) -> tuple[Features, Outcome]:
    rng = np.random.default_rng(2)
    people = tuple(f"{'ab'[i % 2]}/{i}" for i in range(subjects) for _ in range(rng.integers(1, 6)))
    labels = rng.integers(0, 3, len(people))
    probabilities = rng.random((seeds, len(people), 3)) + 0.3 * np.eye(3)[labels]
    empty = np.zeros((len(people), 3, 1, 1), np.float32)
    features = Features(empty, empty, labels, people, tuple(map(str, range(len(people)))))
    return features, Outcome("x", {}, probabilities, np.ones((seeds, subjects), np.int64))


def test_scores_are_pooled_and_draws_are_of_subjects() -> None:
    features, outcome = made()
    judged = judge(outcome, features, 3, draws=40)
    for seed, predicted in enumerate(outcome.predicted):
        scores = recognition_scores(confusion_matrix(features.labels, predicted, 3))
        assert judged.scores["uf1"][seed] == pytest.approx(float(scores.uf1))
        assert judged.scores["accuracy"][seed] == pytest.approx((predicted == features.labels).mean())
    folds = leave_one_subject_out(features.people)
    drawn = derive_generator(0, "recognition bootstrap").multinomial(
        len(folds), np.full(len(folds), 1 / len(folds)), 40
    )
    for draw, counts in enumerate(drawn):
        places = np.concatenate([np.tile(fold.test, count) for fold, count in zip(folds, counts, strict=True)])
        places = places.astype(int)
        scores = [
            recognition_scores(confusion_matrix(features.labels[places], predicted[places], 3))
            for predicted in outcome.predicted
        ]
        assert judged.draws["uar"][draw] == pytest.approx(np.mean([float(s.uar) for s in scores]))
    assert judged.confusion.sum() == pytest.approx(len(features.labels))
    assert sum(n for n, _ in judged.by_subject.values()) == len(features.labels)
    assert list(judged.by_dataset) == ["a", "b"]


def test_record() -> None:
    features, outcome = made()
    record = summarise(judge(outcome, features, 3), ("p", "q", "r"))
    score = record["scores"]["uf1"]
    assert score["low"] < score["value"] < score["high"]
    assert score["seed_deviation"] == pytest.approx(np.std(record["by_seed"]["uf1"], ddof=1))
    assert list(record["by_class"]) == ["p", "q", "r"]


def test_paired_differences_are_tighter_than_intervals() -> None:
    """Two models that are wrong on the same people but for one sample differ by that sample, whoever is drawn."""
    features, outcome = made(seeds=1)
    probabilities = outcome.probabilities.copy()
    wrong = int(np.flatnonzero(outcome.predicted[0] != features.labels)[0])
    probabilities[0, wrong] = np.eye(3)[features.labels[wrong]]
    judged = [judge(o, features, 3) for o in (outcome, Outcome("y", {}, probabilities, outcome.epochs))]
    (found,) = differences(judged)
    assert (found["of"], found["less"]) == ("y", "x")
    score = found["scores"]["accuracy"]
    assert score["value"] == pytest.approx(1 / len(features.labels))
    low, high = interval(judged[0].draws["accuracy"])
    assert 0 <= score["low"] <= score["value"] <= score["high"]
    assert score["high"] - score["low"] < (high - low) / 2


def test_a_confusion_matrix_of_any_name() -> None:
    pytest.importorskip("matplotlib")
    from ffngen.recognition.pictures import draw_confusion

    assert draw_confusion(np.eye(2), ("$\\frac{$", "_b"), "$\\frac{$").startswith(b"\x89PNG")
