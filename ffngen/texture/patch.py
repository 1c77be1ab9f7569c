"""A part of an atlas: the texels of some faces, and the surface below them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.hair import around_skull, hairline
from ffngen.appearance.layout import FaceLayout
from ffngen.appearance.skin import faces_of_skin
from ffngen.appearance.uv_raster import UvRaster
from ffngen.head.model import HeadModel
from ffngen.texture.mean_skin import MEAN_PIGMENTS, mean_look
from ffngen.texture.surface import Surface

#: The highest hairline and the farthest recession of it (:class:`ffngen.appearance.look.Look`); how far inside hair is
#: dense, and above which height, over the eyes, there are no ears. Millimetres.
_HIGHEST, _FARTHEST = 74.0, 22.0
_INTO_HAIR, _ABOVE_EARS = 10.0, 35.0

#: Millimetres above the base of the nose below which a beard is feared, over how many the fear rises, and to what.
_ABOVE_BEARD, _BEARDS_EDGE, _BEARD = 6.0, 10.0, 0.95

Array32 = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Patch:
    """N texels.

    :param chosen: (N,) which of the raster's painted texels.
    :param texels: (N,) ``row * size + column``.
    :param covered: (N,) bool: inside a face, not padding.
    :param faces: (F, 3), all of the head's.
    :param corners: (N, 3) vertices of each texel's face.
    :param barycentric: (N, 3) float32.
    :param points: (N, 3) float32, in the layout's frame, millimetres.
    :param surface: smooth functions on it.
    """

    chosen: NDArray[np.int64]
    texels: NDArray[np.int32]
    covered: Bools
    faces: NDArray[np.int32]
    corners: NDArray[np.int32]
    barycentric: Array32
    points: Array32
    surface: Surface

    @classmethod
    def of(cls, model: HeadModel, layout: FaceLayout, raster: UvRaster, faces: Bools) -> Patch:
        """The texels of some of a model's faces (F,)."""
        chosen = np.flatnonzero(faces[raster.face])
        corners, barycentric = model.faces[raster.face[chosen]], raster.barycentric[chosen]
        return cls(
            chosen=chosen,
            texels=raster.texels[chosen],
            covered=raster.covered[chosen],
            faces=model.faces,
            corners=corners,
            barycentric=barycentric,
            points=layout.points(raster.position[chosen]),
            surface=Surface(model.vertex_count, model.faces[faces], corners, barycentric),
        )

    @classmethod
    def of_skin(cls, model: HeadModel, layout: FaceLayout, raster: UvRaster) -> Patch:
        """The texels of the skin."""
        return cls.of(model, layout, raster, faces_of_skin(model))


def is_plain(patch: Patch, layout: FaceLayout) -> Bools:
    """(N,) bool: texels of the face that are most people's skin: without scalp, brows, lips, lids and neck."""
    x, y, z = patch.points.T
    brows = layout.landmarks[17:27, 1]
    plain: Bools = (z > -40) & (y < brows.max() + 35) & (y > layout.mouth_y - 50)
    plain &= (y < brows.min() - 6) | (y > brows.max() + 6) | (np.abs(x) < 6)
    for eye in layout.eyes:
        plain &= np.hypot(x - eye.center[0], y - eye.center[1]) > eye.radius + 6
    lips = layout.outer_lips
    plain &= (np.abs(x) > np.abs(lips[:, 0]).max() + 2) | (y > lips[:, 1].max() + 2) | (y < lips[:, 1].min() - 2)
    return plain


def is_bare(patch: Patch, layout: FaceLayout) -> NDArray[np.float64]:
    """(N,) from 0 to 1: how sure it is that no beard grows on texels of the face: above the base of the nose."""
    below = (layout.nose_base_y + _ABOVE_BEARD - patch.points[:, 1].astype(np.float64)) / _BEARDS_EDGE
    sure: NDArray[np.float64] = 1 - _BEARD * np.clip(below, 0, 1)
    return sure


def above_any_hairline(points: Array32, layout: FaceLayout) -> Bools:
    """(N,) bool: where everybody who has hair has it: well above any hairline, and above the ears.

    :param points: (N, 3), in the layout's frame, millimetres.
    """
    receded = replace(mean_look(*MEAN_PIGMENTS), hairline=_HIGHEST, recession=_FARTHEST)
    lower = hairline(receded)(around_skull(points, layout))
    scalp: Bools = points[:, 1] > np.maximum(lower + _INTO_HAIR, _ABOVE_EARS)
    return scalp
