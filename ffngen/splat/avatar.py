"""An avatar: Gaussians that are bound to the triangles of a head (Qian et al., GaussianAvatars, CVPR 2024)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import FfngenError

Array64 = NDArray[np.float64]

#: Spherical harmonics' coefficients up to degree 0, 1, 2, 3.
SH_COUNTS = (1, 4, 9, 16)


@dataclass(frozen=True, eq=False)
class Avatar:
    """N Gaussians in the frames of the triangles that they are bound to (:mod:`ffngen.splat.binding`).

    :param means: (N, 3) float64: centres, in units of the triangle's size.
    :param rotations: (N, 4) float64: unit quaternions, w first.
    :param scales: (N, 3) float64, > 0: standard deviations along the Gaussian's axes, in units of the triangle's size.
    :param opacities: (N,) float64, 0 to 1.
    :param harmonics: (N, K, 3) float64, K of :data:`SH_COUNTS`: colour over directions (:mod:`.harmonics`).
    :param triangles: (N,) int64: which face of the head.
    """

    means: Array64
    rotations: Array64
    scales: Array64
    opacities: Array64
    harmonics: Array64
    triangles: NDArray[np.int64]

    def __post_init__(self) -> None:
        n = len(self.means)
        shapes = {
            "means": (n, 3),
            "rotations": (n, 4),
            "scales": (n, 3),
            "opacities": (n,),
            "triangles": (n,),
        }
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or not np.isfinite(array).all():
                raise FfngenError(f"an avatar's {name} are finite and of shape {shape}, not {array.shape}")
        if self.harmonics.ndim != 3 or self.harmonics.shape[0] != n or self.harmonics.shape[2] != 3:
            raise FfngenError(f"an avatar's harmonics have the shape (N, K, 3), not {self.harmonics.shape}")
        if self.harmonics.shape[1] not in SH_COUNTS or not np.isfinite(self.harmonics).all():
            raise FfngenError(f"an avatar has 1, 4, 9 or 16 finite harmonics, not {self.harmonics.shape[1]}")
        if n and (self.scales.min() <= 0 or self.opacities.min() < 0 or self.opacities.max() > 1):
            raise FfngenError("an avatar's scales are positive, and its opacities lie between 0 and 1")

    def __len__(self) -> int:
        return len(self.means)

    def require_faces(self, count: int) -> None:
        """Refuse a head with other faces.

        :param count: of the head's faces.
        :raises FfngenError: some Gaussian is bound to a face that the head does not have.
        """
        if len(self) and (self.triangles.min() < 0 or self.triangles.max() >= count):
            raise FfngenError(
                f"a Gaussian is bound to triangle {int(self.triangles.max())}, and the head has {count}",
                mend="use the head model, and its teeth, that the avatar was made with",
            )
