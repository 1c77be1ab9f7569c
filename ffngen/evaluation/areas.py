"""Parts of the image that errors are told of: regions of the face, and what stays visible and what does not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.raycast import CastFrame, cast_frame
from ffngen.dataset.read import Pair
from ffngen.errors import FfngenError
from ffngen.head.load import OPEN, load_head
from ffngen.head.model import HeadModel

Bools = NDArray[np.bool_]

#: The regions that are told apart, where the head model has them.
REGIONS = ("lips", "eyes", "brows", "cheeks", "forehead", "nose")

VISIBLE, OCCLUDED = "visible", "occluded"


class AreaFinder:
    """Finds the areas of pairs by casting rays at the stored vertices.

    :param head: the path of the dataset's head model; the open head where None.
    :param family: the FLAME version, where the file's name does not tell.
    """

    def __init__(self, head: str | None = None, family: str | None = None) -> None:
        self._which = OPEN if head is None else head
        self._asked_for = head is not None
        self._family = family
        self._models: dict[str, HeadModel | None] = {}
        self._cast: tuple[tuple[object, ...], CastFrame] | None = None
        #: Why regions are not told, where they are not.
        self.left_out: str | None = None

    def areas(self, pair: Pair) -> Mapping[str, Mapping[str, Bools]]:
        """For ``facial``, ``head`` and ``expression`` flow, name -> (H, W) bool; regions have their names."""
        vertices = pair.vertices
        camera = pair.metadata.get_camera()
        index = int(np.flatnonzero(vertices.frames == pair.frame)[0])
        identity = (pair.root, pair.metadata.key)
        first = self._frame((*identity, pair.frame), vertices.facial[index], vertices.faces, camera)
        facial = cast_frame(vertices.facial[index + 1], vertices.faces, camera)
        head = cast_frame(vertices.head[index], vertices.faces, camera)
        self._cast = ((*identity, pair.frame + 1), facial)
        regions = self._regions(pair.metadata, first, len(vertices.faces))
        seen = {
            "facial": first.visible_in(facial, vertices.facial[index + 1]),
            "head": first.visible_in(head, vertices.head[index]),
        }
        seen["expression"] = seen["facial"]
        return {flow: {VISIBLE: s, OCCLUDED: first.hit & ~s, **regions} for flow, s in seen.items()}

    def _frame(self, key: tuple[object, ...], *arguments: object) -> CastFrame:
        """Frame t; the last pair's frame t + 1, where it is that one."""
        if self._cast is not None and self._cast[0] == key:
            return self._cast[1]
        return cast_frame(*arguments)  # type: ignore[arg-type]

    def _regions(self, metadata: SequenceMetadata, frame: CastFrame, face_count: int) -> dict[str, Bools]:
        digest = metadata.model.digest
        if digest not in self._models:
            self._models[digest] = self._load(metadata)
        model = self._models[digest]
        if model is None:
            return {}
        found = {}
        for name in REGIONS:
            if name in model.regions:
                # Props come after the model's faces, and the last one (-1) stands for no face.
                faces = np.zeros(face_count + 1, dtype=bool)
                faces[model.regions[name]] = True
                found[name] = faces[frame.triangle]
        return found

    def _load(self, metadata: SequenceMetadata) -> HeadModel | None:
        """The dataset's head model; None, with the reason noted, where it is not the one at hand.

        :raises FfngenError: it was named, and is another one.
        """
        try:
            model = load_head(self._which, family=self._family)
        except FfngenError as error:
            if self._asked_for:
                raise
            self.left_out = f"regions are left out: {error}"
            return None
        if model.digest != metadata.model.digest:
            what = f"the dataset was rendered with another head model ({metadata.model.family})"
            if self._asked_for:
                raise FfngenError(what, where=model.path, mend="name that one with --head")
            self.left_out = f"regions are left out: {what}; name it with --head"
            return None
        return model
