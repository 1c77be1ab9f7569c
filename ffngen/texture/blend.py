"""Several views' colours as one, without seams, in two bands on the surface.

The broad band, in which views differ by what their light has left, is mixed over wide borders. The fine band, which
mixing would blur wherever two views lie a pixel apart, is that of the view which sees a place best. Colours are
logarithms, so that a difference is a gain: the broad band evens out the views' exposures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.texture.surface import Surface

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Smoothness of the bands' border and of the views' weights: a few edges of the mesh, about a centimetre.
_BAND, _FEATHER = 3.0, 4.0

#: The power that makes the weights of the fine band all but a choice.
_SHARP = 4

#: A texel's weight over the largest below which nothing is known of it.
_LEAST = 1e-3


@dataclass(frozen=True)
class Blended:
    """What all views show together, in logarithms of albedo.

    :param broad: (V, 3), at the vertices, smooth.
    :param fine: (N, 3) float32, at the texels: what is to be added.
    :param known: (V,) from 0 to 1: how well a vertex is seen by the best view.
    :param seen: (N,) float32, likewise for texels.
    """

    broad: Array64
    fine: Array32
    known: Array64
    seen: Array32


def blend(surface: Surface, logs: Sequence[Array32], weights: Sequence[Array32]) -> Blended:
    """Blend views.

    :param logs: (N, 3) each, logarithms of albedo.
    :param weights: (N,) each, above 0 where a view sees a texel; comparable between views.
    """
    largest = max(max((float(np.quantile(w[w > 0], 0.95)) for w in weights if (w > 0).any()), default=1.0), 1e-12)
    soft, scaled = [], []
    for weight in weights:
        relative = np.minimum(weight / np.float32(largest), 1)
        inner, feathered = _feathered(surface, relative)
        soft.append(inner)
        scaled.append(np.where(relative > _LEAST, relative * feathered, 0).astype(np.float32))
    broads = []
    for log, weight in zip(logs, scaled, strict=True):
        mean, total = surface.gather(log, weight)
        typical = float(np.median(total[total > 0])) if (total > 0).any() else 1.0
        broads.append(surface.fitted(mean, total / typical, _BAND))
    share = np.stack(soft) + 1e-9
    share /= share.sum(axis=0)
    broad = np.einsum("kv,kvc->vc", share, np.stack(broads))
    fine = np.zeros_like(logs[0])
    sum_of_weights = np.zeros(len(fine), dtype=np.float32)
    best = np.zeros(len(fine), dtype=np.float32)
    for log, weight, own in zip(logs, scaled, broads, strict=True):
        sharp = weight**_SHARP
        fine += sharp[:, None] * (log - surface.spread(own))
        sum_of_weights += sharp
        np.maximum(best, weight, out=best)
    fine /= np.maximum(sum_of_weights, 1e-30)[:, None]
    return Blended(broad, fine, np.stack(soft).max(axis=0), best)


def _feathered(surface: Surface, weight: Array32) -> tuple[Array64, Array32]:
    """A view's weight at the vertices (V,), falling to 0 before what it does not see, and the fall at texels (N,).

    Beside what is hidden, a picture shows a mixture of what hides and what is behind; there nothing is taken.
    """
    mean, area = surface.gather(weight[:, None], np.ones_like(weight))
    inner = surface.smallest_near(np.where(area > 0, mean[:, 0], 1.0))
    smooth = surface.fitted(inner[:, None], np.ones(surface.count), _FEATHER)[:, 0]
    smooth = np.minimum(np.clip(smooth, 0, 1), np.sqrt(np.clip(mean[:, 0], 0, 1)))
    fall = surface.spread(smooth[:, None])[:, 0] / np.maximum(surface.spread(mean)[:, 0], 1e-6)
    return smooth, np.clip(fall, 0, 1).astype(np.float32)
