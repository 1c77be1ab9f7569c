"""A balanced subset of parameter sets, as the paper draws 1,000 faces of each emotion from AffectNet."""

from __future__ import annotations

from collections.abc import Sequence

from ffngen.params.parameter_set import ParameterSet
from ffngen.seeds import derive_generator


def select_per_class(sets: Sequence[ParameterSet], per_class: int, seed: int = 0) -> list[ParameterSet]:
    """At most so many of each emotion, drawn at random; the order of the sets is kept.

    A video counts as one, of its first frame's emotion, and is kept whole. A class that has fewer is kept whole. What
    is drawn from one class does not depend on the others.

    :param per_class: photos and videos of each emotion.
    """
    members_of: dict[tuple[str, str], list[int]] = {}
    for i, one in enumerate(sets):
        unit = (one.identity, one.track) if one.track is not None else ("", str(i))
        members_of.setdefault(unit, []).append(i)
    units: dict[str, dict[tuple[str, str], list[int]]] = {}
    for unit, indices in members_of.items():
        units.setdefault(sets[indices[0]].emotion, {})[unit] = indices
    chosen: list[int] = []
    for emotion, members in units.items():
        groups = list(members.values())
        order = derive_generator(seed, "select", emotion).permutation(len(groups))[:per_class]
        chosen += [i for place in order for i in groups[int(place)]]
    return [sets[i] for i in sorted(chosen)]
