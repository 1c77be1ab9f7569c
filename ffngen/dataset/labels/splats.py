"""A captured avatar's frames as what labels are made of: its Gaussians, as they were rendered."""

from __future__ import annotations

from functools import lru_cache
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.arrays import SequenceVertices
from ffngen.dataset.labels.compute import HIDDEN, OUTSIDE, VISIBLE, is_outside
from ffngen.dataset.labels.frames import Moment, vertices_of
from ffngen.dataset.layout import Record
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.engine import FlowMode
from ffngen.errors import DatasetError
from ffngen.flow.values import Flow
from ffngen.splat.avatar import Avatar
from ffngen.splat.occlusion import ShownPoints, is_covered
from ffngen.splat.posed import PosedAvatar

#: Pixels: as in the render process (:mod:`ffngen.splat.raw`), what moves by less stands still.
_STILL = 1e-9


class SplatFrames:
    """The frames of an avatar; the last few are kept, as many as a pair's labels need.

    :param vertices: the sequence's geometry.
    :param metadata: the sequence.
    :param avatar: the one that it was rendered with.
    """

    def __init__(self, vertices: SequenceVertices, metadata: SequenceMetadata, avatar: Avatar) -> None:
        avatar.require_faces(len(vertices.faces))
        self._behind, self._mode = metadata.background, _flow_mode(metadata)

        @lru_cache(maxsize=3)
        def shown(moment: Moment) -> ShownPoints:
            camera = metadata.get_camera(moment[1])
            return ShownPoints.of(PosedAvatar(avatar, vertices_of(vertices, moment), vertices.faces, camera))

        self._shown = shown

    def flow(self, first: Moment, second: Moment) -> Flow:
        """As the dataset's own flow: a blend on the head, the plane's beside it."""
        now, then = self._shown(first).frame, self._shown(second).frame
        image = now.image([then], self._mode)
        result = self._behind.flow(now.camera, then.camera)
        moves = np.abs(image.flows[0]).max(axis=-1, keepdims=True) > _STILL
        result[image.mask] = np.where(moves, image.flows[0], 0)[image.mask]
        return result

    def depth_next(self, first: Moment, second: Moment) -> NDArray[np.float32]:
        """(H, W) float32, metres: a blend on the head, as the dataset's depth is; the plane's beside it."""
        now, then = self._shown(first).frame, self._shown(second).frame
        image = now.image([then], self._mode)
        result = self._behind.depth_after(now.camera, then.camera)
        result[image.mask] = image.depths_after[0][image.mask]
        return result

    def occlusion(self, first: Moment, second: Moment) -> NDArray[np.uint8]:
        """(H, W) uint8: hidden by less light; the surroundings, where Gaussians hide half of them."""
        points, then = self._shown(first), self._shown(second).frame
        camera, mask = points.frame.camera, points.mask
        result = np.full(mask.shape, VISIBLE, dtype=np.uint8)
        pixels, depths = points.moved_to(then)
        result[mask] = np.where(points.hidden_in(then, pixels, depths), HIDDEN, VISIBLE)
        result[mask] = np.where(is_outside(pixels, then.camera) | (depths <= 0), OUTSIDE, result[mask])
        rows, columns = np.nonzero(~mask)
        beside = np.stack([columns, rows], axis=-1).astype(np.float64)
        beside += self._behind.flow(camera, then.camera)[~mask]
        result[~mask] = np.where(is_covered(then, beside), HIDDEN, VISIBLE)
        result[~mask] = np.where(is_outside(beside, then.camera), OUTSIDE, result[~mask])
        return result


def _flow_mode(metadata: SequenceMetadata) -> FlowMode:
    mode = metadata.splat.get("flow_mode")
    for known in get_args(FlowMode):
        if mode == known:
            return known  # type: ignore[no-any-return]
    what = "says of its Gaussians no way of telling motion that is known"
    raise DatasetError(what, where=str(metadata.layout.record(Record.METADATA)))
