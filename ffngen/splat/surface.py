"""An avatar from a head's own surface: flat Gaussians on its triangles, in the colours of its texture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from ffngen.appearance.uv_raster import texel_coordinates
from ffngen.errors import FfngenError, HeadModelError
from ffngen.head.model import HeadModel
from ffngen.splat.avatar import Avatar
from ffngen.splat.binding import triangle_frames
from ffngen.splat.harmonics import CONSTANT

#: Standard deviations: in the plane, of the mean distance between Gaussians; and of the thickness, of that.
_WIDTH, _THICKNESS = 0.7, 0.1
_OPACITY = 0.95
#: What an avatar may have.
FEWEST, MOST = 100, 5_000_000


def surface_avatar(
    model: HeadModel, vertices: NDArray[Any], texture: NDArray[np.uint8], *, count: int, seed: int = 0
) -> Avatar:
    """Gaussians spread evenly over a head: skin, eyes, teeth and the inside of the mouth.

    :param vertices: (V, 3), metres: the person, in a neutral pose, whose surface is measured.
    :param texture: (size, size, 3 or 4) uint8 sRGB, row 0 at v = 1, in the model's texture layout.
    :param count: how many Gaussians.
    :param seed: of where they lie.
    :raises FfngenError: too few or too many; the model has no texture coordinates.
    """
    if not FEWEST <= count <= MOST:
        raise FfngenError(f"an avatar has {FEWEST} to {MOST} Gaussians, not {count}")
    if model.uv is None:
        raise HeadModelError("has no texture coordinates", where=model.path)
    corners = vertices.astype(np.float64)[model.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    # One low-discrepancy sequence chooses the triangle and the place: each patch of skin gets its share.
    chance, a, b = qmc.Halton(3, seed=np.random.default_rng(seed)).random(count).T
    triangles = np.minimum(np.searchsorted(np.cumsum(area) / area.sum(), chance, side="right"), len(area) - 1)
    root = np.sqrt(a)
    weights = np.stack([1 - root, root * (1 - b), root * b], axis=-1)
    points = np.einsum("nc,ncx->nx", weights, corners[triangles])
    frames = triangle_frames(vertices, model.faces[triangles])
    size = np.maximum(frames.k, 1e-9)[:, None]
    spread = _WIDTH * np.sqrt(area.sum() / count)
    # The second axis of a triangle's frame is its normal.
    scales = spread * np.array([1, _THICKNESS, 1]) / size
    uv = np.einsum("nc,ncx->nx", weights, model.uv.per_corner()[triangles]).astype(np.float32)
    harmonics = (_sample(texture, uv) - 0.5) / CONSTANT
    return Avatar(
        means=np.einsum("nji,nj->ni", frames.R, points - frames.T) / size,
        rotations=np.tile([1.0, 0, 0, 0], (count, 1)),
        scales=scales,
        opacities=np.full(count, _OPACITY),
        harmonics=harmonics[:, None],
        triangles=triangles.astype(np.int64),
    )


def _sample(texture: NDArray[np.uint8], uv: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, 3) float64, 0 to 1: the nearest texel's colour at texture coordinates (N, 2)."""
    size = len(texture)
    column, row = np.clip(np.rint(texel_coordinates(uv, size)), 0, size - 1).astype(np.int64).T
    return np.asarray(texture[row, column, :3] / 255.0)
