"""Faces as dlib finds them: detectors, 68 landmarks and a recognition embedding that nobody here made.

The networks come inside the package ``face_recognition_models``, whose code is not run. King, "Dlib-ml: a machine
learning toolkit", 2009. The detector uses histograms of gradients (``hog``); where it finds nothing, as of heads that
are turned, King's max-margin network (``cnn``) looks. The landmarks are those of Kazemi and Sullivan, "One millisecond
face alignment with an ensemble of regression trees", 2014, the embedding is a ResNet's, 128 numbers.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.errors import MissingPackageError
from ffngen.extras import require

Array64 = NDArray[np.float64]
Rgb = NDArray[np.uint8]

PACKAGE = "face_recognition_models"

#: Pictures are looked at with their longer side in this range, pixels: the detector knows faces of 80 pixels and more.
_SIDES = (512, 1024)
#: The network is slow, and needs less.
_CNN_SIDES = (256, 256)


@dataclass(frozen=True, eq=False)
class Face:
    """A face that was found.

    :param points: (68, 2) float64, pixels, iBUG's order.
    :param low: (2,) float64, pixels: the box's upper left corner; ``high`` is its lower right one.
    :param by: which detector found it.
    """

    points: Array64
    low: Array64
    high: Array64
    by: Literal["hog", "cnn"]


class DlibFaces:
    """dlib's networks.

    :raises MissingPackageError: dlib, or the package with the networks, is not installed.
    """

    #: Length of an embedding.
    size = 128

    def __init__(self) -> None:
        require("stats", "dlib", PACKAGE)
        import dlib

        folder = _models_folder()
        self._dlib = dlib
        self._detect = dlib.get_frontal_face_detector()
        self._detect_turned = dlib.cnn_face_detection_model_v1(str(folder / "mmod_human_face_detector.dat"))
        self._align = dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat"))
        self._recognise = dlib.face_recognition_model_v1(str(folder / "dlib_face_recognition_resnet_model_v1.dat"))
        #: What made the measurements, for the record.
        self.name = f"dlib-bin {version('dlib-bin')}, {PACKAGE} {version(PACKAGE)}"

    def find(self, image: Rgb) -> list[Face]:
        """The faces of a picture (H, W, 3) uint8 RGB that the detector finds."""
        factor, view = _sized(image, _SIDES)
        return [self._face(image, _corners(box, factor), "hog") for box in self._detect(view, 0)]

    def find_turned(self, image: Rgb) -> list[Face]:
        """The faces that the network finds."""
        factor, view = _sized(image, _CNN_SIDES)
        return [self._face(image, _corners(found.rect, factor), "cnn") for found in self._detect_turned(view, 0)]

    def _face(self, image: Rgb, corners: Array64, by: Literal["hog", "cnn"]) -> Face:
        factor, view = _sized(image, _SIDES)
        low, high = np.round((corners + 0.5) * factor - 0.5).astype(int).tolist()
        shape = self._align(view, self._dlib.rectangle(*low, *high))
        points = np.array([[part.x, part.y] for part in shape.parts()], dtype=np.float64)
        return Face((points + 0.5) / factor - 0.5, corners[0], corners[1], by)

    def embed(self, image: Rgb, points: Array64) -> NDArray[np.float32]:
        """The embedding (128,) float32 of the face with these 68 landmarks (68, 2), pixels."""
        factor, view = _sized(image, _SIDES)
        placed = np.round((points + 0.5) * factor - 0.5).astype(int)
        low, high = placed.min(axis=0), placed.max(axis=0)
        box = self._dlib.rectangle(int(low[0]), int(low[1]), int(high[0]), int(high[1]))
        parts = self._dlib.points()
        for x, y in placed.tolist():
            parts.append(self._dlib.point(x, y))
        shape = self._dlib.full_object_detection(box, parts)
        return np.array(self._recognise.compute_face_descriptor(view, shape), dtype=np.float32)


def face_at(faces: list[Face], points: Array64) -> Face | None:
    """The face whose box's middle lies nearest to that of known landmarks (68, 2), and within their bounds."""
    low, high = points.min(axis=0), points.max(axis=0)
    middles = [(face.low + face.high) / 2 for face in faces]
    inside = [i for i, middle in enumerate(middles) if (middle >= low).all() and (middle <= high).all()]
    if not inside:
        return None
    return faces[min(inside, key=lambda i: float(np.linalg.norm(middles[i] - (low + high) / 2)))]


def _corners(box: Any, factor: float) -> Array64:
    """The corners (2, 2) of a box in a picture ``factor`` times as large: edges stay, the first centre is 0."""
    corners: Array64 = np.array([[box.left(), box.top()], [box.right(), box.bottom()]], dtype=np.float64)
    return (corners + 0.5) / factor - 0.5


def _sized(image: Rgb, sides: tuple[int, int]) -> tuple[float, Rgb]:
    """A picture with its longer side within bounds, and how much larger that is."""
    longer = max(image.shape[:2])
    factor = min(max(longer, sides[0]), sides[1]) / longer
    if factor == 1:
        return 1.0, np.ascontiguousarray(image)
    how = cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA
    return factor, cv2.resize(image, None, fx=factor, fy=factor, interpolation=how)


def _models_folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)  # finds it without running it: its code wants an old setuptools
    for folder in [] if spec is None else spec.submodule_search_locations or []:
        if (Path(folder) / "models" / "dlib_face_recognition_resnet_model_v1.dat").is_file():
            return Path(folder) / "models"
    raise MissingPackageError(f"{PACKAGE} has none of its networks", mend='pip install "ffngen[stats]"')
