"""The brows' landmarks, looked for in the picture.

MediaPipe draws brows about where most people have them. Here five points of each are moved, a few times, by what the
strip of the forehead looks like about them: linear regressions of the pixels (Xiong and De la Torre, "Supervised
descent method and its applications to face alignment"), learned from renders of the open head by
``tests/bench/fit_calibrate.py``. Where the pixels do not look like a brow's, behind hair or glasses, the detector's
points stay.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.fit.forehead import Array32, Forehead, Strip
from ffngen.fit.observation import BROWS, Brows, Observation
from ffngen.fit.reduced import LandmarkModel
from ffngen.head.open_head.landmarks import MIRROR_LANDMARK
from ffngen.head.skinning import Array64
from ffngen.resources import resource

#: Pixels about a point that are looked at, (column, row) from it: millimetres.
_AROUND = np.stack(np.meshgrid(np.arange(-7.0, 8.0), np.arange(-9.0, 10.0)), axis=-1).reshape(-1, 2)
#: Of a patch's contrast, in grey levels: what is fainter is noise.
_FAINT = 4.0
#: The cosine of the angle from which on a brow lies behind the nose.
_PROFILE = 0.5
_MIRROR = np.array(MIRROR_LANDMARK)[BROWS] - BROWS.start
#: Of the brows' ten points, the subject's left brow, from its inner end; the regressions know left brows.
LEFT = slice(5, 10)


@dataclass(frozen=True, eq=False)
class Cascade:
    """The regressions, for a left brow; a right one is mirrored.

    :param start: (5, 3) metres, what the detector's points lie off by on the face at rest: backwards, mostly.
    :param mean: (S, P) the mean of the patches of each step, in one row.
    :param weights: (S, P + 1, 10) of a patch less the mean: how far the points move, millimetres; and the constant.
    :param typical: (P,) the mean patch about a brow's true points.
    :param least: how like it a brow's patch is at least, a cosine.
    """

    start: Array64
    mean: Array32
    weights: Array32
    typical: Array32
    least: float

    def __call__(self, pixels: Array32, points: Array64) -> tuple[Array64, float]:
        """Move a left brow's points (5, 2), (column, row), to the brow; and how like a brow it looks there."""
        for mean, weights in zip(self.mean, self.weights, strict=True):
            moved = (patches(pixels, points) - mean) @ weights[:-1] + weights[-1]
            points = points + moved.reshape(5, 2)
        return points, likeness(patches(pixels, points), self.typical)


class BrowFinder:
    """Looks for the brows in a picture.

    :param landmarks: the open head's.
    :param cascade: None for the one that comes with ffngen.
    """

    def __init__(self, landmarks: LandmarkModel, cascade: Cascade | None = None) -> None:
        self.forehead = Forehead(landmarks)
        self.cascade = load_cascade() if cascade is None else cascade
        start = self.cascade.start
        self._offsets = np.concatenate([start[::-1] * [-1, 1, 1], start])

    def __call__(self, image: NDArray[np.uint8], seen: Observation, x: Array64) -> Observation:
        """An observation with the brows' landmarks as they are in the picture (H, W, 3).

        :param x: (N,) the frame's unknowns, a first guess.
        """
        strip = Strip(self.forehead, image, seen, x)
        if strip.frontal < _PROFILE:
            return replace(seen, brows=Brows.UNKNOWN)
        detected = self.detected(strip, seen)
        found, sure = self.found(strip, detected)
        places = self.forehead.metres(found if sure else detected)
        points = seen.points.copy()
        points[BROWS] = strip.to_picture(places, self.forehead.depth_at(places))
        return replace(seen, points=points, brows=Brows.FOUND if sure else Brows.GUESSED)

    def detected(self, strip: Strip, seen: Observation) -> Array64:
        """Where the detector's points mean brows to be (10, 2), (column, row) of the strip."""
        places = strip.to_face(seen.points[BROWS], self.forehead.rest[BROWS, 2] + self._offsets[:, 2])
        return self.forehead.column_row(places - self._offsets[:, :2])

    def found(self, strip: Strip, detected: Array64) -> tuple[Array64, bool]:
        """The brows' points (10, 2), (column, row), and whether they look like brows."""
        width = self.forehead.size[1] - 1
        sides = [
            self.cascade(strip.pixels, detected[LEFT]),
            self.cascade(np.ascontiguousarray(strip.pixels[:, ::-1]), mirrored(detected, width)[LEFT]),
        ]
        (left, like_left), (right, like_right) = sides
        return np.concatenate([mirrored(right, width), left]), min(like_left, like_right) >= self.cascade.least


def mirrored(points: Array64, width: int) -> Array64:
    """Points of brows, five or ten (N, 2), of a strip whose last column is ``width``, mirrored in it."""
    order = _MIRROR if len(points) == len(_MIRROR) else slice(None, None, -1)
    turned: Array64 = points[order] * [-1, 1] + [width, 0]
    return turned


def patches(pixels: Array32, points: Array64) -> Array32:
    """What a strip looks like about five points (5, 2), (column, row): (P,), of even brightness and contrast."""
    around = (points[:, None] + _AROUND).astype(np.float32)
    cut: Array32 = cv2.remap(pixels, around[..., 0], around[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    cut = cut - cut.mean(axis=1, keepdims=True)
    even: Array32 = (cut / (cut.std() + _FAINT)).ravel()
    return even


def likeness(patch: Array32, typical: Array32) -> float:
    """The cosine between patches (P,)."""
    return float(patch @ typical / max(float(np.linalg.norm(patch) * np.linalg.norm(typical)), 1e-9))


def load_cascade() -> Cascade:
    """The regressions that come with ffngen."""
    with np.load(resource("assets", "fit", "brows.npz"), allow_pickle=False) as table:
        mean, weights, typical = (table[name].astype(np.float32) for name in ("mean", "weights", "typical"))
        return Cascade(table["start"].astype(np.float64), mean, weights, typical, float(table["least"]))
