"""The parts of a head that no picture shows: from its other side, else from a mean skin.

The broad band continues what is known without a step: it deviates from the mean skin as the border does, the more so
the nearer it is (the smoothest function on the surface that does). The fine band is the mirror image's, where that is
seen, else the mean skin's own pores and hair.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from ffngen.appearance.noise import smoothstep
from ffngen.texture.blend import Blended
from ffngen.texture.surface import Surface

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: How strongly known vertices hold the broad band, and their mirror images, over the pull of one edge.
_HOLD, _MIRROR_HOLD = 30.0, 0.3

#: How strongly the mean skin holds what is unknown: a border's deviation is halved after some five edges, 2 cm.
_MEAN_HOLD = 0.02

#: How well a texel must be seen for its own fine band alone to be taken.
_UNSEEN, SEEN = 0.03, 0.20

#: Metres by which a normal turned by one radian counts as away, so that the mirror image of the outside of an ear is
#: not its inside.
_TURN = 0.01

#: Metres (and turn) beyond which a place has no mirror image.
_NO_MIRROR = 0.012


def complete(
    surface: Surface,
    blended: Blended,
    mean_skin: Array32,
    mirror_vertex: NDArray[np.int64],
    mirror_texel: NDArray[np.int64],
) -> Array32:
    """(N, 3) float32: logarithms of albedo everywhere.

    :param mean_skin: (N, 3), logarithms.
    :param mirror_vertex: (V,) the vertex on the other side of each, -1 for none.
    :param mirror_texel: (N,) likewise of texels.
    """
    mean, area = surface.gather(mean_skin, np.ones(len(mean_skin), dtype=np.float32))
    mean_broad = surface.fitted(mean, np.minimum(area, 1.0), 3.0)
    known = smoothstep(0.0, 0.3, blended.known.astype(np.float32)).astype(np.float64)
    has_mirror = mirror_vertex >= 0
    mirrored = np.where(has_mirror, known[mirror_vertex], 0) * (1 - known)
    own = blended.broad - mean_broad
    hold = _HOLD * known**2 + _MIRROR_HOLD * mirrored + _MEAN_HOLD
    target = (_HOLD * known[:, None] ** 2 * own + _MIRROR_HOLD * mirrored[:, None] * own[mirror_vertex]) / np.maximum(
        hold, 1e-12
    )[:, None]
    broad = mean_broad + surface.fitted(target, hold, 1.0)
    seen = smoothstep(_UNSEEN, SEEN, blended.seen)[:, None]
    pores = mean_skin - surface.spread(mean_broad)
    reflected = np.where(mirror_texel >= 0, seen[mirror_texel, 0], 0)[:, None]
    guess = reflected * blended.fine[mirror_texel] + (1 - reflected) * pores
    return cast(Array32, surface.spread(broad) + seen * blended.fine + (1 - seen) * guess)


def mirror_of(positions: Array32, normals: Array32, wanted: NDArray[np.int64], middle: float) -> NDArray[np.int64]:
    """For some of the places on a template, the nearest place to their mirror image about x = ``middle``.

    :param positions: (N, 3), metres; ``normals``: (N, 3), unit.
    :param wanted: (K,) indices of the places whose image is asked for.
    :returns: (K,) indices, -1 where there is none.
    """
    flip = np.array([-1, 1, 1], dtype=np.float32)
    places = np.concatenate([positions - np.array([middle, 0, 0], dtype=np.float32), _TURN * normals], axis=1)
    images = places[wanted] * np.tile(flip, 2)
    distance, nearest = cKDTree(places).query(images, distance_upper_bound=_NO_MIRROR)
    return np.where(np.isfinite(distance), nearest, -1)
