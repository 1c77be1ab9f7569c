"""Who makes the expressions of an avatar."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from made_head import make_head

from ffngen.dataset.avatar_source import AvatarSource
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.source import GivenSource


def test_only_the_persons_own_frames_keep_their_dynamic_offsets() -> None:
    model = make_head()
    shape = model.template.shape
    person = ParameterSet(
        betas=np.array([0.5]),
        expression=np.zeros(1),
        pose=np.zeros(15),
        family="open",
        identity="captured",
        emotion="none",
        source="test",
        static_offset=np.full(shape, 0.001, np.float32),
    )
    moved = np.full(shape, 0.002, np.float32)
    own = replace(person, expression=np.ones(1), dynamic_offset=moved)
    other = replace(own, betas=np.array([2.0]), identity="somebody", static_offset=None)
    source = AvatarSource(GivenSource([own, other], model, None), person)

    for one in (source.parameters(0), source.track(0)[0]):
        np.testing.assert_array_equal(one.dynamic_offset, moved)
        np.testing.assert_array_equal(one.expression, own.expression)
    driven = source.parameters(1)
    assert driven.dynamic_offset is None
    np.testing.assert_array_equal(driven.betas, person.betas)
    np.testing.assert_array_equal(driven.static_offset, person.static_offset)
