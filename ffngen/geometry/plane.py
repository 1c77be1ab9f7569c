"""The stationary plane behind the head, as a camera that may move sees it.

A plane ``n . x = d`` in the coordinates of one camera induces the homography ``K (R + t n' / d) K^-1`` from its pixels
to those of another camera, where ``x' = R x + t`` (Hartley and Zisserman, Multiple View Geometry, 2nd edition, 13.1).
:mod:`ffngen.dataset.raycast` computes the same from rays and points, to check it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.geometry.camera import Camera

Array64 = NDArray[np.float64]


@dataclass(frozen=True)
class FacingPlane:
    """A plane perpendicular to the optical axis of a camera.

    :param view: the camera that it faces.
    :param depth: metres along its axis.
    """

    view: Camera
    depth: float

    def homography(self, camera: Camera, other: Camera) -> Array64:
        """(3, 3) float64: homogeneous pixels of ``camera`` to those of ``other`` that show the same point."""
        normal, distance = self._in(camera)
        T = other.T_cam_world @ camera.T_world_cam
        H: Array64 = other.K @ (T[:3, :3] + np.outer(T[:3, 3], normal) / distance) @ np.linalg.inv(camera.K)
        return H

    def flow(self, camera: Camera, later: Camera) -> NDArray[np.float32]:
        """(H, W, 2) float32, pixels: where each of ``camera``'s pixels is seen by ``later``; 0 for the same camera."""
        if later == camera:
            return np.zeros((camera.height, camera.width, 2), dtype=np.float32)
        u, v = np.meshgrid(np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64))
        H = self.homography(camera, later)
        x, y, w = (H[i, 0] * u + H[i, 1] * v + H[i, 2] for i in range(3))
        flow: NDArray[np.float32] = np.stack([x / w - u, y / w - v], axis=-1).astype(np.float32)
        return flow

    def depth_in(self, camera: Camera) -> NDArray[np.float32]:
        """(H, W) float32, metres along the axis of ``camera``: the plane's depth in each of its pixels."""
        if camera == self.view:
            return np.full((camera.height, camera.width), self.depth, dtype=np.float32)
        normal, distance = self._in(camera)
        # n . (z K^-1 p) = d
        a, b, c = normal @ np.linalg.inv(camera.K)
        u, v = np.meshgrid(np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64))
        depth: NDArray[np.float32] = (distance / (a * u + b * v + c)).astype(np.float32)
        return depth

    def depth_after(self, camera: Camera, later: Camera) -> NDArray[np.float32]:
        """(H, W) float32, metres along the axis of ``later``: the depth there of what ``camera``'s pixels show."""
        if later == camera:
            return self.depth_in(camera)
        # The homography's last row is the ratio of the depths, as K's is (0, 0, 1).
        a, b, c = self.homography(camera, later)[2]
        u, v = np.meshgrid(np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64))
        depth: NDArray[np.float32] = (self.depth_in(camera) * (a * u + b * v + c)).astype(np.float32)
        return depth

    def _in(self, camera: Camera) -> tuple[Array64, float]:
        """Unit normal (3,) and distance, metres, in a camera's coordinates."""
        T = camera.T_cam_world @ self.view.T_world_cam
        normal = T[:3, 2]
        return normal, float(self.depth + normal @ T[:3, 3])
