"""Placing the camera so that the head fills the frame as asked, over a whole motion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from ffngen.geometry.camera import Camera

#: Share of the image's height that is kept below the chin when the head moves down to hide the neck's end.
CHIN_MARGIN = 0.05

_BISECTIONS = 60


@dataclass(frozen=True)
class Framing:
    """How a head is framed.

    :param fill: height of the head / height of the image.
    :param max_width_fill: bound on its width / width of the image.
    :param offset: (x, y): the head's middle relative to the image's, as shares of its width and height.
    :param yaw: radians: how far the camera stands to the subject's left of where the neutral face looks.
    :param elevation: radians: how far it stands above.
    """

    fill: float
    max_width_fill: float
    offset: tuple[float, float]
    yaw: float = 0.0
    elevation: float = 0.0

    @property
    def R_world_cam(self) -> NDArray[np.float64]:
        """(3, 3): a camera that looks at the head from there, upright. In front of it, it looks along -z, y down."""
        sin, cos, up, along = np.sin(self.yaw), np.cos(self.yaw), np.sin(self.elevation), np.cos(self.elevation)
        # Columns: right, down, forward. Adding 0 turns -0 into 0.
        return np.array([[cos, sin * up, -sin * along], [0, -along, -up], [-sin, cos * up, -cos * along]]) + 0.0


def _camera(
    R_world_cam: NDArray[np.float64],
    target: NDArray[np.float64],
    distance: float,
    focal_px: float,
    width: int,
    height: int,
) -> Camera:
    """A camera at ``distance`` before ``target`` (3,), which is in the camera's axes."""
    K = np.array([[focal_px, 0, (width - 1) / 2], [0, focal_px, (height - 1) / 2], [0, 0, 1]])
    T_world_cam = np.eye(4)
    T_world_cam[:3, :3] = R_world_cam
    T_world_cam[:3, 3] = R_world_cam @ (target - np.array([0.0, 0.0, distance]))
    return Camera(K, T_world_cam, width, height)


def _box(camera: Camera, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pixels, _ = camera.project(points)
    return pixels.min(axis=0), pixels.max(axis=0)


def _excess(camera: Camera, points: NDArray[np.float64], framing: Framing) -> float:
    """How far the head is too large: above 1, it exceeds its share of the image's height or width."""
    low, high = _box(camera, points)
    width, height = high - low
    return float(max(height / (framing.fill * camera.height), width / (framing.max_width_fill * camera.width)))


def _outermost(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The corners of the convex hull: a projection's extremes are among them, and they are few."""
    try:
        corners: NDArray[np.float64] = points[ConvexHull(points).vertices]
    except QhullError:  # flat, or fewer than four points
        return points
    return corners


def fit_camera(
    points: NDArray[Any],
    framing: Framing,
    *,
    width: int,
    height: int,
    focal_px: float | None = None,
    distance: float | None = None,
    rim: NDArray[Any] | None = None,
) -> Camera:
    """A camera before the head that frames ``points`` as asked.

    Exactly one of ``focal_px`` (pixels) and ``distance`` (metres, from the camera to the points'
    middle) is given; the other is solved for, as the projected size falls with the distance and grows
    with the focal length. The offset moves the principal point (a shifted lens),
    so that the optical axis, and with it the background plane, stays perpendicular to the view.

    :param points: (..., 3) metres, world: the vertices to frame, of all frames of the motion.
    :param rim: (..., 3) metres, world: where the neck ends; kept out of the picture where the framing leaves room.
    """
    flat = _outermost(np.asarray(points, dtype=np.float64).reshape(-1, 3))
    R = framing.R_world_cam
    turned = flat @ R
    target = (turned.min(axis=0) + turned.max(axis=0)) / 2
    nearest = float(target[2] - turned[:, 2].min())
    if focal_px is not None:
        # In front of the nearest point the size is unbounded; far enough away every head is too small.
        low = high = nearest + 1e-3
        while _excess(_camera(R, target, high, focal_px, width, height), flat, framing) > 1:
            low, high = high, 2 * high
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if _excess(_camera(R, target, middle, focal_px, width, height), flat, framing) > 1:
                low = middle
            else:
                high = middle
        camera = _camera(R, target, high, focal_px, width, height)
    else:
        assert distance is not None
        # The projection is linear in the focal length.
        far = max(distance, nearest + 1e-2)
        unit = _camera(R, target, far, 1.0, width, height)
        camera = _camera(R, target, far, 1.0 / _excess(unit, flat, framing), width, height)
    return _shifted(camera, flat, framing, rim)


def _shifted(camera: Camera, points: NDArray[np.float64], framing: Framing, rim: NDArray[Any] | None) -> Camera:
    """The camera with its principal point moved so that the head's middle lies where it was asked for.

    The head goes further down where that hides the rim below the picture, as long as the chin stays in it.
    """
    width, height = camera.width, camera.height
    box_low, box_high = _box(camera, points)
    wanted = np.array([(0.5 + framing.offset[0]) * width - 0.5, (0.5 + framing.offset[1]) * height - 0.5])
    shift = wanted - (box_low + box_high) / 2
    if rim is not None:
        rim_top = _box(camera, np.asarray(rim, dtype=np.float64).reshape(-1, 3))[0][1]
        to_hide = height - 0.5 - rim_top
        to_chin_at_edge = (1 - CHIN_MARGIN) * height - box_high[1]
        shift[1] = max(shift[1], min(to_hide, to_chin_at_edge))
    K = camera.K.copy()
    K[:2, 2] += shift
    return Camera(K, camera.T_world_cam, width, height)
