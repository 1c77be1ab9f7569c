"""The landmarks of the inner face, looked for in the picture once more.

MediaPipe knows faces of all kinds, but draws brows about where most people have them, and sees other landmarks where
its annotators put them. A small convolutional network, which sees the face as if from the front, moves them to where
the open head has them, and says how surely it knows each one. Where a landmark was detected, its maps say how far it is
from there (as Papandreou et al., "Towards accurate multi-person pose estimation in the wild", refine key points). It
was learned from renders of the open head by ``tests/bench/fit_learn.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.fit.frontal import SIZE, Array32, FrontalFace, FrontalView
from ffngen.fit.observation import INNER, Observation
from ffngen.fit.reduced import LandmarkModel
from ffngen.head.open_head.landmarks import MIRROR_LANDMARK
from ffngen.head.skinning import Array64
from ffngen.resources import resource

#: The cosine of the angle from which on half of the face lies behind the nose.
_PROFILE = 0.5
#: Of a view's contrast, in grey levels: what is fainter is noise.
_FAINT = 4.0
#: Pixels: how wide a detected landmark is drawn.
_DOT = 1.5
#: A map's cell is so many pixels wide.
_CELL = 2
#: The inner landmarks of a mirrored face.
_MIRRORED = np.array(MIRROR_LANDMARK)[INNER] - INNER.start


@dataclass(frozen=True, eq=False)
class Located:
    """Landmarks of the inner face in a view.

    :param points: (51, 2) column and row, pixels.
    :param deviation: (51,) of their errors, millimetres.
    """

    points: Array64
    deviation: Array64


class LandmarkRefiner:
    """Moves detected landmarks to where they are.

    :param landmarks: the open head's, where the detector sees them.
    :param network: an ONNX file, or None for the one that comes with ffngen.
    """

    def __init__(self, landmarks: LandmarkModel, network: Path | None = None) -> None:
        self.face = FrontalFace(landmarks)
        file = resource("assets", "fit", "landmarks.onnx") if network is None else network
        self._network = cv2.dnn.readNetFromONNX(str(file))

    def __call__(self, image: NDArray[np.uint8], seen: Observation, x: Array64) -> Observation:
        """An observation with the inner landmarks as they are in the picture (H, W, 3).

        It is the given one where half of the face is hidden. What something covers stays about where it was detected,
        and is known as badly.

        :param x: (N,) the frame's unknowns, a first guess.
        """
        view = FrontalView(self.face, image, seen, x)
        if view.frontal < _PROFILE:
            return seen
        depth = self.face.rest[INNER, 2]
        detected = view.place(seen.points[INNER], depth)
        # The mean with what it finds in the mirror image.
        sides = [self._locate(view.pixels, detected), mirror(self._locate(*mirror_view(view.pixels, detected)))]
        deviation = np.sqrt(sides[0].deviation * sides[1].deviation)
        points, deviations = seen.points.copy(), np.ones(len(seen.points))
        points[INNER] = view.at(np.mean([side.points for side in sides], axis=0), depth)
        deviations[INNER] = deviation
        return replace(seen, points=points, deviation=deviations)

    def _locate(self, pixels: Array32, detected: Array64) -> Located:
        self._network.setInput(network_input(pixels, detected)[None])
        return decode(self._network.forward()[0], detected)


def network_input(pixels: Array32, detected: Array64) -> Array32:
    """What the network is shown (2, rows, columns): a view of even brightness, and detected landmarks (51, 2)."""
    even = (pixels - pixels.mean()) / (pixels.std() + _FAINT)
    drawn = np.zeros(SIZE, dtype=np.float32)
    whole = np.floor(detected).astype(int)
    part = detected - whole
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        column, row = whole[:, 0] + dx, whole[:, 1] + dy
        share = np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1])
        inside = (column >= 0) & (column < SIZE[1]) & (row >= 0) & (row < SIZE[0])
        np.add.at(drawn, (row[inside], column[inside]), share[inside].astype(np.float32))
    # A dot's middle is about one.
    dots = cv2.GaussianBlur(drawn, (0, 0), _DOT) * (2 * np.pi * _DOT**2)
    shown: Array32 = np.stack([even, dots]).astype(np.float32)
    return shown


def decode(maps: Array32, detected: Array64) -> Located:
    """What maps say at detected landmarks (51, 2).

    :param maps: (153, rows / 2, columns / 2), of each landmark how far it is to the right and below, pixels, and the
        logarithm of the deviation.
    """
    rows, columns = maps.shape[1:]
    cell = np.clip((detected + 0.5) / _CELL - 0.5, 0, [columns - 1, rows - 1])
    whole = np.minimum(cell.astype(int), [columns - 2, rows - 2])
    own, (right, down) = np.arange(len(detected)), (cell - whole).T
    said = np.zeros((len(detected), 3))
    for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
        share = np.abs(1 - dx - right) * np.abs(1 - dy - down)
        said += share[:, None] * maps.reshape(-1, 3, rows, columns)[own, :, whole[:, 1] + dy, whole[:, 0] + dx]
    return Located(detected + said[:, :2], np.exp(said[:, 2]))


def mirror_points(points: Array64) -> Array64:
    """Inner landmarks (51, 2) of a view, in the mirrored view."""
    mirrored: Array64 = points[_MIRRORED] * [-1, 1] + [SIZE[1] - 1, 0]
    return mirrored


def mirror_view(pixels: Array32, points: Array64) -> tuple[Array32, Array64]:
    """A view and its landmarks (51, 2), mirrored."""
    return np.ascontiguousarray(pixels[:, ::-1]), mirror_points(points)


def mirror(located: Located) -> Located:
    """Landmarks that were found in the mirrored view, in the view."""
    return Located(mirror_points(located.points), located.deviation[_MIRRORED])
