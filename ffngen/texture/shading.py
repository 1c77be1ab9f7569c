"""Telling a face's colour from the light on it.

Every view has light of its own, all views one skin. A view's picture is ``I = a E + G``: albedo times irradiance over
pi, and the gloss, both linear in the 25 numbers per colour channel that are the light
(:mod:`ffngen.texture.light`). What is known of the light is how faces are lit (:mod:`ffngen.texture.light_prior`); what
is known of a is a mean skin (cheeks, lips and nose redder than the forehead), whose tone two pigments make, and that it
is the same in all views. The numbers follow by robust least squares, in turn with the skin's own deviation from the
mean.

Whether skin is dark or light is dim, no picture tells: there the pictures' exposure is taken for about right. The
colour of the light is told from that of the skin as far as no pigment has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.lighting import FACE_EXPOSURE
from ffngen.texture.light import BASIS
from ffngen.texture.light_prior import LightPrior, exposure, light_prior
from ffngen.texture.mean_skin import tone_prior

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Relative deviation from the mean skin up to which a texel counts fully.
_INLIER = 0.12

#: As many texels' worth of independent measurements a view is: skin's mottling is alike over a centimetre.
_INDEPENDENT = 150

#: Of how many views' worth the lights of several views are evidence of what is common to them, as a power of their
#: number: pictures of a person are often taken in one place.
_COMMON = 0.5

#: The irradiance that is divided by is at least this share of the face's mean, and at most this multiple.
LEAST_LIGHT, MOST_LIGHT = 0.22, 2.5

_ROUNDS, _REWEIGHTINGS = 6, 4

#: Colours of less than this share of the face's exposure are not told from noise more finely.
_DARK = 0.1


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


def estimate_light(samples: Sequence[Sample], mean_skin: Array64, bare: Array64) -> tuple[list[Array64], Array64]:
    """The light of each view: (BASIS, 3) coefficients, so that ``transfer @ light`` is the irradiance over pi.

    :param mean_skin: (S, 3) albedo of a mean skin at the texels, linear; only its pattern counts, not its tone.
    :param bare: (S,) from 0 to 1: how sure it is that no beard covers the skin.
    :returns: the lights, and the median albedo (3,) of the skin that is seen.
    """
    prior = light_prior()
    own = np.zeros_like(mean_skin)
    tone, known = np.ones(3), np.ones(len(mean_skin), dtype=bool)
    lights = [prior.mean.copy() for _ in samples]
    for round_ in range(_ROUNDS):
        albedo = np.maximum(mean_skin * tone * np.exp(own), 1e-3)
        if round_:
            lights = [_fit(sample, albedo, prior, bare) for sample in samples]
        deviation, count = _deviation(samples, lights, mean_skin)
        known = count > 0
        tone = np.exp(np.median(deviation[known & (bare > 0.5)], axis=0))
        gain = _gain(lights, np.log(tone), prior)
        lights = [light * gain for light in lights]
        deviation -= np.log(gain)
        tone /= gain
        # What one view shows may be the light as well as the skin; what several agree on is the skin.
        trust = np.where(count > 0, (count - 1) / np.maximum(count, 1), 0)[:, None]
        own = np.clip(deviation - np.log(tone), -1.5, 1.5) * trust
    return lights, np.median(mean_skin[known], axis=0) * tone


def unlit(colour: NDArray[Any], irradiance: NDArray[Any], gloss: NDArray[Any]) -> Array32:
    """Albedo (N, 3) float32 of colours (N, 3) under irradiances over pi (N, 3), less their gloss (N, 3); bounded."""
    bounded = np.clip(irradiance, LEAST_LIGHT * FACE_EXPOSURE, MOST_LIGHT * FACE_EXPOSURE)
    # Gloss that is guessed too strong must not leave a hole.
    body = np.maximum(colour - gloss, 0.3 * colour)
    albedo: Array32 = np.clip(body / bounded, 0.004, 0.95).astype(np.float32)
    return albedo


def _fit(sample: Sample, albedo: Array64, prior: LightPrior, bare: Array64) -> Array64:
    """Light (BASIS, 3) under which skin of an albedo (S, 3) looks like a view; texels that do not fit count less."""
    seen = sample.weight * bare > 0
    if not seen.any():
        return prior.mean.copy()
    w, colour, a = (sample.weight * bare)[seen], sample.colour[seen], albedo[seen]
    systems = [a[:, c, None] * sample.transfer[seen] + sample.gloss[seen] for c in range(3)]
    light = prior.mean.copy()
    level = a * FACE_EXPOSURE
    robust = np.ones_like(w)
    for _ in range(_REWEIGHTINGS):
        normal, right = prior.precision.copy(), prior.precision @ prior.mean.T.ravel()
        total = (w * robust).sum()
        for c, A in enumerate(systems):
            deviation = _INLIER * np.maximum(level[:, c], _DARK * a[:, c])
            weighted = A * (_INDEPENDENT / total * w * robust / deviation**2)[:, None]
            part = slice(c * BASIS, (c + 1) * BASIS)
            normal[part, part] += weighted.T @ A
            right[part] += weighted.T @ colour[:, c]
        light = np.linalg.solve(normal, right).reshape(3, BASIS).T
        level = np.stack([A @ light[:, c] for c, A in enumerate(systems)], axis=1)
        size = np.abs(colour - level) / np.maximum(level, _DARK * a)
        # Hair, brows and beards are far off, and count almost nothing.
        robust = 1 / (1 + (size.max(axis=1) / _INLIER) ** 2)
    return light


def _gain(lights: Sequence[Array64], tone: Array64, prior: LightPrior) -> Array64:
    """(3,) by how much all lights are stronger than they are taken to be, and the skin darker.

    The gain that makes lights and tone (3,), a logarithm over the mean skin's, the most likely together.
    """
    mean, precision = tone_prior()
    normal, right = precision.copy(), precision @ (tone - mean)
    exposures = np.log(np.stack([exposure(light) for light in lights]))
    share = len(lights) ** _COMMON
    normal += share * prior.exposure_precision
    right += share * prior.exposure_precision @ (prior.exposure - exposures.mean(axis=0))
    gain: Array64 = np.exp(np.clip(np.linalg.solve(normal, right), -0.5, 0.5))
    return gain


def _deviation(samples: Sequence[Sample], lights: Sequence[Array64], mean_skin: Array64) -> tuple[Array64, Array64]:
    """(S, 3) log of the views' mean albedo over the mean skin's, and (S,) how many views make it."""
    total = np.zeros_like(mean_skin)
    weight = np.zeros(len(mean_skin))
    squares = np.zeros(len(mean_skin))
    for sample, light in zip(samples, lights, strict=True):
        albedo = unlit(sample.colour, sample.transfer @ light, sample.gloss @ light)
        total += sample.weight[:, None] * np.log(albedo / np.maximum(mean_skin, 1e-3))
        weight += sample.weight
        squares += sample.weight**2
    seen = weight > 0
    total[seen] /= weight[seen, None]
    count = np.zeros_like(weight)
    count[seen] = weight[seen] ** 2 / squares[seen]
    return total, count
