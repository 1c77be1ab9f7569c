"""People for recordings, which say how a face moves and not whose it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ffngen.errors import JobError
from ffngen.params.draw import Stream, generator, truncated_normal
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.sampler import COEFFICIENT_LIMIT, sampled_identity


def give_to_people(sets: Sequence[ParameterSet], people: int, n_betas: int, seed: int = 0) -> list[ParameterSet]:
    """Each recording once for each of several sampled people, those that the sampler draws with this seed.

    :param sets: of the open head, without betas of their own.
    :param people: how many.
    :param n_betas: the size of the open head's identity basis.
    :returns: person by person; identities and tracks are told apart by the person's name.
    :raises JobError: a set has an identity of its own.
    """
    for one in sets:
        if one.family != "open" or one.betas.any():
            what = f"{one.identity[:80]} has an identity of its own"
            raise JobError(what, where="people", mend="leave it away, or give recordings (livelink, mediapipe)")
    result = []
    for index in range(people):
        name = sampled_identity("open", index)
        betas = truncated_normal(generator(seed, Stream.IDENTITY, index), n_betas, limit=COEFFICIENT_LIMIT)
        betas.setflags(write=False)
        result += [replace(one, betas=betas, identity=name) for one in sets]
    return result
