"""How well classes are recognised: from a confusion matrix, so that any number of them is measured at once.

Sources: See et al., "MEGC 2019 - The Second Facial Micro-Expressions Grand Challenge" (UF1, UAR).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RecognitionScores:
    """Scores of one confusion matrix, as numbers, or of a stack of them, as arrays of its leading axes; in 0..1.

    :param accuracy: share of right predictions.
    :param uf1: unweighted F1: the mean of F1_c = 2 TP_c / (2 TP_c + FP_c + FN_c), over the classes that occur among the
        true or the predicted labels. It is the macro F1 of pooled predictions, which MMNet's authors report as "F1".
    :param uar: unweighted average recall: the mean of TP_c / N_c, over the classes that have samples.
    :param f1_weighted: the mean of F1_c, weighted by N_c.
    """

    accuracy: Any
    uf1: Any
    uar: Any
    f1_weighted: Any


#: In the order in which tables show them.
SCORE_NAMES = tuple(field.name for field in fields(RecognitionScores))


def confusion_matrix(true: ArrayLike, predicted: ArrayLike, classes: int) -> NDArray[np.int64]:
    """(C, C) int64: how many samples of the row's class were taken for the column's.

    :param true: (N,) class numbers, 0 to C-1.
    :param predicted: (N,) likewise.
    :raises ValueError: other shapes, or a class number out of range.
    """
    rows, columns = np.asarray(true, dtype=np.int64), np.asarray(predicted, dtype=np.int64)
    if rows.shape != columns.shape or rows.ndim != 1:
        raise ValueError(f"labels are (N,) and (N,), not {rows.shape} and {columns.shape}")
    both = np.concatenate([rows, columns])
    if both.size and (both.min() < 0 or both.max() >= classes):
        raise ValueError(f"a class number outside 0..{classes - 1}")
    return np.bincount(rows * classes + columns, minlength=classes * classes).reshape(classes, classes)


def class_f1(confusion: NDArray[Any]) -> Floats:
    """(..., C) float64: F1 of each class of confusion matrices (..., C, C); NaN where a class does not occur."""
    matrix = np.asarray(confusion, dtype=np.float64)
    right = np.diagonal(matrix, axis1=-2, axis2=-1)
    return _quotient(2 * right, matrix.sum(axis=-1) + matrix.sum(axis=-2))


def class_recall(confusion: NDArray[Any]) -> Floats:
    """(..., C) float64: TP_c / N_c; NaN where a class has no samples."""
    matrix = np.asarray(confusion, dtype=np.float64)
    return _quotient(np.diagonal(matrix, axis1=-2, axis2=-1), matrix.sum(axis=-1))


def recognition_scores(confusion: NDArray[Any]) -> RecognitionScores:
    """Scores of confusion matrices (..., C, C), which may hold weighted counts; NaN where there is no sample at all."""
    matrix = np.asarray(confusion, dtype=np.float64)
    f1 = class_f1(matrix)
    samples = matrix.sum(axis=-1)
    total = samples.sum(axis=-1)
    right = np.diagonal(matrix, axis1=-2, axis2=-1).sum(axis=-1)
    return RecognitionScores(
        accuracy=_quotient(right, total),
        uf1=_mean_of_present(f1),
        uar=_mean_of_present(class_recall(matrix)),
        f1_weighted=_quotient((np.nan_to_num(f1) * samples).sum(axis=-1), total),
    )


def _quotient(above: Floats, below: Floats) -> Floats:
    empty = np.asarray(below) == 0
    return np.where(empty, np.nan, above / np.where(empty, 1, below))


def _mean_of_present(values: Floats) -> Floats:
    present = ~np.isnan(values)
    return _quotient(np.nan_to_num(values).sum(axis=-1), present.sum(axis=-1).astype(np.float64))
