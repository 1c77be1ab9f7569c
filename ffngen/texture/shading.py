"""Telling a face's colour from the light on it.

Every view has light of its own, all views one skin. A view's picture is ``I = a E + G``: albedo times irradiance over
pi, and the gloss, both linear in the 25 numbers per colour channel that are the light
(:mod:`ffngen.texture.light`). What is known of a is a mean skin (cheeks, lips and nose redder than the forehead) and
that it is the same in all views; the numbers follow by robust least squares, in turn with the skin's own deviation
from the mean.

One thing no picture tells: whether skin is dark or light is dim. The pictures' exposure and white balance are taken
for right: over the parts of a face that look at the camera, the light of all views averages to white of
:data:`ffngen.appearance.lighting.FACE_EXPOSURE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.lighting import FACE_EXPOSURE
from ffngen.geometry.camera import Camera
from ffngen.geometry.sphere import fibonacci_sphere
from ffngen.texture.light import BASIS, DEGREES, harmonics

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Relative deviation from the mean skin up to which a texel counts fully.
_INLIER = 0.2

#: How strongly the light is held to be even, per degree of the harmonics, in texels' worth per texel.
_EVENNESS = np.array([0.0, 0.0005, 0.001, 0.002, 0.002])[DEGREES]

#: The irradiance that is divided by is at least this share of the face's mean, and at most this multiple.
LEAST_LIGHT, MOST_LIGHT = 0.22, 2.5

_ROUNDS, _REWEIGHTINGS = 6, 4


#: From where no skin is lit, as many texels' worth of this share of the mean light are assumed per texel: a chin is lit
#: from below by something, though no part of a face that is sure to be bare says by what.
_ASSUMED, _ASSUMED_LEVEL = 0.003, 0.6

#: What the cosine makes of a unit of each degree (Ramamoorthi and Hanrahan 2001).
_COSINE = np.array([1.0, 2 / 3, 1 / 4, 0.0, -1 / 24])[DEGREES]

#: Irradiance over pi, per harmonic, of free surfaces that face every way.
_ALL_WAYS = harmonics(fibonacci_sphere(64)) * _COSINE


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


def estimate_light(
    samples: Sequence[Sample], mean_skin: Array64, cameras: Sequence[Camera]
) -> tuple[list[Array64], Array64]:
    """The light of each view: (BASIS, 3) coefficients, so that ``transfer @ light`` is the irradiance over pi.

    :param mean_skin: (S, 3) albedo of a mean skin at the texels, linear; only its pattern counts, not its tone.
    :returns: the lights, and the median albedo (3,) of the skin that is seen.
    """
    own = np.zeros_like(mean_skin)
    tone, known = np.ones(3), np.ones(len(mean_skin), dtype=bool)
    lights: list[Array64] = []
    for _ in range(_ROUNDS):
        albedo = np.maximum(mean_skin * tone * np.exp(own), 1e-3)
        lights = [_fit(sample, albedo) for sample in samples]
        gain = _exposure(lights, cameras) / FACE_EXPOSURE
        lights = [light / gain for light in lights]
        deviation, count = _deviation(samples, lights, mean_skin)
        known = count > 0
        tone = np.exp(np.median(deviation[known], axis=0))
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


def _fit(sample: Sample, albedo: Array64) -> Array64:
    """Light (BASIS, 3) under which skin of an albedo (S, 3) looks like a view; texels that do not fit count less."""
    light = np.zeros((BASIS, 3))
    light[0] = FACE_EXPOSURE
    seen = sample.weight > 0
    if not seen.any():
        return light
    w, target = sample.weight[seen], sample.colour[seen] / albedo[seen]
    # Per channel, for gloss has no colour of the skin's.
    systems = [sample.transfer[seen] + sample.gloss[seen] / albedo[seen, c, None] for c in range(3)]
    robust = np.ones_like(w)
    for _ in range(_REWEIGHTINGS):
        ridge = np.diag(_EVENNESS) * (w * robust).sum()
        assumed = _ASSUMED * (w * robust).sum() / len(_ALL_WAYS)
        size = np.zeros_like(w)
        for c, A in enumerate(systems):
            weighted = A * (w * robust)[:, None]
            level = _ASSUMED_LEVEL * np.average(target[:, c] / A[:, 0], weights=w * robust)
            light[:, c] = np.linalg.solve(
                weighted.T @ A + ridge + assumed * _ALL_WAYS.T @ _ALL_WAYS,
                weighted.T @ target[:, c] + assumed * level * _ALL_WAYS.sum(axis=0),
            )
            expected = A @ light[:, c]
            np.maximum(size, np.abs(target[:, c] - expected) / np.maximum(expected, 0.1 * FACE_EXPOSURE), out=size)
        # Hair, brows and beards are far off, and count almost nothing.
        robust = 1 / (1 + (size / _INLIER) ** 2)
    return light


def _exposure(lights: Sequence[Array64], cameras: Sequence[Camera]) -> Array64:
    """(3,) the mean irradiance over pi, over views and the parts of a face that look at the camera."""
    angles = np.radians([-50, -25, 0, 25, 50])
    around, up = np.meshgrid(angles, np.radians([-25, 0, 25]))
    local = np.stack([np.sin(around) * np.cos(up), -np.sin(up), -np.cos(around) * np.cos(up)], axis=-1).reshape(-1, 3)
    mean = np.zeros(3)
    for light, camera in zip(lights, cameras, strict=True):
        normals = local @ camera.T_world_cam[:3, :3].T
        mean += np.maximum(harmonics(normals) * _COSINE @ light, 0).mean(axis=0) / len(lights)
    return np.maximum(mean, 1e-3)


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
