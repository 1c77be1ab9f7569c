"""Leave one subject out: as many trainings as there are people, each asked about the one that it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Fold:
    """One person's samples against all others'.

    :param subject: the person, as ``dataset/subject``.
    :param train: places of the others' samples, ascending.
    :param test: places of the person's, ascending.
    """

    subject: str
    train: NDArray[np.intp]
    test: NDArray[np.intp]


def leave_one_subject_out(people: Sequence[str]) -> list[Fold]:
    """A fold for each person, in the order of their names.

    :param people: each sample's subject; sets that share names of subjects must tell them apart.
    """
    who = np.array(people)
    return [
        Fold(subject, np.flatnonzero(who != subject), np.flatnonzero(who == subject)) for subject in sorted(set(people))
    ]
