"""Which point of a head's surface lies under each texel of its texture atlas.

Textures are painted in three dimensions: every texel knows its place on the template, so a pattern that
is a function of place has no seams where the atlas is cut. Texels just outside an island continue its
outermost face, so that bilinear lookup at a seam finds the surface's own colours on both sides.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from ffngen.errors import HeadModelError
from ffngen.geometry.normals import vertex_normals
from ffngen.head.model import HeadModel

#: Texels that are added around each island; enough for bilinear lookup in two halvings of the atlas.
PADDING = 4

#: How far from its centroid a face is continued, in barycentric units (its corners are at 2/3). It bounds slivers.
_REACH = 1.5

#: The largest atlas: 8192 x 8192 texels take about 8 GB while they are painted.
MAX_SIZE = 8192


@dataclass(frozen=True)
class UvRaster:
    """The surface under an atlas of S x S texels. N of them are covered or padded: the *painted* texels.

    Row 0 is the top (v = 1); the centre of texel (row, column) is at u = (column + 0.5) / S,
    v = 1 - (row + 0.5) / S.

    :param size: S.
    :param texels: (N,) int32, ``row * S + column`` of the painted texels, rising.
    :param covered: (N,) bool: inside a face, not padding.
    :param face: (N,) int32, the face under (or next to) the texel.
    :param barycentric: (N, 3) float32, weights of its corners; padding may have negative ones.
    :param position: (N, 3) float32, metres, on the template.
    :param normal: (N, 3) float32, unit, the template's smooth normal.
    """

    size: int
    texels: NDArray[np.int32]
    covered: NDArray[np.bool_]
    face: NDArray[np.int32]
    barycentric: NDArray[np.float32]
    position: NDArray[np.float32]
    normal: NDArray[np.float32]

    def image(self, values: NDArray[np.generic], fill: NDArray[np.generic]) -> NDArray[np.generic]:
        """Spread per-texel values (N, C) over the atlas (S, S, C); the rest holds ``fill`` (C,)."""
        atlas = np.empty((self.size * self.size, values.shape[1]), dtype=values.dtype)
        atlas[:] = fill
        atlas[self.texels] = values
        return atlas.reshape(self.size, self.size, -1)

    def mask(self) -> NDArray[np.bool_]:
        """(S, S) bool: the texels that faces cover."""
        mask = np.zeros(self.size * self.size, dtype=bool)
        mask[self.texels] = self.covered
        return mask.reshape(self.size, self.size)

    def on_faces(self, faces: NDArray[np.int32]) -> NDArray[np.bool_]:
        """(N,) bool: texels whose face is one of ``faces``."""
        member = np.zeros(max(int(self.face.max()), int(faces.max(initial=0))) + 1, dtype=bool)
        member[faces] = True
        return member[self.face]


def rasterise(model: HeadModel, size: int) -> UvRaster:
    """The surface of a model's template under its atlas; the last few are remembered.

    :raises HeadModelError: the model has no texture coordinates that cover anything, or the size is not in
        [16, 8192].
    """
    if model.uv is None:
        raise HeadModelError(
            "the head model has no texture coordinates",
            where=model.path,
            mend="give its head template (.obj) beside it",
        )
    if not 16 <= size <= MAX_SIZE:
        raise HeadModelError(f"a texture of {size} texels a side is outside 16 to {MAX_SIZE}")
    uv = hashlib.sha256(model.uv.coordinates.tobytes() + model.uv.faces.tobytes()).hexdigest()
    return _rasterised(_Key(model.digest, uv, size, model))


@dataclass(frozen=True)
class _Key:
    """What a raster is a function of."""

    digest: str
    uv_digest: str
    size: int
    model: HeadModel = field(compare=False)


@lru_cache(maxsize=4)
def _rasterised(key: _Key) -> UvRaster:
    model, size = key.model, key.size
    assert model.uv is not None
    pixels = texel_coordinates(model.uv.per_corner(), size)
    planes = edge_planes(pixels)
    face_map = _cover(pixels, planes, size)
    inside = face_map >= 0
    if not inside.any():
        raise HeadModelError("the texture coordinates cover no part of the atlas", where=model.path)
    distance, nearest = distance_transform_edt(~inside, return_indices=True)
    texels = np.flatnonzero(distance.ravel() <= PADDING)
    face = face_map[tuple(nearest.reshape(2, -1)[:, texels])]
    barycentric = _barycentric(planes, face, texels, size)
    covered = inside.ravel()[texels]
    offset = barycentric[~covered] - np.float32(1 / 3)
    farthest = np.abs(offset).max(axis=1, keepdims=True)
    barycentric[~covered] = np.float32(1 / 3) + offset * np.minimum(1, _REACH / farthest)
    corners = model.faces[face]
    template = model.template.astype(np.float32)
    normals = vertex_normals(model.template, model.faces).astype(np.float32)
    normal = _interpolate(normals, corners, barycentric)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    return UvRaster(
        size=size,
        texels=texels.astype(np.int32),
        covered=covered,
        face=face,
        barycentric=barycentric,
        position=_interpolate(template, corners, barycentric),
        normal=normal,
    )


def texel_coordinates(uv: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Texture coordinates (..., 2) as (column, row) in texels; the centre of the top-left texel is (0, 0)."""
    pixels: NDArray[np.float32] = np.stack([uv[..., 0] * size - 0.5, (1 - uv[..., 1]) * size - 0.5], axis=-1)
    return pixels


def edge_planes(pixels: NDArray[Any]) -> NDArray[np.float64]:
    """(F, 3 corners, 3) float64: each corner's weight is ``plane @ (column, row, 1)``.

    A face without area in the atlas covers nothing: its weights are NaN and fail every test.
    """
    corners = pixels.astype(np.float64)
    following, last = np.roll(corners, -1, axis=1), np.roll(corners, -2, axis=1)
    along = following[..., 1] - last[..., 1]
    down = last[..., 0] - following[..., 0]
    offset = -(along * following[..., 0] + down * following[..., 1])
    area = offset.sum(axis=1)[:, None, None]
    planes: NDArray[np.float64] = np.stack([along, down, offset], axis=-1)
    np.divide(planes, area, out=planes, where=np.abs(area) > 1e-12)
    planes[np.abs(area[:, 0, 0]) <= 1e-12] = np.nan
    return planes


def _cover(pixels: NDArray[np.float32], planes: NDArray[np.float64], size: int) -> NDArray[np.int32]:
    """(S, S) int32: the face that covers each texel's centre, -1 for none.

    Every face's rows become spans of columns between its edges; all spans are laid out at once.
    """
    top = np.clip(np.ceil(pixels[..., 1].min(axis=1)), 0, size).astype(np.int64)
    bottom = np.clip(np.floor(pixels[..., 1].max(axis=1)), -1, size - 1).astype(np.int64)
    span_face, row_in_face = ranges(np.maximum(bottom - top + 1, 0))
    row = top[span_face] + row_in_face
    left, right = np.zeros(len(row)), np.full(len(row), size - 1.0)
    for corner in range(3):
        along, down, offset = planes[span_face, corner].T
        value = down * row + offset
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = -value / along
        left = np.where(along > 0, np.maximum(left, crossing), left)
        right = np.where(along < 0, np.minimum(right, crossing), right)
        # An edge along the row has the whole row on one side of it; NaN planes end here too.
        right = np.where((along > 0) | (along < 0) | (value >= 0), right, -1.0)
    first = np.ceil(left - 1e-4).astype(np.int64)
    counts = np.maximum(np.floor(right + 1e-4).astype(np.int64) - first + 1, 0)
    span, column_in_span = ranges(counts)
    face_map = np.full(size * size, -1, dtype=np.int32)
    texel = (row * size + first)[span] + column_in_span
    face_map[np.clip(texel, 0, size * size - 1)] = span_face[span]
    return face_map.reshape(size, size)


def ranges(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Concatenated ranges: for each owner i, i repeated ``counts[i]`` times, and 0 .. counts[i] - 1 beside it."""
    owner = np.repeat(np.arange(len(counts)), counts)
    starts = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - starts[owner]


def _barycentric(
    planes: NDArray[np.float64], face: NDArray[np.int32], texels: NDArray[np.int64], size: int
) -> NDArray[np.float32]:
    """(N, 3) float32 barycentric coordinates of texels in the plane of their faces."""
    column, row = texels % size, texels // size
    weights = np.empty((len(face), 3), dtype=np.float32)
    for corner in range(2):
        along, down, offset = (planes[:, corner, term][face] for term in range(3))
        weights[:, corner] = along * column + down * row + offset
    weights[:, 2] = 1 - weights[:, 0] - weights[:, 1]
    return weights


def _interpolate(
    values: NDArray[np.float32], corners: NDArray[np.int32], barycentric: NDArray[np.float32]
) -> NDArray[np.float32]:
    total: NDArray[np.float32] = values[corners[:, 0]] * barycentric[:, :1]
    for corner in (1, 2):
        total += values[corners[:, corner]] * barycentric[:, corner, None]
    return total
