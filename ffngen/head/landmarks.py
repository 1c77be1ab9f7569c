"""Landmarks as points on a model's faces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: iBUG's 68 landmarks, of which the first 17 are the contour of the jaw.
LANDMARK_COUNT = 68
JAW_COUNT = 17


@dataclass(frozen=True, eq=False)
class LandmarkEmbedding:
    """The 68 iBUG landmarks, each fixed to a face of the model.

    Order: 0..16 the jaw from the subject's right to the left, 17..26 brows, 27..35 nose, 36..47 eyes, 48..67 mouth.

    :param face_index: (68,) int32, indices of faces.
    :param barycentric: (68, 3) float64, weights of the corners of that face.
    :param faces: (F, 3) int32, the model's faces.
    """

    face_index: NDArray[np.int32]
    barycentric: NDArray[np.float64]
    faces: NDArray[np.int32]

    def evaluate(self, vertices: ArrayLike) -> NDArray[np.float64]:
        """The landmarks of posed vertices.

        :param vertices: (..., V, 3), any unit and frame.
        :returns: (..., 68, 3) float64, the same unit and frame.
        """
        corners = np.asarray(vertices)[..., self.faces[self.face_index], :].astype(np.float64)
        return cast(NDArray[np.float64], (corners * self.barycentric[:, :, None]).sum(axis=-2))
