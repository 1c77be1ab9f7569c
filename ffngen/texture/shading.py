"""Telling a face's colour from the light on it.

Every view has light of its own, all views one skin. A view's picture is ``I = a E + G``: albedo times irradiance over
pi, and the gloss, both linear in the 25 numbers per colour channel that are the light
(:mod:`ffngen.texture.light`). What is known of the light is how faces are lit (:mod:`ffngen.texture.light_prior`); what
is known of a is a mean skin (cheeks, lips and nose redder than the forehead), whose tone two pigments make, and that it
is the same in all views. The numbers follow by robust least squares, in turn with the skin's own deviation from the
mean. Where a beard may grow, the picture hardly tells of the light: a beard is no shadow. The scalp is of one of the
natural colours of hair, or bare.

Whether skin is dark or light is dim, no picture tells: there pictures are taken to be exposed as is usual, so that the
brightest part of a face is not white. The colour of the light is told from that of skin as far as no pigment has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.lighting import FACE_EXPOSURE
from ffngen.appearance.look import NATURAL_HAIR
from ffngen.texture.light_fit import Sample, fit_light
from ffngen.texture.light_prior import LightPrior, exposure, light_prior
from ffngen.texture.mean_skin import tone_prior

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Relative deviation from the mean skin, and from the hair's colour, up to which a texel counts fully.
_INLIER, _INLIER_HAIR = 0.12, 0.25

#: Of how many views' worth the lights of several views are evidence of what is common to them, as a power of their
#: number: pictures of a person are often taken in one place.
_COMMON = 0.5

#: The irradiance that is divided by is at least this share of the face's mean, and at most this multiple.
LEAST_LIGHT, MOST_LIGHT = 0.22, 2.5

#: How much texels of the scalp count against the face's, and from which round on: first the face alone is fitted.
_SCALP, _FACE_ALONE = 0.5, 2

#: The share of a scalp's deviation from the hair's one colour that is its own, and not the light's.
_OWN_SCALP = 0.5

#: Shades of natural colours of hair.
_SHADES = np.array([0.6, 0.77, 1.0, 1.3, 1.65])

#: Texels of the scalp that must be seen for its colour to count.
_LEAST_SEEN = 50

#: What hair's differences between channels deviate by: gloss's tint, as a share of the colour seen, and the scalp's
#: irradiance over the face's, as a share of the difference; and as how many measurements a view counts.
_GLOSS_TINT, _IRRADIANCE, _INDEPENDENT_HAIR = 0.15, 0.5, 2.0

_ROUNDS = 6


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
    """The light of each view: coefficients, so that ``transfer @ light`` is the irradiance over pi.

    :raises MissingPackageError: bpy, which the surroundings come with, is not installed.
    """
    prior = light_prior()
    base, own = skin.pattern, np.zeros_like(skin.pattern)
    tone, hair = np.ones(3), None
    lights = [prior.mean.copy() for _ in samples]
    for round_ in range(_ROUNDS):
        if round_:
            albedo = np.clip(base * np.exp(own), 1e-3, 0.95)
            sure = np.where(skin.scalp, _SCALP if round_ > _FACE_ALONE else 0.0, skin.bare)
            lights = [fit_light(sample, albedo, prior, sure, skin.inlier)[0] for sample in samples]
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
        trust = np.where(skin.scalp[:, None], _OWN_SCALP, 1) * trust
        own = np.clip(deviation - np.log(base / skin.pattern), -1.5, 1.5) * trust
    return Estimate(lights, np.median(skin.pattern[known], axis=0) * tone, hair)


def _hair(
    samples: Sequence[Sample], skin: SkinModel, bald: Array64, albedo: Array64, prior: LightPrior
) -> Array64 | None:
    """The albedo (3,) of the hair under which the views are the most likely; None where a bald head's is more so.

    Shiny black hair and matt grey hair look alike from one side; that one light makes the gloss and lights the skin
    tells them apart. Gloss has no colour of its own, so that the difference between channels is the hair's.

    :param bald: (S, 3) albedo of the person without hair; ``albedo`` (S, 3) as it is known so far.
    """
    sure = np.where(skin.scalp, _SCALP, skin.bare)

    def cost(colour: Array64 | None) -> float:
        trial = albedo.copy()
        trial[skin.scalp] = bald[skin.scalp] if colour is None else colour
        fitted = [fit_light(sample, trial, prior, sure, skin.inlier) for sample in samples]
        return sum(
            value + _saturation_cost(sample, light, skin.scalp, trial)
            for sample, (light, value) in zip(samples, fitted, strict=True)
        )

    natural = np.array(NATURAL_HAIR)
    best: Array64 = min(natural, key=cost)
    best = min(_SHADES[:, None] * best, key=cost)
    return None if cost(None) <= cost(best) else best


def _saturation_cost(sample: Sample, light: Array64, scalp: NDArray[np.bool_], albedo: Array64) -> float:
    """How unlikely the differences between a view's channels are for hair of an albedo (S, 3), shiny or not."""
    seen = scalp & (sample.weight > 0)
    if seen.sum() < _LEAST_SEEN:
        return 0.0
    colour = sample.colour[seen] / exposure(light)
    observed, expected = (np.median(part[:, :2] - part[:, 1:], axis=0) for part in (colour, albedo[seen]))
    spread = _GLOSS_TINT * float(np.median(colour)) + _IRRADIANCE * np.abs(expected)
    return 0.5 * _INDEPENDENT_HAIR * float(np.square((observed - expected) / spread).sum())


def unlit(colour: NDArray[Any], irradiance: NDArray[Any], gloss: NDArray[Any]) -> Array32:
    """Albedo (N, 3) float32 of colours (N, 3) under irradiances over pi (N, 3), less their gloss (N, 3); bounded."""
    bounded = np.clip(irradiance, LEAST_LIGHT * FACE_EXPOSURE, MOST_LIGHT * FACE_EXPOSURE)
    # Gloss that is guessed too strong must not leave a hole.
    body = np.maximum(colour - gloss, 0.3 * colour)
    albedo: Array32 = np.clip(body / bounded, 0.004, 0.95).astype(np.float32)
    return albedo


def _gain(lights: Sequence[Array64], tone: Array64, prior: LightPrior) -> Array64:
    """(3,) by how much all lights are stronger than they are taken to be, and the skin darker.

    The gain that makes lights and tone (3,), a logarithm over the mean skin's, the most likely together.
    """
    mean, precision = tone_prior()
    normal, right = precision.copy(), precision @ (tone - mean)
    exposures = np.log(np.stack([exposure(light) for light in lights]))
    share = len(lights) ** _COMMON
    normal += share * prior.exposure_precision
    right -= share * prior.exposure_precision @ exposures.mean(axis=0)
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
