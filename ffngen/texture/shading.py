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
from ffngen.appearance.look import NATURAL_HAIR
from ffngen.texture.light import BASIS
from ffngen.texture.light_prior import LightPrior, exposure, light_prior
from ffngen.texture.mean_skin import tone_prior

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Relative deviation from the mean skin up to which a texel counts fully.
_INLIER, _INLIER_HAIR = 0.12, 0.25

#: As many texels' worth of independent measurements a view is: skin's mottling is alike over a centimetre.
_INDEPENDENT = 150

#: Of how many views' worth the lights of several views are evidence of what is common to them, as a power of their
#: number: pictures of a person are often taken in one place.
_COMMON = 0.5

#: The irradiance that is divided by is at least this share of the face's mean, and at most this multiple.
LEAST_LIGHT, MOST_LIGHT = 0.22, 2.5

#: How much texels of the scalp count against the face's; and after so many rounds of the face alone.
_SCALP, _FACE_ALONE = 0.5, 2

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


@dataclass(frozen=True)
class SkinModel:
    """What is known of S texels before they are seen.

    :param pattern: (S, 3) albedo of a mean skin, linear; its tone does not count.
    :param bare: (S,) from 0 to 1: how sure it is that nothing grows there.
    :param scalp: (S,) bool: where hair grows, if any does: of one colour.
    """

    pattern: Array64
    bare: Array64
    scalp: NDArray[np.bool_]

    @property
    def inlier(self) -> Array64:
        """(S,) relative deviation up to which a texel counts fully."""
        return np.where(self.scalp, _INLIER_HAIR, _INLIER)


@dataclass(frozen=True)
class Estimate:
    """Of a person's pictures.

    :param lights: (BASIS, 3) of each view.
    :param tone: (3,) the median albedo of the face.
    :param hair: (3,) the albedo of the hair; None for a bald head.
    """

    lights: list[Array64]
    tone: Array64
    hair: Array64 | None


def estimate_light(samples: Sequence[Sample], skin: SkinModel) -> Estimate:
    """The light of each view: (BASIS, 3) coefficients, so that ``transfer @ light`` is the irradiance over pi."""
    prior = light_prior()
    base, own = skin.pattern, np.zeros_like(skin.pattern)
    tone, hair = np.ones(3), None
    lights = [prior.mean.copy() for _ in samples]
    for round_ in range(_ROUNDS):
        if round_:
            albedo = np.clip(base * np.exp(own), 1e-3, 0.95)
            sure = np.where(skin.scalp, _SCALP if round_ > _FACE_ALONE else 0.0, skin.bare)
            lights = [_fit(sample, albedo, prior, sure, skin.inlier)[0] for sample in samples]
        deviation, count = _deviation(samples, lights, skin.pattern)
        known = (count > 0) & ~skin.scalp
        tone = np.exp(np.median(deviation[known & (skin.bare > 0.5)], axis=0))
        gain = _gain(lights, np.log(tone), prior)
        lights = [light * gain for light in lights]
        deviation -= np.log(gain)
        tone /= gain
        base = skin.pattern * tone
        if round_ == _FACE_ALONE:
            hair = _hair(samples, skin, base, np.clip(base * np.exp(own), 1e-3, 0.95), prior)
        if hair is not None:
            base[skin.scalp] = hair
        # What one view shows may be the light as well as the skin; what several agree on is the skin.
        trust = np.where(count > 0, (count - 1) / np.maximum(count, 1), 0)[:, None]
        trust = np.where(skin.scalp[:, None], 0.5, 1) * trust
        own = np.clip(deviation - np.log(base / skin.pattern), -1.5, 1.5) * trust
    return Estimate(lights, np.median(skin.pattern[known], axis=0) * tone, hair)


def _hair(
    samples: Sequence[Sample], skin: SkinModel, bald: Array64, albedo: Array64, prior: LightPrior
) -> Array64 | None:
    costs = []
    for colour in [None, *NATURAL_HAIR]:
        trial = albedo.copy()
        trial[skin.scalp] = bald[skin.scalp] if colour is None else colour
        sure = np.where(skin.scalp, _SCALP, skin.bare)
        costs.append(sum(_fit(sample, trial, prior, sure, skin.inlier)[1] for sample in samples))
    best = int(np.argmin(costs))
    if DEBUG: print("   hair costs", np.round(costs, 1), best)
    return None if best == 0 else np.array(NATURAL_HAIR[best - 1])


DEBUG = False


def unlit(colour: NDArray[Any], irradiance: NDArray[Any], gloss: NDArray[Any]) -> Array32:
    """Albedo (N, 3) float32 of colours (N, 3) under irradiances over pi (N, 3), less their gloss (N, 3); bounded."""
    bounded = np.clip(irradiance, LEAST_LIGHT * FACE_EXPOSURE, MOST_LIGHT * FACE_EXPOSURE)
    # Gloss that is guessed too strong must not leave a hole.
    body = np.maximum(colour - gloss, 0.3 * colour)
    albedo: Array32 = np.clip(body / bounded, 0.004, 0.95).astype(np.float32)
    return albedo


def _fit(
    sample: Sample, albedo: Array64, prior: LightPrior, sure: Array64, inlier: Array64
) -> tuple[Array64, float]:
    """Light (BASIS, 3) under which skin of an albedo (S, 3) looks like a view, and minus the logarithm of its
    likelihood; texels that do not fit count less."""
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


def _gain(lights: Sequence[Array64], tone: Array64, prior: LightPrior) -> Array64:
    """(3,) by how much all lights are stronger than they are taken to be, and the skin darker.

    The gain that makes lights and tone (3,), a logarithm over the mean skin's, the most likely together.
    """
    mean, precision = tone_prior()
    normal, right = precision.copy(), precision @ (tone - mean)
    exposures = np.log(np.stack([exposure(light) for light in lights]))
    share = len(lights) ** _COMMON
    normal += share * prior.exposure_precision
    right += share * prior.exposure_precision @ (np.log(FACE_EXPOSURE) - exposures.mean(axis=0))
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
