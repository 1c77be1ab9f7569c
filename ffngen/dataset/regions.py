"""The head model that a dataset was rendered with, and where its regions are seen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.raycast import CastFrame
from ffngen.errors import FfngenError
from ffngen.head.load import OPEN, load_head
from ffngen.head.model import HeadModel

#: The regions that are told apart, where the head model has them.
REGIONS = ("lips", "eyes", "brows", "cheeks", "forehead", "nose")


class ModelFinder:
    """Finds the head model of sequences; metadata says which one it is, not where it lies.

    :param head: the path of the dataset's head model; the open head where None.
    :param family: the FLAME version, where the file's name does not tell.
    """

    def __init__(self, head: str | None = None, family: str | None = None) -> None:
        self._which = OPEN if head is None else head
        self._asked_for = head is not None
        self._family = family
        self._models: dict[str, HeadModel | None] = {}
        #: Why a model was not found, where one was not.
        self.left_out: str | None = None

    def __call__(self, metadata: SequenceMetadata) -> HeadModel | None:
        """The sequence's head model; None, with the reason noted, where it is not the one at hand.

        :raises FfngenError: it was named, and is another one.
        """
        digest = metadata.model.digest
        if digest not in self._models:
            self._models[digest] = self._load(metadata)
        return self._models[digest]

    def _load(self, metadata: SequenceMetadata) -> HeadModel | None:
        try:
            model = load_head(self._which, family=self._family)
        except FfngenError as error:
            if self._asked_for:
                raise
            self.left_out = str(error)
            return None
        if model.digest != metadata.model.digest:
            what = f"the dataset was rendered with another head model ({metadata.model.family})"
            if self._asked_for:
                raise FfngenError(what, where=model.path, mend="name that one with --head")
            self.left_out = f"{what}; name it with --head"
            return None
        return model


def regions_of(model: HeadModel, frame: CastFrame) -> dict[str, NDArray[np.bool_]]:
    """Where each of :data:`REGIONS` that the model has is seen: name -> (H, W) bool."""
    found = {}
    for name in REGIONS:
        if name in model.regions:
            # Props come after the model's faces, and the last one (-1) stands for no face.
            faces = np.zeros(len(frame.faces) + 1, dtype=bool)
            faces[model.regions[name]] = True
            found[name] = faces[frame.triangle]
    return found
