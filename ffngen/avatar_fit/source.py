"""What an avatar is fitted to: the pictures of one person, from a dataset or from a captured folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.avatar_fit.captured import captured_views
from ffngen.avatar_fit.rendered import rendered_views
from ffngen.avatar_fit.view import ViewSource
from ffngen.dataset.layout import DATASET_FILE
from ffngen.errors import InputFileError
from ffngen.head.model import HeadModel
from ffngen.params.parameter_set import ParameterSet

#: Every so many views one is kept for judging.
_HELD_OUT = 8
FEWEST_VIEWS = 2


@dataclass(frozen=True, eq=False)
class FitSource:
    """One person's pictures.

    :param identity: who it is.
    :param neutral: (V, 3), metres: the face without expression.
    :param views: in their order.
    :param digest: of what they are, as text: another one is another fit.
    :param parameters: the first picture's, where a tracker made them.
    """

    identity: str
    neutral: NDArray[np.float32]
    views: tuple[ViewSource, ...]
    digest: str
    parameters: ParameterSet | None = None

    @property
    def held_out(self) -> tuple[ViewSource, ...]:
        """Every eighth view, the fifth first; of fewer than five, the last."""
        return self.views[_HELD_OUT // 2 :: _HELD_OUT] or self.views[-1:]

    @property
    def fitted(self) -> tuple[ViewSource, ...]:
        """All others."""
        kept = set(map(id, self.held_out))
        return tuple(view for view in self.views if id(view) not in kept)


def open_source(path: Path, model: HeadModel, identity: str | None = None) -> FitSource:
    """Find the views of a person.

    :param path: an ffngen dataset, or a folder that VHAP or GaussianAvatars wrote: transforms.json and flame_param.
    :param identity: which person; may be left away where there is one.
    :raises FfngenError: there is no such person, or several, or the head is another one.
    """
    reader = rendered_views if (path / DATASET_FILE).is_file() else captured_views
    people = reader(path, model)
    if identity is None and len(people) > 1:
        names = ", ".join(sorted(people)[:5])
        more = ", ..." if len(people) > 5 else ""
        raise InputFileError(f"has {len(people)} people", where=path, mend=f"name one with --identity: {names}{more}")
    if identity is not None and identity not in people:
        raise InputFileError(
            f"nobody is {identity[:80]!r} there", where=path, mend=f"name {', '.join(sorted(people)[:5])}"
        )
    name = identity if identity is not None else next(iter(people))
    person = people[name]
    if len(person.views) < FEWEST_VIEWS:
        raise InputFileError(f"has {len(person.views)} picture of {name}, and a fit takes at least 2", where=path)
    return FitSource(name, person.neutral, tuple(person.views), person.digest, person.parameters)
