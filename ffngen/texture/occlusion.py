"""What of a head's surface sees a point or a part of the sky."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import MissingPackageError

Array64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Metres by which a ray starts off the surface, so that it does not meet the triangle that it starts on.
_OFF_SURFACE = 5e-4


class Occluder:
    """A mesh that hides parts of itself.

    :param vertices: (V, 3), metres.
    :param faces: (F, 3), triangles; both sides block.
    :raises MissingPackageError: embreex is not installed.
    """

    def __init__(self, vertices: NDArray[Any], faces: NDArray[Any]) -> None:
        try:
            from embreex.mesh_construction import TriangleMesh
            from embreex.rtcore_scene import EmbreeScene
        except ImportError as error:
            raise MissingPackageError("ray casting needs embreex", mend='pip install "ffngen[render]"') from error
        self._scene: Any = EmbreeScene()
        TriangleMesh(self._scene, vertices.astype(np.float32), faces.astype(np.int32))

    def is_free(self, points: NDArray[Any], directions: NDArray[Any]) -> Bools:
        """Whether nothing lies on rays from points of the surface.

        :param points: (P, 3), metres.
        :param directions: (P, 3), of unit length; a ray has no end.
        :returns: (P,) bool.
        """
        if not len(points):
            return np.zeros(0, dtype=bool)
        starts = np.ascontiguousarray(points + _OFF_SURFACE * directions, dtype=np.float32)
        # Embree answers 0 where something is met and -1 where nothing is.
        met = self._scene.run(starts, np.ascontiguousarray(directions, dtype=np.float32), query="OCCLUDED")
        free: Bools = np.asarray(met) < 0
        return free
