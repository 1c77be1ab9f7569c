"""Where the features of a face lie on a head model's template, in one frame for all models.

The frame of the layout has the world's axes (x to the subject's left, y up, z out of the face), its origin
midway between the eyeballs' centres, and millimetres scaled so that those are 63 mm apart (the mean of
adults), whatever the template's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import HeadModelError
from ffngen.head.model import HeadModel

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Distance of the eyes' centres, millimetres.
EYE_DISTANCE = 63.0


@dataclass(frozen=True)
class Eyeball:
    """A sphere: centre (3,) and radius in the layout's frame."""

    center: Array64
    radius: float


@dataclass(frozen=True)
class FaceLayout:
    """Places on a template, in the frame of the layout.

    :param origin: (3,) metres, in the template's frame.
    :param scale: the layout's millimetres per metre.
    :param eyes: the left and the right eyeball.
    :param landmarks: (68, 3) in iBUG's order; the first 17 (the jaw's contour) are not used.
    :param skull_z: z of the vertical axis of the skull.
    :param skull_half_width: the largest \\|x\\| of the skull above the ears.
    """

    origin: Array64
    scale: float
    eyes: tuple[Eyeball, Eyeball]
    landmarks: Array64
    skull_z: float
    skull_half_width: float

    @classmethod
    def of(cls, model: HeadModel) -> FaceLayout:
        """The layout of a model; without landmarks, features lie where they do on an average face.

        :raises HeadModelError: the model does not say which faces are the eyeballs, or they are no eyeballs.
        """
        spheres = [_sphere(model, name) for name in ("left_eyeball", "right_eyeball")]
        (left, _), (right, _) = spheres
        origin = (left + right) / 2
        distance = float(np.linalg.norm(left - right))
        if not (np.isfinite(distance) and distance > 1e-3):
            raise HeadModelError("the two eyeballs cannot both be in one place", where=model.path)
        scale = EYE_DISTANCE / distance
        eyes = [Eyeball((center - origin) * scale, radius * scale) for center, radius in spheres]
        vertices = (model.template - origin) * scale
        band = vertices[(vertices[:, 1] > 45) & (vertices[:, 1] < 62)]
        if len(band) < 3:
            raise HeadModelError("the head model has no skull above its eyes", where=model.path)
        if model.landmarks is not None:
            landmarks = (model.landmarks.evaluate(model.template) - origin) * scale
        else:
            landmarks = _average_landmarks()
        return cls(
            origin=origin,
            scale=scale,
            eyes=(eyes[0], eyes[1]),
            landmarks=landmarks,
            skull_z=float((band[:, 2].min() + band[:, 2].max()) / 2),
            skull_half_width=float(np.abs(band[:, 0]).max()),
        )

    def points(self, positions: Array32) -> Array32:
        """Template positions (N, 3), metres, in the layout's frame, float32."""
        return cast(Array32, (positions - self.origin.astype(np.float32)) * np.float32(self.scale))

    def brow(self, side: int) -> Array64:
        """(5, 3): a brow from its inner to its outer end. Side +1 is the subject's left, -1 the right."""
        return self.landmarks[22:27] if side > 0 else self.landmarks[21:16:-1]

    @cached_property
    def outer_lips(self) -> Array64:
        """(12, 3): the border of the lips, a closed curve from the right corner over the upper lip."""
        return self.landmarks[48:60]

    @property
    def nose_base_y(self) -> float:
        """Height of the nose's base."""
        return float(self.landmarks[33, 1])

    @property
    def mouth_y(self) -> float:
        """Height of the corners of the mouth."""
        return float(self.landmarks[[48, 54], 1].mean())


def _sphere(model: HeadModel, region: str) -> tuple[Array64, float]:
    """Least-squares sphere through the vertices of a region: centre (3,) and radius, metres."""
    faces = model.regions.get(region)
    if faces is None or len(faces) == 0:
        raise HeadModelError(f"the head model has no region {region!r}", where=model.path)
    points = model.template[np.unique(model.faces[faces])]
    middle = points.mean(axis=0)
    local = points - middle
    # |p|^2 = 2 p.c + (r^2 - |c|^2), in least squares by its normal equations.
    system = np.column_stack([2 * local, np.ones(len(local))])
    normal = np.einsum("ni,nj->ij", system, system, optimize=False)
    try:
        solution = np.linalg.solve(normal, np.einsum("ni,n->i", system, (local**2).sum(axis=1), optimize=False))
    except np.linalg.LinAlgError as error:
        raise HeadModelError(f"the region {region!r} is flat", where=model.path) from error
    return middle + solution[:3], float(np.sqrt(solution[3] + (solution[:3] ** 2).sum()))


#: Rounded adult proportions: (landmark, its mirror image, x, y, z), the subject's right side first.
_AVERAGE = (
    *((17, 26, -52, 14, 2), (18, 25, -46, 20, 10), (19, 24, -36, 23, 17), (20, 23, -23, 22, 22), (21, 22, -10, 18, 25)),
    *((27, 27, 0, 2, 28), (28, 28, 0, -9, 36), (29, 29, 0, -19, 44), (30, 30, 0, -30, 51)),
    *((31, 35, -12, -42, 30), (32, 34, -6, -44, 33), (33, 33, 0, -46, 35)),
    *((36, 45, -45, -2, 5), (37, 44, -36, 4, 12), (38, 43, -27, 4, 13)),
    *((39, 42, -19, -3, 11), (40, 47, -27, -6, 12), (41, 46, -36, -6, 12)),
    *((48, 54, -24, -68, 20), (49, 53, -16, -64, 30), (50, 52, -6, -62, 35), (51, 51, 0, -63, 36)),
    *((57, 57, 0, -75, 35), (58, 56, -7, -74, 34), (59, 55, -16, -72, 28)),
    *((60, 64, -21, -68, 21), (61, 63, -6, -67, 31), (62, 62, 0, -67, 31), (66, 66, 0, -68, 31), (67, 65, -6, -68, 31)),
)


def _average_landmarks() -> Array64:
    """(68, 3) landmarks for a model that comes without an embedding of them; those of the jaw are NaN."""
    landmarks = np.full((68, 3), np.nan)
    for index, mirror, x, y, z in _AVERAGE:
        landmarks[index] = x, y, z
        landmarks[mirror] = -x, y, z
    return landmarks
