"""Parameter sets that drive an avatar: the avatar's own person makes the expressions of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ffngen.errors import FfngenError, InputFileError
from ffngen.head.model import HeadModel
from ffngen.params.gaussian_avatars import read_gaussian_avatars
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.source import ParameterSource, check_fits
from ffngen.splat.ply import find_avatar, read_avatar

#: GaussianAvatars' tracking of the person, beside the point cloud.
PERSON = "flame_param.npz"


class AvatarSource:
    """The sets of another source, on an avatar's head.

    :param person: whose betas and static offset all sets get.
    """

    def __init__(self, source: ParameterSource, person: ParameterSet) -> None:
        self._source = source
        self._person = person

    def __len__(self) -> int:
        return len(self._source)

    def identity(self, index: int) -> str:
        """The driving set's: a dataset is split by who makes the expressions."""
        return self._source.identity(index)

    def emotion(self, index: int) -> str:
        """The driving set's label."""
        return self._source.emotion(index)

    def parameters(self, index: int) -> ParameterSet:
        """The set on the avatar's head."""
        return self._on_avatar(self._source.parameters(index))

    def track(self, index: int) -> Sequence[ParameterSet]:
        """The frames on the avatar's head."""
        return [self._on_avatar(one) for one in self._source.track(index)]

    def _on_avatar(self, one: ParameterSet) -> ParameterSet:
        # What a frame adds to somebody else's face says nothing of this one.
        is_own = np.array_equal(one.betas, self._person.betas)
        return replace(
            one,
            betas=self._person.betas,
            static_offset=self._person.static_offset,
            dynamic_offset=one.dynamic_offset if is_own else None,
        )


def avatar_source(source: ParameterSource, path: Path, model: HeadModel) -> ParameterSource:
    """The source, with the person of an avatar in place of its own where the avatar says who that is.

    :param path: as for :func:`ffngen.splat.ply.find_avatar`.
    :raises InputFileError: the avatar cannot be read, or is not one of this head's.
    :raises HeadModelError: its person is another model's.
    """
    cloud = find_avatar(path)
    try:
        read_avatar(cloud).require_faces(len(model.faces))
    except InputFileError:
        raise
    except FfngenError as error:
        raise InputFileError(error.what, where=cloud, mend=error.mend) from error
    beside = cloud.with_name(PERSON)
    if not beside.is_file():
        return source
    person = read_gaussian_avatars(beside)[0]
    check_fits(person, model)
    return AvatarSource(source, person)
