"""Scores of outcomes, with intervals by drawing people anew, and differences of two over the same people.

Predictions are pooled over folds before a score is taken. The bootstrap draws subjects with replacement, as samples of
one person are not independent of each other; a score over seeds is the mean of the seeds' scores, in each draw too. An
interval holds the middle 95% of the draws: it tells how far the figure depends on who was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.metrics.recognition import (
    SCORE_NAMES,
    RecognitionScores,
    class_f1,
    class_recall,
    confusion_matrix,
    recognition_scores,
)
from ffngen.recognition.features import Features
from ffngen.recognition.folds import leave_one_subject_out
from ffngen.recognition.protocol import Outcome
from ffngen.seeds import derive_generator

DRAWS = 2000
_LEVEL = 95.0

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judged:
    """An outcome's scores.

    :param confusion: (C, C) float64: mean over seeds of the pooled counts; rows are true classes.
    :param scores: score -> (R,) float64: of each seed.
    :param draws: score -> (D,) float64: of each bootstrap draw, mean over seeds.
    :param by_subject: subject -> (samples, share of right predictions, mean over seeds).
    :param by_dataset: set -> its scores, mean over seeds, for each set that samples come from.
    """

    outcome: Outcome
    confusion: Floats
    scores: dict[str, Floats]
    draws: dict[str, Floats]
    by_subject: dict[str, tuple[int, float]]
    by_dataset: dict[str, dict[str, float]]


def judge(outcome: Outcome, features: Features, classes: int, draws: int = DRAWS) -> Judged:
    """Score an outcome; the same subjects are drawn for every outcome of the same samples."""
    folds = leave_one_subject_out(features.people)
    counts = np.array(
        [
            [confusion_matrix(features.labels[fold.test], predicted[fold.test], classes) for fold in folds]
            for predicted in outcome.predicted
        ],
        dtype=np.float64,
    )  # (R, S, C, C)
    pooled = counts.sum(axis=1)
    subjects = len(folds)
    drawn = derive_generator(0, "recognition bootstrap").multinomial(subjects, np.full(subjects, 1 / subjects), draws)
    resampled = np.tensordot(drawn.astype(np.float64), counts, axes=(1, 1))  # (D, R, C, C)
    right = np.diagonal(counts, axis1=-2, axis2=-1).sum(axis=-1).mean(axis=0)
    datasets = [fold.subject.partition("/")[0] for fold in folds]
    return Judged(
        outcome,
        pooled.mean(axis=0),
        _by_name(recognition_scores(pooled)),
        {name: values.mean(axis=1) for name, values in _by_name(recognition_scores(resampled)).items()},
        {fold.subject: (len(fold.test), float(right[i] / len(fold.test))) for i, fold in enumerate(folds)},
        {
            dataset: {
                name: float(values.mean())
                for name, values in _by_name(
                    recognition_scores(counts[:, [d == dataset for d in datasets]].sum(axis=1))
                ).items()
            }
            for dataset in sorted(set(datasets))
        },
    )


def interval(draws: Floats) -> tuple[float, float]:
    """The lower and the upper end of the middle 95% of draws."""
    low, high = np.percentile(draws, [50 - _LEVEL / 2, 50 + _LEVEL / 2])
    return float(low), float(high)


def summarise(judged: Judged, class_names: Sequence[str]) -> dict[str, Any]:
    """An outcome's record, JSON-ready."""
    outcome = judged.outcome
    f1, recall = class_f1(judged.confusion), class_recall(judged.confusion)
    scores = {}
    for name, values in judged.scores.items():
        low, high = interval(judged.draws[name])
        spread = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        scores[name] = {"value": float(values.mean()), "low": low, "high": high, "seed_deviation": spread}
    return {
        "details": outcome.details,
        "scores": scores,
        "by_seed": {name: values.tolist() for name, values in judged.scores.items()},
        "confusion": judged.confusion.tolist(),
        "by_class": {name: {"f1": _number(f1[i]), "recall": _number(recall[i])} for i, name in enumerate(class_names)},
        "by_subject": {name: {"samples": n, "accuracy": share} for name, (n, share) in judged.by_subject.items()},
        "by_dataset": judged.by_dataset,
        "epochs": outcome.epochs.tolist(),
    }


def differences(judged: Sequence[Judged]) -> list[dict[str, Any]]:
    """Every two outcomes' difference, the later less the earlier, JSON-ready; the draws are of the same people."""
    found = []
    for first, second in combinations(judged, 2):
        scores = {}
        for name in SCORE_NAMES:
            low, high = interval(second.draws[name] - first.draws[name])
            value = float(second.scores[name].mean() - first.scores[name].mean())
            scores[name] = {"value": value, "low": low, "high": high}
        found.append({"of": second.outcome.name, "less": first.outcome.name, "scores": scores})
    return found


def _by_name(scores: RecognitionScores) -> dict[str, Floats]:
    return {name: np.asarray(getattr(scores, name), dtype=np.float64) for name in SCORE_NAMES}


def _number(value: float) -> float | None:
    """A number for JSON, which knows no NaN."""
    return None if np.isnan(value) else float(value)
