"""A sequence's frames as rays see them, to check labels with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.arrays import SequenceVertices
from ffngen.dataset.labels.frames import Moment, vertices_of
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.raycast import CastFrame, Target, cast_frame, cast_plane
from ffngen.geometry.plane import FacingPlane


@dataclass(frozen=True)
class Shot:
    """A frame as rays see it, the vertices that it shows, and what is behind them."""

    cast: CastFrame
    vertices: NDArray[np.float32]
    behind: FacingPlane

    @property
    def target(self) -> Target:
        """The vertices with the camera that sees them."""
        return self.vertices, self.cast.camera

    def plane_flow(self, other: Shot) -> NDArray[np.float64]:
        """(H, W, 2): the flow of what is behind, in every pixel; exactly 0 for a camera at rest."""
        camera, later = self.cast.camera, other.cast.camera
        if camera == later:
            return np.zeros((camera.height, camera.width, 2))
        return cast_plane(self.behind, camera, later).flow

    def flow_to(self, other: Shot) -> NDArray[np.float64]:
        """(H, W, 2): the flow of the head, and of what is behind it."""
        return np.where(self.cast.hit[..., None], self.cast.flow_to(*other.target), self.plane_flow(other))


class Shots:
    """The facial and the head-only frames of a sequence; the last few are kept."""

    def __init__(self, vertices: SequenceVertices, metadata: SequenceMetadata) -> None:
        behind = metadata.background

        @lru_cache(maxsize=6)
        def shot(moment: Moment) -> Shot:
            corners = vertices_of(vertices, moment)
            return Shot(cast_frame(corners, vertices.faces, metadata.get_camera(moment[1])), corners, behind)

        self.of = shot
