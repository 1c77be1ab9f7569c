"""The pinhole camera and its projection.

Conventions (CONVENTIONS.md): camera axes are OpenCV's (x right, y down, z forward); ``K`` is in
pixels; the centre of the top-left pixel is (0, 0); ``T_world_cam`` maps camera to world.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ffngen.errors import FfngenError

Array64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion.

    :param K: (3, 3) float64, pixels: ``[[fx, 0, cx], [0, fy, cy], [0, 0, 1]]``.
    :param T_world_cam: (4, 4) float64, metres: camera coordinates to world coordinates.
    :param width: pixels.
    :param height: pixels.
    """

    K: Array64
    T_world_cam: Array64
    width: int
    height: int

    def __post_init__(self) -> None:
        K = np.asarray(self.K, dtype=np.float64)
        T = np.asarray(self.T_world_cam, dtype=np.float64)
        if K.shape != (3, 3) or T.shape != (4, 4):
            raise FfngenError(f"a camera needs K (3, 3) and T_world_cam (4, 4), not {K.shape} and {T.shape}")
        if not np.array_equal(T[3], [0, 0, 0, 1]):
            raise FfngenError("a camera's T_world_cam is a rigid transform: its last row must be 0, 0, 0, 1")
        if not (np.isfinite(K).all() and np.isfinite(T).all() and K[0, 0] > 0 and K[1, 1] > 0):
            raise FfngenError("a camera needs finite K and T_world_cam and positive focal lengths")
        if self.width < 1 or self.height < 1:
            raise FfngenError(f"a camera needs a positive width and height, not {self.width} and {self.height}")
        object.__setattr__(self, "K", K)
        object.__setattr__(self, "T_world_cam", T)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Camera):
            return NotImplemented
        same = np.array_equal(self.K, other.K) and np.array_equal(self.T_world_cam, other.T_world_cam)
        return same and (self.width, self.height) == (other.width, other.height)

    __hash__ = None  # type: ignore[assignment]

    @property
    def T_cam_world(self) -> Array64:
        """(4, 4) float64: world coordinates to camera coordinates."""
        R = self.T_world_cam[:3, :3]
        T = np.eye(4)
        T[:3, :3] = R.T
        T[:3, 3] = -R.T @ self.T_world_cam[:3, 3]
        return T

    @property
    def position(self) -> Array64:
        """(3,) float64, metres: the centre of projection in the world."""
        position: Array64 = self.T_world_cam[:3, 3]
        return position

    def to_camera(self, points: ArrayLike) -> Array64:
        """World points (..., 3), metres, in camera coordinates (..., 3) float64; z is the depth."""
        T = self.T_cam_world
        transformed: Array64 = np.asarray(points, dtype=np.float64) @ T[:3, :3].T + T[:3, 3]
        return transformed

    def project(self, points: ArrayLike) -> tuple[Array64, Array64]:
        """Project world points.

        :param points: (..., 3), metres, world.
        :returns: pixels (..., 2) float64 (u right, v down) and depth (...) float64, metres along the
            optical axis. Points with depth <= 0 are behind the camera; their pixels mean nothing.
        """
        camera_points = self.to_camera(points)
        depth = camera_points[..., 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            homogeneous = camera_points @ self.K.T
            pixels = homogeneous[..., :2] / depth[..., None]
        return pixels, depth

    def moved(self, T_world_cam: Array64) -> Camera:
        """The same camera in another place; raises :class:`FfngenError` where that is no rigid transform's form."""
        return Camera(self.K, T_world_cam, self.width, self.height)

    def resized(self, width: int, height: int) -> Camera:
        """The same view in an image of another size; the image's edges stay where they are.

        Pixel centres are whole numbers, so that the left edge lies at -0.5.
        """
        S = np.diag([width / self.width, height / self.height, 1.0])
        S[:2, 2] = (S[[0, 1], [0, 1]] - 1) / 2
        return Camera(S @ self.K, self.T_world_cam, width, height)

    def pixel_rays(self) -> tuple[Array64, Array64]:
        """One ray through the centre of each pixel.

        :returns: origin (3,) and directions (H, W, 3) float64 in the world, scaled so that
            ``origin + depth * direction`` has that depth along the optical axis.
        """
        u, v = np.meshgrid(np.arange(self.width, dtype=np.float64), np.arange(self.height, dtype=np.float64))
        pixels = np.stack([u, v, np.ones_like(u)], axis=-1)
        directions = pixels @ np.linalg.inv(self.K).T @ self.T_world_cam[:3, :3].T
        return self.position, directions

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form; :meth:`from_json` reads it back to the same numbers."""
        return {
            "K": self.K.tolist(),
            "T_world_cam": self.T_world_cam.tolist(),
            "width": self.width,
            "height": self.height,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Camera:
        """The camera that :meth:`to_json` wrote; raises :class:`FfngenError` for anything else."""
        try:
            return cls(
                K=np.array(data["K"], dtype=np.float64),
                T_world_cam=np.array(data["T_world_cam"], dtype=np.float64),
                width=int(data["width"]),
                height=int(data["height"]),
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise FfngenError(f"not a camera: {error}") from error
