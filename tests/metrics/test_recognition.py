"""Recognition scores against scikit-learn's, and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ffngen.metrics.recognition import class_f1, class_recall, confusion_matrix, recognition_scores


@pytest.mark.parametrize("seed", range(20))
def test_equal_to_scikit_learn(seed: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 8))
    # Few samples, so that classes are absent among the true labels, the predictions, or both.
    true, predicted = rng.integers(0, classes, (2, int(rng.integers(3, 40))))
    matrix = confusion_matrix(true, predicted, classes)
    np.testing.assert_array_equal(matrix, metrics.confusion_matrix(true, predicted, labels=range(classes)))
    scores = recognition_scores(matrix)
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(true, predicted))
    # Without a list of labels scikit-learn takes those that occur among the true or the predicted.
    assert scores.uf1 == pytest.approx(metrics.f1_score(true, predicted, average="macro", zero_division=0))
    assert scores.f1_weighted == pytest.approx(metrics.f1_score(true, predicted, average="weighted", zero_division=0))
    # The mean recall of the classes that occur among the true labels.
    occurring = sorted(set(true.tolist()))
    uar = metrics.recall_score(true, predicted, labels=occurring, average="macro", zero_division=0)
    assert scores.uar == pytest.approx(uar)


def test_by_hand() -> None:
    # Class 0: 3 of 4 right, one taken for 1; class 1: 1 of 2 right, one taken for 0; class 2 does not occur.
    matrix = confusion_matrix([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0], 3)
    np.testing.assert_allclose(class_f1(matrix), [6 / 8, 2 / 4, np.nan])
    np.testing.assert_allclose(class_recall(matrix), [3 / 4, 1 / 2, np.nan])
    scores = recognition_scores(matrix)
    assert scores.uf1 == pytest.approx(0.625)
    assert scores.uar == pytest.approx(0.625)
    assert scores.accuracy == pytest.approx(4 / 6)


def test_stacks_and_nothing() -> None:
    rng = np.random.default_rng(0)
    matrices = rng.integers(0, 5, (4, 6, 3, 3))
    stacked = recognition_scores(matrices)
    assert stacked.uf1.shape == (4, 6)
    assert stacked.uf1[2, 3] == pytest.approx(recognition_scores(matrices[2, 3]).uf1)
    assert np.isnan(recognition_scores(np.zeros((3, 3))).uar)
    with pytest.raises(ValueError, match="outside"):
        confusion_matrix([0, 3], [0, 0], 3)
