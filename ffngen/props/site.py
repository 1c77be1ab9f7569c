"""An identity's neutral head, as what is fixed to it sees it: in the layout's millimetres."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import LinearNDInterpolator
from scipy.spatial import cKDTree

from ffngen.appearance.layout import FaceLayout
from ffngen.head.model import HeadModel
from ffngen.props.prop import Array32, Array64, Prop, fix_to

#: Regions that no prop lies on.
_INSIDE = ("eyeballs", "mouth_interior", "eye_sockets", "teeth", "tongue")


@dataclass(frozen=True, eq=False)
class Site:
    """Where props go.

    :param model: the head model.
    :param neutral: (V, 3) float64, metres: the identity's neutral head.
    :param layout: places on it; points are in its frame, millimetres.
    """

    model: HeadModel
    neutral: Array64
    layout: FaceLayout

    @classmethod
    def of(cls, model: HeadModel, neutral: Array64) -> Site:
        """The site of an identity; raises :class:`HeadModelError` where the model lacks what a layout needs."""
        return cls(model, neutral, FaceLayout.of(replace(model, template=np.array(neutral))))

    @cached_property
    def vertices(self) -> Array64:
        """(V, 3) millimetres."""
        return (self.neutral - self.layout.origin) * self.layout.scale

    @cached_property
    def skin_faces(self) -> NDArray[np.int32]:
        """(K,) indices of the faces that are neither inside the head nor eyes."""
        skin = np.ones(len(self.model.faces), dtype=bool)
        for region in _INSIDE:
            if region in self.model.regions:
                skin[self.model.regions[region]] = False
        return np.flatnonzero(skin).astype(np.int32)

    def without(self, *regions: str) -> NDArray[np.int32]:
        """(K,) indices of the skin's faces that are in none of the regions."""
        left_out = [self.model.regions[name] for name in regions if name in self.model.regions]
        return np.setdiff1d(self.skin_faces, np.concatenate(left_out)) if left_out else self.skin_faces

    def skin_anchors(self, points: Array64, faces: NDArray[np.int32] | None = None) -> NDArray[np.int32]:
        """(P, 3): the corners of the face whose middle is nearest to each point (P, 3)."""
        faces = self.skin_faces if faces is None else faces
        corners = self.model.faces[faces]
        _, nearest = cKDTree(self.vertices[corners].mean(axis=1)).query(points)
        return cast(NDArray[np.int32], corners[nearest])

    @cached_property
    def skull_anchor(self) -> NDArray[np.int32]:
        """(3,): a vertex at the left and one at the right of the skull above the ears, and the crown."""
        x, y, _ = self.vertices.T
        band = np.flatnonzero((y > 45) & (y < 62))
        left, right = band[np.argmax(x[band])], band[np.argmin(x[band])]
        return np.array([right, left, np.argmax(y)], dtype=np.int32)

    @cached_property
    def _front(self) -> LinearNDInterpolator:
        front = self.vertices[np.unique(self.model.faces[self.skin_faces])]
        front = front[front[:, 2] > -25]
        # Where the skin folds behind itself the foremost counts: the others are left out, cell by cell.
        order = np.argsort(-front[:, 2], kind="stable")
        cells = np.round(front[order, :2] / 1.2).astype(np.int64)
        _, first = np.unique(cells, axis=0, return_index=True)
        kept = front[order[first]]
        return LinearNDInterpolator(kept[:, :2], kept[:, 2])

    def on_front(self, points: Array64) -> Array64:
        """(..., 3): the skin's foremost point at (..., 2) places in the plane (x, y); NaN beside the face."""
        return np.concatenate([points, self._front(points)[..., None]], axis=-1)

    def fixed(
        self,
        kind: str,
        material: str,
        points: Array64,
        faces: NDArray[np.int64],
        tints: Array64,
        uv: Array64,
        anchors: NDArray[np.int32] | None = None,
    ) -> Prop:
        """A prop of points (P, 3) in the layout's millimetres, fixed to ``anchors`` (P, 3), or else to the skull.

        :param tints: (P, 3) or (3,).
        """
        if anchors is None:
            anchors = np.broadcast_to(self.skull_anchor, (len(points), 3)).astype(np.int32)
        metres = points / self.layout.scale + self.layout.origin
        colours: Array32 = np.broadcast_to(tints, (len(points), 3)).astype(np.float32)
        return Prop(
            kind=kind,
            material=material,
            anchors=anchors,
            offsets=fix_to(metres, self.neutral, anchors),
            faces=faces.astype(np.int32),
            tints=colours,
            uv=uv.astype(np.float32),
        )
