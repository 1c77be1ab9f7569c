"""What blended splats look like, whichever rasteriser blended them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.splat.avatar import Array64

Floats = NDArray[np.float32]

#: The head is where at least so much of the light is its own: what flow, depth and mask are defined on.
OPAQUE = 0.5


@dataclass(frozen=True, eq=False)
class SplatImage:
    """What splats look like. M motions.

    :param colour: (H, W, 3) float32: times alpha, so that a background adds ``(1 - alpha)`` of itself.
    :param alpha: (H, W) float32.
    :param depth: (H, W) float32, metres: the mean of where rays meet Gaussians, by their weights; infinite where alpha
        is 0.
    :param flows: (M, H, W, 2) float32, pixels: the mean of the Gaussians' flow by their weights; 0 where alpha is 0.
    :param depths_after: (M, H, W) float32, metres: likewise the depth after each motion; infinite where alpha is 0.
    """

    colour: Floats
    alpha: Floats
    depth: Floats
    flows: Floats
    depths_after: Floats

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(H, W) bool: where alpha is at least :data:`OPAQUE`."""
        return np.asarray(self.alpha >= OPAQUE)


def image_of(sums: tuple[Array64, Array64, Array64, Array64], *, normalised: bool) -> SplatImage:
    """The picture of a rasteriser's sums.

    :param sums: as of :func:`ffngen.splat.reference.blend`.
    :param normalised: divide flow by alpha; the plain sum, as in SRFlow's equation, is shorter where alpha is not 1.
    """
    colour, alpha, depth, moves = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(alpha > 0, depth / alpha, np.inf)
        after = np.where(alpha > 0, moves[..., 2] / alpha, np.inf)
        flows = moves[..., :2]
        if normalised:
            flows = np.where(alpha[..., None] > 0, flows / alpha[..., None], 0)
    single = (array.astype(np.float32) for array in (colour, alpha, depth, flows, after))
    return SplatImage(*single)
