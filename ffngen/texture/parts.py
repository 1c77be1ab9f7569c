"""The colour of the irises, which the eyes are painted with; and what is no part of the head.

Eyes themselves are painted: a gaze that is a degree off, a lid, or the lamp that a cornea mirrors would stay in the
texture for ever.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.eyes import IRIS
from ffngen.appearance.layout import FaceLayout
from ffngen.texture.lit_view import LitView
from ffngen.texture.mean_skin import Rgb3
from ffngen.texture.patch import Patch

Array32 = NDArray[np.float32]

#: Radii, over the iris's, between which its texels lie: outside the pupil, inside the limbus.
_INNER, _OUTER = 0.45, 0.85

#: Texels that must be seen for a colour to be told.
_LEAST = 12

#: The least cosine to the line of sight: light that comes along a surface is known less well.
_FACING = 0.5

#: Millimetres below the mouth from which on what is no skin is a collar; and by how much, in any channel's logarithm,
#: it differs from the face. A neck lies in the chin's shadow, of which some is always left: collars are hard to tell
#: from that where they are not far darker or lighter.
_COLLAR, _COLLAR_DIFFERS = 48, 0.8

#: Albedos, linear light, that irises have; a measured one is brought among them.
_DARKEST, _LIGHTEST = 0.004, 0.35


def iris_colour(lit: Sequence[LitView], inside: Patch, layout: FaceLayout) -> Rgb3 | None:
    """The colour of the irises, linear light, as the views show them; None where they show too little.

    :param inside: the texels that are not skin, the eyeballs among them.
    """
    on_iris = np.zeros(len(inside.points), dtype=bool)
    for eye in layout.eyes:
        offset = inside.points - eye.center.astype(np.float32)
        radius = np.hypot(offset[:, 0], offset[:, 1]) / IRIS
        near = np.linalg.norm(offset, axis=1) < 1.3 * eye.radius
        on_iris |= near & (offset[:, 2] > 0) & (radius > _INNER) & (radius < _OUTER)
    seen = [one.albedo(inside) for one in lit]
    # The cornea's gloss is a few bright spots, which the median leaves out.
    return _typical([albedo[on_iris & (projected.cosine > _FACING)] for albedo, projected in seen], 0.5)


def _typical(colours: Sequence[Array32], quantile: float) -> Rgb3 | None:
    """A quantile of colours (N, 3), per channel; None where they are too few."""
    together = np.concatenate(colours)
    if len(together) < _LEAST:
        return None
    red, green, blue = np.clip(np.quantile(together, quantile, axis=0), _DARKEST, _LIGHTEST).tolist()
    return red, green, blue


def is_collar(points: Array32, albedo: Array32, skin: NDArray[np.float64], mouth_y: float) -> NDArray[np.bool_]:
    """(N,) bool: what lies on the neck and is no skin.

    :param points: (N, 3), the skin's texels in the layout's frame.
    :param albedo: (N, 3).
    :param skin: (3,) the tone of the face.
    """
    low = points[:, 1] < mouth_y - _COLLAR
    result = np.zeros(len(points), dtype=bool)
    result[low] = np.abs(np.log(albedo[low] / skin.astype(np.float32))).max(axis=1) > _COLLAR_DIFFERS
    return result
