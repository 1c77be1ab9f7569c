"""An avatar from a head's own surface: flat Gaussians on its triangles, in the colours of its texture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from ffngen.appearance.uv_raster import texel_coordinates
from ffngen.errors import FfngenError, HeadModelError
from ffngen.head.model import HeadModel
from ffngen.splat.avatar import Array64, Avatar
from ffngen.splat.binding import triangle_frames
from ffngen.splat.harmonics import CONSTANT

#: Standard deviations: in the plane, of the mean distance between Gaussians; and of the thickness, of that. Narrower
#: ones let surfaces behind shine through, wider ones stand out further at edges (tests/bench/splat.py).
_WIDTH, _THICKNESS = 0.85, 0.05
_OPACITY = 0.99
#: Small triangles make thin things, such as lashes and the frames of glasses: there, Gaussians are no wider than this
#: share of a triangle's height, but at least the other share of what they are on large ones. Where that is too wide,
#: they cover the less.
_SHARE_OF_TRIANGLE, _NARROWEST = 0.5, 0.25
#: What an avatar may have.
FEWEST, MOST = 100, 5_000_000


@dataclass(frozen=True, eq=False)
class Spread:
    """N places, spread evenly over a mesh.

    :param triangles: (N,) int64: which face each lies on.
    :param weights: (N, 3) float64: its barycentric coordinates there.
    """

    triangles: NDArray[np.int64]
    weights: Array64

    def points(self, corners: NDArray[Any]) -> Array64:
        """(N, C) float64: what is given at the faces' corners, (F, 3, C), at the places."""
        return np.asarray(np.einsum("nc,ncx->nx", self.weights, corners[self.triangles].astype(np.float64)))


def spread(vertices: NDArray[Any], faces: NDArray[Any], count: int, seed: int) -> Spread:
    """Spread places over a mesh, as densely as :func:`deviations` wants them.

    :param vertices: (V, 3), metres.
    :param faces: (F, 3).
    :raises FfngenError: too few or too many.
    """
    if not FEWEST <= count <= MOST:
        raise FfngenError(f"an avatar has {FEWEST} to {MOST} Gaussians, not {count}")
    density = np.cumsum(_areas(vertices, faces) / deviations(vertices, faces, count) ** 2)
    # One low-discrepancy sequence chooses the triangle and the place.
    chance, a, b = qmc.Halton(3, seed=np.random.default_rng(seed)).random(count).T
    triangles = np.minimum(np.searchsorted(density / density[-1], chance, side="right"), len(density) - 1)
    root = np.sqrt(a)
    return Spread(triangles.astype(np.int64), np.stack([1 - root, root * (1 - b), root * b], axis=-1))


def deviations(vertices: NDArray[Any], faces: NDArray[Any], count: int) -> Array64:
    """(F,) float64, metres: the standard deviation, in the surface, of that many Gaussians spread over a mesh."""
    area, limit = _areas(vertices, faces), _limits(vertices, faces)
    largest = np.sqrt(area.sum() / count)
    # The wider they are on large triangles, the more are left for small ones. A few rounds settle it.
    for _ in range(20):
        narrowed = np.clip(limit / (_WIDTH * largest), _NARROWEST, 1)
        largest = np.sqrt((area / narrowed**2).sum() / count)
    return np.asarray(_WIDTH * largest * np.clip(limit / (_WIDTH * largest), _NARROWEST, 1))


def flat_gaussians(vertices: NDArray[Any], faces: NDArray[Any], places: Spread, colours: Array64) -> Avatar:
    """Gaussians that cover a mesh.

    :param colours: (N, 3) float64 sRGB, 0 to 1.
    """
    frames = triangle_frames(vertices, faces[places.triangles])
    size = np.maximum(frames.k, 1e-9)[:, None]
    count = len(places.triangles)
    widths = deviations(vertices, faces, count)
    covered = np.minimum(_limits(vertices, faces) / widths, 1)
    points = places.points(vertices[faces])
    return Avatar(
        means=np.einsum("nji,nj->ni", frames.R, points - frames.T) / size,
        rotations=np.tile([1.0, 0, 0, 0], (count, 1)),
        # The second axis of a triangle's frame is its normal.
        scales=widths[places.triangles, None] * np.array([1, _THICKNESS, 1]) / size,
        opacities=_OPACITY * covered[places.triangles],
        harmonics=constant_harmonics(colours),
        triangles=places.triangles,
    )


def constant_harmonics(colours: Array64) -> Array64:
    """(N, 1, 3) float64: the harmonics of sRGB colours (N, 3) that are the same from all sides."""
    return np.asarray((colours - 0.5) / CONSTANT)[:, None]


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
    if model.uv is None:
        raise HeadModelError("has no texture coordinates", where=model.path)
    places = spread(vertices, model.faces, count, seed)
    texels = sample_texture(texture, places.points(model.uv.per_corner()))
    return flat_gaussians(vertices, model.faces, places, texels / 255.0)


def sample_texture(texture: NDArray[np.uint8], uv: Array64) -> NDArray[np.uint8]:
    """(N, 3) uint8: the nearest texel's colour at texture coordinates (N, 2)."""
    size = len(texture)
    column, row = np.clip(np.rint(texel_coordinates(uv.astype(np.float32), size)), 0, size - 1).astype(np.int64).T
    return np.asarray(texture[row, column, :3])


def _limits(vertices: NDArray[Any], faces: NDArray[Any]) -> Array64:
    """(F,) metres: how wide a Gaussian on each triangle may be to stay on it."""
    corners = vertices.astype(np.float64)[faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=2).max(axis=1)
    return np.asarray(_SHARE_OF_TRIANGLE * 2 * _areas(vertices, faces) / np.maximum(longest, 1e-12))


def _areas(vertices: NDArray[Any], faces: NDArray[Any]) -> Array64:
    corners = vertices.astype(np.float64)[faces]
    return np.asarray(
        np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    )
