"""Parts of the image that errors are told of: regions of the face, and what stays visible and what does not."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.raycast import CastFrame, cast_frame
from ffngen.dataset.read import Pair
from ffngen.dataset.regions import ModelFinder, regions_of

Bools = NDArray[np.bool_]

VISIBLE, OCCLUDED = "visible", "occluded"


class AreaFinder:
    """Finds the areas of pairs by casting rays at the stored vertices.

    :param head: the path of the dataset's head model; the open head where None.
    :param family: the FLAME version, where the file's name does not tell.
    """

    def __init__(self, head: str | None = None, family: str | None = None) -> None:
        self._models = ModelFinder(head, family)
        self._cast: tuple[tuple[object, ...], CastFrame] | None = None

    @property
    def left_out(self) -> str | None:
        """Why regions are not told, where they are not."""
        why = self._models.left_out
        return None if why is None else f"regions are left out: {why}"

    def areas(self, pair: Pair) -> Mapping[str, Mapping[str, Bools]]:
        """For ``facial``, ``head`` and ``expression`` flow, name -> (H, W) bool; regions have their names."""
        vertices = pair.vertices
        camera, later = (pair.metadata.get_camera(frame) for frame in (pair.frame, pair.frame + 1))
        index = int(np.flatnonzero(vertices.frames == pair.frame)[0])
        identity = (pair.root, pair.metadata.key)
        first = self._frame((*identity, pair.frame), vertices.facial[index], vertices.faces, camera)
        facial = cast_frame(vertices.facial[index + 1], vertices.faces, later)
        head = cast_frame(vertices.head[index], vertices.faces, later)
        self._cast = ((*identity, pair.frame + 1), facial)
        model = self._models(pair.metadata)
        regions = {} if model is None else regions_of(model, first)
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
