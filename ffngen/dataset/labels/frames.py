"""A sequence's frames as what labels are made of: the head's mesh, as a z-buffer sees it."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.arrays import SequenceVertices
from ffngen.dataset.labels import compute
from ffngen.dataset.labels.zbuffer import ProjectedMesh, SeenFrame
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.flow.values import Flow

#: A facial frame, or the head-only frame that stands for it, and its number.
Moment = tuple[Literal["facial", "head"], int]


class Frames(Protocol):
    """What labels of pairs ask of a sequence, whatever it is made of."""

    def flow(self, first: Moment, second: Moment) -> Flow:
        """(H, W, 2) float32, pixels: from one frame to another, of all pixels."""

    def occlusion(self, first: Moment, second: Moment) -> NDArray[np.uint8]:
        """(H, W) uint8: what of one frame another one shows; values of :mod:`ffngen.dataset.labels.compute`."""

    def depth_next(self, first: Moment, second: Moment) -> NDArray[np.float32]:
        """(H, W) float32, metres: the depth that each pixel's point has in another frame."""


def vertices_of(vertices: SequenceVertices, moment: Moment) -> NDArray[np.float32]:
    """(V, 3): the vertices of a frame."""
    kind, number = moment
    index = number - int(vertices.frames[0])
    frame: NDArray[np.float32] = vertices.facial[index] if kind == "facial" else vertices.head[index - 1]
    return frame


class MeshFrames:
    """The frames of a mesh; the last few are kept.

    :param vertices: the sequence's geometry.
    :param metadata: the sequence.
    """

    def __init__(self, vertices: SequenceVertices, metadata: SequenceMetadata) -> None:
        self._behind = metadata.background

        @lru_cache(maxsize=6)
        def seen(moment: Moment) -> SeenFrame:
            camera = metadata.get_camera(moment[1])
            return SeenFrame.of(ProjectedMesh.of(vertices_of(vertices, moment), vertices.faces, camera))

        self.seen = seen

    def flow(self, first: Moment, second: Moment) -> Flow:
        """As for :class:`Frames`."""
        return compute.flow(self.seen(first), self.seen(second).mesh, self._behind)

    def occlusion(self, first: Moment, second: Moment) -> NDArray[np.uint8]:
        """As for :class:`Frames`."""
        return compute.occlusion(self.seen(first), self.seen(second), self._behind)

    def depth_next(self, first: Moment, second: Moment) -> NDArray[np.float32]:
        """As for :class:`Frames`."""
        return compute.depth_next(self.seen(first), self.seen(second).mesh, self._behind)
