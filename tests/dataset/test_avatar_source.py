"""Who makes the expressions of an avatar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ffngen.dataset.avatar_source import AvatarSource
from ffngen.params.parameter_set import ParameterSet


class _Given:
    """A source of two sets of one track."""

    def __init__(self, *sets: ParameterSet) -> None:
        self._sets = sets

    def __len__(self) -> int:
        return len(self._sets)

    def identity(self, index: int) -> str:
        return self._sets[index].identity

    def emotion(self, index: int) -> str:
        return self._sets[index].emotion

    def parameters(self, index: int) -> ParameterSet:
        return self._sets[index]

    def track(self, index: int) -> list[ParameterSet]:
        return [self._sets[index]]


def test_only_the_persons_own_frames_keep_their_dynamic_offsets() -> None:
    person = ParameterSet(
        betas=np.array([0.5, -1.0]),
        expression=np.zeros(3),
        pose=np.zeros(15),
        family="flame2023",
        identity="captured",
        emotion="none",
        source="test",
        static_offset=np.full((4, 3), 0.001, np.float32),
    )
    moved = np.full((4, 3), 0.002, np.float32)
    own = replace(person, expression=np.array([0.0, 1.0, 0.0]), dynamic_offset=moved)
    other = replace(own, betas=np.array([0.0, 2.0]), identity="somebody", static_offset=None)
    source = AvatarSource(_Given(own, other), person)

    for one in (source.parameters(0), source.track(0)[0]):
        np.testing.assert_array_equal(one.dynamic_offset, moved)
        np.testing.assert_array_equal(one.expression, own.expression)
    driven = source.parameters(1)
    assert driven.dynamic_offset is None
    np.testing.assert_array_equal(driven.betas, person.betas)
    np.testing.assert_array_equal(driven.static_offset, person.static_offset)
