"""The light under which a surface of known albedo looks like a picture: robust least squares with a prior."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.lighting import FACE_EXPOSURE
from ffngen.texture.light import BASIS
from ffngen.texture.light_prior import LightPrior

Array64 = NDArray[np.float64]

#: As many texels' worth of independent measurements a view is: skin's mottling is alike over a centimetre.
_INDEPENDENT = 150

#: Colours of less than this share of the face's exposure are not told from noise more finely.
_DARK = 0.1

_REWEIGHTINGS = 4


@dataclass(frozen=True)
class Sample:
    """What one view shows of S texels that all views share.

    :param colour: (S, 3), linear light.
    :param weight: (S,), 0 where the texel is not seen.
    :param transfer: (S, BASIS).
    :param gloss: (S, BASIS).
    """

    colour: Array64
    weight: Array64
    transfer: Array64
    gloss: Array64


def fit_light(
    sample: Sample, albedo: Array64, prior: LightPrior, sure: Array64, inlier: Array64
) -> tuple[Array64, float]:
    """The most likely light of a view, and minus the logarithm of how likely it and the view are together.

    :param albedo: (S, 3), linear.
    :param sure: (S,) from 0 to 1: how much each texel counts.
    :param inlier: (S,) relative deviation up to which it counts fully.
    :returns: (BASIS, 3) coefficients, and the cost, which can be compared between albedos of one view.
    """
    seen = sample.weight * sure > 0
    if not seen.any():
        return prior.mean.copy(), 0.0
    w, colour, a, inlier = (sample.weight * sure)[seen], sample.colour[seen], albedo[seen], inlier[seen, None]
    systems = [a[:, c, None] * sample.transfer[seen] + sample.gloss[seen] for c in range(3)]
    light = prior.mean.copy()
    level = a * FACE_EXPOSURE
    robust = np.ones_like(w)
    share = _INDEPENDENT / w.sum()
    for _ in range(_REWEIGHTINGS):
        normal, right = prior.precision.copy(), prior.precision @ prior.mean.T.ravel()
        deviation = inlier * np.maximum(level, _DARK * a)
        for c, A in enumerate(systems):
            weighted = A * (share * w * robust / deviation[:, c] ** 2)[:, None]
            part = slice(c * BASIS, (c + 1) * BASIS)
            normal[part, part] += weighted.T @ A
            right[part] += weighted.T @ colour[:, c]
        light = np.linalg.solve(normal, right).reshape(3, BASIS).T
        level = np.stack([A @ light[:, c] for c, A in enumerate(systems)], axis=1)
        size = (np.abs(colour - level) / np.maximum(level, _DARK * a) / inlier).max(axis=1)
        # Hair, brows and beards are far off, and count almost nothing.
        robust = 1 / (1 + size**2)
    off = (light - prior.mean).T.ravel()
    cost = 0.5 * off @ prior.precision @ off + 0.5 * share * (w * np.log1p(size**2)).sum()
    return light, float(cost)
