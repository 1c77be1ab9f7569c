"""Texture coordinates of a head model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class UvMap:
    """Where each face of a model lies in its textures.

    A vertex on a texture seam has several texture vertices, so faces are indexed apart from the model's.

    :param coordinates: (T, 2) float32, u right and v up in [0, 1] (CONVENTIONS.md).
    :param faces: (F, 3) int32, indices into ``coordinates``, face by face as the model's ``faces``.
    """

    coordinates: NDArray[np.float32]
    faces: NDArray[np.int32]

    def per_corner(self) -> NDArray[np.float32]:
        """(F, 3, 2) float32: the texture coordinates of every face's corners."""
        return self.coordinates[self.faces]
