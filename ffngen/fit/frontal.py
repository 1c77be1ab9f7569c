"""A picture's face as if it were seen from the front: what belongs together lies in it where it does in everybody's."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ffngen.fit.observation import FLIP, Observation
from ffngen.fit.prior import HEAD, TRANSLATION
from ffngen.fit.reduced import FaceState, LandmarkModel
from ffngen.geometry.rigid import rotation_between
from ffngen.head.skinning import Array64

Array32 = NDArray[np.float32]

#: What no expression moves: the eyes' corners and the nose; and landmarks that turn with the head alone.
_STILL = [36, 39, 42, 45, 27, 28, 29, 30, 31, 33, 35]
_RIGID = slice(17, 48)
#: Rows and columns of a view. A pixel is a millimetre.
SIZE = (144, 128)
#: Millimetres: the topmost row above the eyes' middle.
_ABOVE = 46.5
#: Pixels of the picture per millimetre: larger pictures are made smaller first, so that all views are as sharp.
_FINEST = 0.65
#: Metres: the surface is the skin no deeper than this behind the eyes' corners; the foremost of so many next to it.
_BEHIND, _NEXT = 0.04, 6


class FrontalFace:
    """The mean face, on which views are laid.

    :param landmarks: of a model that knows which faces are the face's skin (region ``face``).
    """

    def __init__(self, landmarks: LandmarkModel) -> None:
        self._landmarks = landmarks
        self._nobody, self._nothing = np.zeros(landmarks.n_betas), np.zeros(len(landmarks.columns))
        model = landmarks.model
        #: (68, 3) metres, the mean face's landmarks at rest.
        self.rest = self._points(np.zeros(3))
        skin = model.template[np.unique(model.faces[model.regions["face"]])]
        skin = skin[skin[:, 2] > self.rest[36, 2] - _BEHIND]
        #: Metres: where the first row and the first column lie.
        self._top = float(self.rest[36:48, 1].mean()) + _ABOVE / 1e3
        self._first = -(SIZE[1] - 1) / 2e3
        rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
        #: (rows * columns, 2) metres, where a view's pixels lie, and (rows * columns,) the surface's z there.
        self.grid: Array64 = self.metres(np.stack([columns, rows], axis=-1).reshape(-1, 2))
        nearest = cKDTree(skin[:, :2]).query(self.grid, k=_NEXT)[1]
        self.depth: Array64 = cv2.GaussianBlur(skin[nearest, 2].max(axis=1).reshape(SIZE), (0, 0), 2).ravel()

    def pose(self, x: Array64) -> tuple[Array64, Array64]:
        """The rotation (3, 3) and the shift (3,) of the head in a frame's unknowns (N,), in the head frame."""
        own, there = self.rest[_RIGID], self._points(x[HEAD])[_RIGID]
        turn = rotation_between(own, there)
        return turn, there.mean(axis=0) - turn @ own.mean(axis=0)

    def column_row(self, points: Array64) -> Array64:
        """Where points (..., 2), metres, lie in a view, pixels."""
        return np.stack([(points[..., 0] - self._first) * 1e3, (self._top - points[..., 1]) * 1e3], axis=-1)

    def metres(self, pixels: Array64) -> Array64:
        """The inverse of :meth:`column_row`."""
        return np.stack([pixels[..., 0] / 1e3 + self._first, self._top - pixels[..., 1] / 1e3], axis=-1)

    def _points(self, head: Array64) -> Array64:
        return self._landmarks.points(self._nobody, FaceState(head, np.zeros(3), self._nothing))


class FrontalView:
    """One picture's face.

    The mean face, turned as the head is, is moved and scaled so that its eyes and nose lie over the found ones.

    :param image: (H, W, 3) uint8.
    :param x: (N,) the frame's unknowns, of which the head's pose and place count.
    """

    def __init__(self, face: FrontalFace, image: NDArray[np.uint8], seen: Observation, x: Array64) -> None:
        self._face, self._seen, self._place = face, seen, x[TRANSLATION]
        self._turn, self._offset = face.pose(x)
        #: The cosine of the angle between where the face looks and the camera's axis.
        self.frontal = float(self._turn[2, 2])
        self._similar, self._shift = np.eye(2), np.zeros(2)
        rest = face.rest[_STILL]
        found = self.to_face(seen.points[_STILL], rest[:, 2])
        a, b = rest[:, :2] - rest[:, :2].mean(axis=0), found - found.mean(axis=0)
        cosine = (a * b).sum() / (a**2).sum()
        sine = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / (a**2).sum()
        self._similar = np.array([[cosine, -sine], [sine, cosine]])
        self._shift = found.mean(axis=0) - self._similar @ rest[:, :2].mean(axis=0)
        at = self.to_picture(face.grid, face.depth).reshape(*SIZE, 2)
        fine = float(np.median(np.linalg.norm(np.diff(at, axis=1), axis=-1)))
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        if fine > _FINEST:
            height, width = grey.shape
            size = (max(round(width * _FINEST / fine), 1), max(round(height * _FINEST / fine), 1))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
            at = (at + 0.5) * (np.array(size) / [width, height]) - 0.5
        maps = np.clip(at, -1e4, 1e4).astype(np.float32)
        #: (rows, columns) grey levels.
        self.pixels: Array32 = cv2.remap(
            grey.astype(np.float32), maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )

    def to_picture(self, points: Array64, depth: Array64) -> Array64:
        """Points (N, 2) of the face as seen from the front, metres, at depths z (N,), in the picture's pixels."""
        flat = points @ self._similar.T + self._shift
        in_camera = (np.column_stack([flat, depth]) @ self._turn.T + self._offset) * FLIP + self._place
        pixels: Array64 = self._seen.focal * in_camera[:, :2] / in_camera[:, 2:] + self._seen.centre
        return pixels

    def to_face(self, pixels: Array64, depth: Array64) -> Array64:
        """The inverse of :meth:`to_picture`: where a pixel's ray meets the plane of its z."""
        rays = np.column_stack([(pixels - self._seen.centre) / self._seen.focal, np.ones(len(pixels))])
        direction = (rays * FLIP) @ self._turn
        origin = (-self._place * FLIP - self._offset) @ self._turn
        along = (depth - origin[2]) / direction[:, 2]
        flat = (along[:, None] * direction + origin)[:, :2]
        points: Array64 = np.linalg.solve(self._similar, (flat - self._shift).T).T
        return points

    def place(self, pixels: Array64, depth: Array64) -> Array64:
        """Where points (N, 2) of the picture at depths z (N,) lie in the view, pixels."""
        return self._face.column_row(self.to_face(pixels, depth))

    def at(self, places: Array64, depth: Array64) -> Array64:
        """The inverse of :meth:`place`."""
        return self.to_picture(self._face.metres(places), depth)
