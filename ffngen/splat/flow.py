"""What a Gaussian says of the motion of the pixels that it covers, in three ways.

``mean``
    The displacement of its projected mean, as in SRFlow (arXiv 2601.06479): all of its pixels move alike.
``mean-sum``
    The same, where the blend is not divided by alpha, so that flow is shorter where Gaussians hide less than all.
``gaussianflow``
    The affine map of the image that takes its 2D Gaussian to the next one, ``B2 B1^-1 (x - m1) + m2 - x`` with the
    symmetric roots ``B`` of the 2D covariances (Gao et al., GaussianFlow, 2024): scale and shear, but no rotation.
``affine``
    The motion in space of the triangle that it is bound to, at the point where the pixel's ray meets the Gaussian:
    where its density along the ray is greatest. Exact for points of the triangle, whatever it does.

Each is a few numbers for a Gaussian, which a rasteriser evaluates in each pixel and blends with the colours' weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.engine import FlowMode
from ffngen.geometry.camera import Camera
from ffngen.splat.avatar import Array64
from ffngen.splat.binding import Gaussians, TriangleMotion
from ffngen.splat.inverse import inverse_2x2, inverse_3x3
from ffngen.splat.projection import Splats, planar_covariances

#: A Gaussian counts as at least so thick, in its largest standard deviations: a ray along a disc meets it somewhere.
_THICKNESS = 1e-3
#: Square metres: nor is it smaller than 10 nanometres, which one on a triangle without extent would be.
_SMALLEST = 1e-16
#: So many standard deviations before and behind its mean, a Gaussian ends.
_ENDS = 3.0


@dataclass(frozen=True, eq=False)
class RayDepth:
    """Where rays meet Gaussians: at the depth ``(n . p) / (p' Q p)`` for the pixel ``p = (u, v, 1)``, within bounds.

    The density along the ray ``s K^-1 p`` is greatest at ``s = d' C^-1 m / d' C^-1 d`` with ``d = K^-1 p``.

    :param n: (P, 3) float64.
    :param Q: (P, 6) float64: uu, uv, u, vv, v and 1, the mixed ones twice.
    :param low, high: (P,) float64, metres.
    """

    n: Array64
    Q: Array64
    low: Array64
    high: Array64

    def take(self, chosen: NDArray[np.int64]) -> RayDepth:
        """Those of some splats."""
        return RayDepth(self.n[chosen], self.Q[chosen], self.low[chosen], self.high[chosen])


@dataclass(frozen=True, eq=False)
class SplatMotion:
    """Flow as a function of the pixel.

    Depth after the motion comes with it.

    :param planar: (P, 7) float64: for ``mean`` and ``gaussianflow``, ``D`` and ``d`` of ``D (x - m) + d``, and how much
        further away the mean is; else (0, 7).
    :param spatial: (P, 12) float64: for ``affine``, ``G`` and ``g`` of the homogeneous place ``s G p + g``; else
        (0, 12).
    """

    planar: Array64
    spatial: Array64

    def take(self, chosen: NDArray[np.int64]) -> SplatMotion:
        """Those of some splats."""
        return SplatMotion(*(part[chosen] if len(part) else part for part in (self.planar, self.spatial)))


def ray_depth(splats: Splats) -> RayDepth:
    """Where the rays of the camera's pixels meet the splats."""
    # The trace is the largest variance, up to a factor of three.
    largest = np.trace(splats.covariances, axis1=1, axis2=2) + _SMALLEST
    thick = splats.covariances + (_THICKNESS**2 * largest)[:, None, None] * np.eye(3)
    precision = inverse_3x3(thick)
    Ki = np.linalg.inv(splats.camera.K)
    n = np.einsum("ij,nik,nk->nj", Ki, precision, splats.points)
    Q = Ki.T @ precision @ Ki
    reach = _ENDS * np.sqrt(largest)
    z = splats.points[:, 2]
    rows = [Q[:, 0, 0], 2 * Q[:, 0, 1], 2 * Q[:, 0, 2], Q[:, 1, 1], 2 * Q[:, 1, 2], Q[:, 2, 2]]
    return RayDepth(n, np.stack(rows, axis=-1), np.maximum(z - reach, z / 2), z + reach)


def splat_motion(
    mode: FlowMode, splats: Splats, later: Gaussians, motion: TriangleMotion, later_camera: Camera
) -> SplatMotion:
    """The flow of splats to another frame.

    :param later: all Gaussians there, as :func:`ffngen.splat.projection.project` had them in this one.
    :param motion: of the triangle of each of them; used by ``affine``.
    """
    none = np.zeros((0, 7)), np.zeros((0, 12))
    if mode == "affine":
        return SplatMotion(none[0], _spatial(splats, motion, later_camera))
    points = later_camera.to_camera(later.means[splats.index])
    homogeneous = points @ later_camera.K.T
    moved = homogeneous[:, :2] / homogeneous[:, 2:] - splats.pixels
    away = points[:, 2] - splats.points[:, 2]
    D = np.zeros((len(splats), 2, 2))
    if mode == "gaussianflow":
        R = later_camera.T_cam_world[:3, :3]
        covariances = R @ later.covariances[splats.index] @ R.T
        planar = planar_covariances(points, covariances, later_camera)
        D = _root(planar) @ inverse_2x2(_root(splats.planar)) - np.eye(2)
    return SplatMotion(np.concatenate([D.reshape(-1, 4), moved, away[:, None]], axis=1), none[1])


def said_of(pixels: Array64, centres: Array64, rays: RayDepth, motions: list[SplatMotion]) -> Array64:
    """(P, 1 + 3 M): what splats say of a pixel each: depth, and of each motion u, v and depth after it.

    :param pixels: (P, 2).
    :param centres: (P, 2): where the splats' means are seen.
    """
    u, v = pixels.T
    p = np.stack([u, v, np.ones_like(u)], axis=-1)
    squares = np.stack([u * u, u * v, u, v * v, v, np.ones_like(u)], axis=-1)
    s = np.clip((rays.n * p).sum(axis=1) / (rays.Q * squares).sum(axis=1), rays.low, rays.high)
    values = [s[:, None]]
    for motion in motions:
        if len(motion.planar):
            D, offset = motion.planar[:, :4].reshape(-1, 2, 2), pixels - centres
            flow = np.einsum("pij,pj->pi", D, offset) + motion.planar[:, 4:6]
            values += [flow, (s + motion.planar[:, 6])[:, None]]
        else:
            G = motion.spatial[:, :9].reshape(-1, 3, 3)
            place = s[:, None] * np.einsum("pij,pj->pi", G, p) + motion.spatial[:, 9:]
            values += [place[:, :2] / place[:, 2:] - pixels, place[:, 2:]]
    return np.concatenate(values, axis=1)


def _spatial(splats: Splats, motion: TriangleMotion, later: Camera) -> Array64:
    now, then = splats.camera.T_cam_world, later.T_cam_world
    A_world, b_world = motion.A[splats.index], motion.b[splats.index]
    # x' = R2 (A R1' (x - t1) + b) + t2
    A = then[:3, :3] @ A_world @ now[:3, :3].T
    b = b_world @ then[:3, :3].T + then[:3, 3] - A @ now[:3, 3]
    G = later.K @ A @ np.linalg.inv(splats.camera.K)
    return np.concatenate([G.reshape(-1, 9), b @ later.K.T], axis=1)


def _root(matrices: NDArray[np.float64]) -> Array64:
    """(N, 2, 2): the symmetric roots of symmetric positive matrices, in closed form (Levinger, 1980)."""
    s = np.sqrt(np.linalg.det(matrices))
    t = np.sqrt(np.trace(matrices, axis1=1, axis2=2) + 2 * s)
    return np.asarray((matrices + s[:, None, None] * np.eye(2)) / t[:, None, None])
