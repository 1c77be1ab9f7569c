"""The colour of the iris, the one thing of the eyes that is taken from pictures.

Eyes themselves are painted: a gaze that is a degree off, a lid, or the lamp that a cornea mirrors would stay in the
texture for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.eyes import IRIS
from ffngen.appearance.layout import FaceLayout

Array32 = NDArray[np.float32]

#: Radii, over the iris's, between which its texels lie: outside the pupil, inside the limbus.
_INNER, _OUTER = 0.45, 0.85

#: Texels that must be seen for a colour to be told.
_LEAST = 12

#: Albedos, linear light, that irises have; a measured one is brought among them.
_DARKEST, _LIGHTEST = 0.004, 0.35


def on_iris(points: Array32, layout: FaceLayout) -> NDArray[np.bool_]:
    """(N,) bool: which points of the eyeballs (N, 3), in the layout's frame, lie on an iris."""
    result = np.zeros(len(points), dtype=bool)
    for eye in layout.eyes:
        offset = points - eye.center.astype(np.float32)
        radius = np.hypot(offset[:, 0], offset[:, 1]) / IRIS
        near = np.linalg.norm(offset, axis=1) < 1.3 * eye.radius
        result |= near & (offset[:, 2] > 0) & (radius > _INNER) & (radius < _OUTER)
    return result


def iris_colour(albedos: Sequence[Array32], weights: Sequence[Array32]) -> tuple[float, float, float] | None:
    """The colour of the irises, linear light, of what each view shows of their texels; None where too little is seen.

    :param albedos: (N, 3) each.
    :param weights: (N,) each, 0 where a texel is not seen.
    """
    seen = [albedo[weight > 0] for albedo, weight in zip(albedos, weights, strict=True)]
    together = np.concatenate(seen) if seen else np.zeros((0, 3))
    if len(together) < _LEAST:
        return None
    red, green, blue = np.clip(np.median(together, axis=0), _DARKEST, _LIGHTEST).tolist()
    return red, green, blue
