"""Gaussians in an image: EWA splatting (Zwicker et al., 2001) as 3D Gaussian Splatting does it (Kerbl et al., 2023).

A Gaussian becomes the 2D Gaussian of its projection's linearisation at its mean, widened by a low-pass of 0.3 square
pixels. Its weight in a pixel is ``min(0.99, opacity exp(-d' C^-1 d / 2))``, and nothing below 1/255; Gaussians are
drawn by the depth of their means, and a pixel is finished when less than 1/10,000 of its light is left. Pixels are
ours: (0, 0) is the centre of the first one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.geometry.camera import Camera
from ffngen.splat.avatar import Array64
from ffngen.splat.binding import Gaussians
from ffngen.splat.harmonics import colours

#: Square pixels, added to both axes.
LOW_PASS = 0.3
#: Weights: the largest, the smallest, and the light at which a pixel is finished.
MOST, LEAST, FINISHED = 0.99, 1 / 255, 1e-4
#: Metres: nothing nearer is drawn.
NEAR = 0.01
#: In units of the half image: means further beside it are not drawn, as the linearisation at so flat an angle would
#: spread what passes close by the camera into it. Where one moves to there, the linearisation is that of this place.
_BESIDE = 1.3


@dataclass(frozen=True, eq=False)
class Splats:
    """The Gaussians that a camera may see, nearest first. P of them.

    :param camera: the camera.
    :param index: (P,) int64: which Gaussian each is.
    :param points: (P, 3) float64, metres, camera coordinates: the means.
    :param covariances: (P, 3, 3) float64, square metres, camera axes.
    :param pixels: (P, 2) float64: where the means are seen.
    :param planar: (P, 2, 2) float64, square pixels: the 2D covariances, low-pass included.
    :param opacities: (P,) float64.
    :param colours: (P, 3) float64.
    """

    camera: Camera
    index: NDArray[np.int64]
    points: Array64
    covariances: Array64
    pixels: Array64
    planar: Array64
    opacities: Array64
    colours: Array64

    def __len__(self) -> int:
        return len(self.index)


def project(gaussians: Gaussians, camera: Camera) -> Splats:
    """Project Gaussians; those behind the camera, beside the image or too faint to be seen are left out."""
    points = camera.to_camera(gaussians.means)
    index = np.flatnonzero((points[:, 2] > NEAR) & (gaussians.opacities >= LEAST))
    low, high = widest_slopes(camera)
    slopes = points[index, :2] / points[index, 2:]
    index = index[((slopes >= low) & (slopes <= high)).all(axis=1)]
    points = points[index]
    R = camera.T_cam_world[:3, :3]
    covariances = R @ gaussians.covariances[index] @ R.T
    planar = planar_covariances(points, covariances, camera)
    homogeneous = points @ camera.K.T
    pixels = homogeneous[:, :2] / homogeneous[:, 2:]
    half = reach(planar, gaussians.opacities[index])
    size = np.array([camera.width, camera.height])
    seen = ((pixels + half >= 0) & (pixels - half <= size - 1)).all(axis=1)
    order = np.argsort(points[seen, 2], kind="stable")
    index = index[seen][order]
    towards = gaussians.means[index] - camera.position
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    return Splats(
        camera,
        index,
        points[seen][order],
        covariances[seen][order],
        pixels[seen][order],
        planar[seen][order],
        gaussians.opacities[index],
        colours(gaussians.harmonics[index], towards),
    )


def planar_covariances(points: Array64, covariances: Array64, camera: Camera) -> Array64:
    """(N, 2, 2) float64, square pixels: of Gaussians (N, 3), (N, 3, 3) in camera coordinates, low-pass included."""
    fx, fy = camera.K[0, 0], camera.K[1, 1]
    z = points[:, 2]
    low, high = widest_slopes(camera)
    slopes = np.clip(points[:, :2] / z[:, None], low, high).T
    J = np.zeros((len(points), 2, 3))
    J[:, 0, 0], J[:, 0, 2] = fx / z, -fx * slopes[0] / z
    J[:, 1, 1], J[:, 1, 2] = fy / z, -fy * slopes[1] / z
    planar = J @ covariances @ J.transpose(0, 2, 1)
    planar[:, [0, 1], [0, 1]] += LOW_PASS
    return planar


def widest_slopes(camera: Camera) -> tuple[Array64, Array64]:
    """The least and the largest x / z and y / z, (2,) each, of what is drawn."""
    focal, centre = camera.K[[0, 1], [0, 1]], camera.K[:2, 2]
    last = np.array([camera.width - 1, camera.height - 1])
    beyond = (_BESIDE - 1) * last / 2
    return (-centre - beyond) / focal, (last - centre + beyond) / focal


def reach(planar: Array64, opacities: Array64) -> Array64:
    """(N, 2) float64, pixels: how far to either side a weight is at least :data:`LEAST`."""
    widths = np.sqrt(2 * np.log(np.maximum(opacities / LEAST, 1)))
    half: Array64 = widths[:, None] * np.sqrt(planar[:, [0, 1], [0, 1]])
    return half
