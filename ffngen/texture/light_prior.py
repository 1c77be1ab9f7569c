"""How faces are lit: the light that is taken for likely before a picture is seen.

Portraits are lit from above rather than from below, from the front rather than from behind, and hardly in green. The
mean and the covariance of the light's coefficients (:mod:`ffngen.texture.light`) are those of the lights that
:func:`ffngen.appearance.lighting.sample_lighting` draws, over all surroundings and rigs. Directions are the camera's:
x to the right, y up, z towards the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import luminance
from ffngen.appearance.hdri import HDRIS, light_cells
from ffngen.appearance.lighting import BRIGHTEST, FACE_EXPOSURE, Lighting, face_normals, sample_lighting
from ffngen.appearance.rigs import RIGS
from ffngen.texture.light import BASIS, ORDERS, harmonics, irradiance_of

Array64 = NDArray[np.float64]

#: Lights that are drawn per surroundings and rig.
_DRAWS = 6

#: By how much surroundings are brighter or darker than they should be, as the scene's presets have it.
_STRENGTH = (0.8, 1.2)

#: Standard deviation of what the draws leave out, per coefficient: other rooms than eight.
_UNSEEN = 0.04


@dataclass(frozen=True)
class LightPrior:
    """A normal distribution.

    :param mean: (BASIS, 3).
    :param precision: (3 BASIS, 3 BASIS), of the coefficients channel by channel.
    :param exposure_precision: (3, 3), of the logarithm of :func:`exposure`, whose mean is taken for 0.
    """

    mean: Array64
    precision: Array64
    exposure_precision: Array64


@lru_cache(maxsize=1)
def light_prior() -> LightPrior:
    """The prior.

    :raises MissingPackageError: bpy, which the surroundings come with, is not installed.
    """
    rng = np.random.default_rng(0)
    lights = []
    for hdri in HDRIS:
        directions, power = light_cells(hdri)
        surroundings = harmonics(directions).T @ power / (4 * np.pi)
        for rig in RIGS:
            for _ in range(_DRAWS):
                drawn = sample_lighting(rng, hdri, strength=float(rng.uniform(*_STRENGTH)), rig=rig)
                lights.append(coefficients(drawn, surroundings))
    drawn_lights = np.stack(lights)
    # Left is as likely as right.
    mirrored = drawn_lights * np.where(ORDERS < 0, -1, 1)[:, None]
    drawn_lights = np.concatenate([drawn_lights, mirrored])
    flat = drawn_lights.transpose(0, 2, 1).reshape(len(drawn_lights), -1)
    covariance = np.cov(flat.T) + _UNSEEN**2 * np.eye(3 * BASIS)
    exposures = np.log(np.stack([exposure(light) for light in drawn_lights]))
    return LightPrior(drawn_lights.mean(axis=0), np.linalg.inv(covariance), np.linalg.inv(np.cov(exposures.T)))


def coefficients(lighting: Lighting, surroundings: Array64) -> Array64:
    """(BASIS, 3) of a lighting, whose surroundings have the given coefficients before they are turned."""
    light = lighting.strength * _turned(surroundings, lighting.rotation)
    for lamp in lighting.area_lights:
        position = np.array(lamp.position)
        squared = float(position @ position)
        # What falls onto a facing surface, from about one direction.
        received = lamp.power / (np.pi * squared) * np.array(lamp.color)
        light += harmonics(position[None] / np.sqrt(squared)).T @ received[None] / (4 * np.pi)
    return light


def _turned(light: Array64, rotation: float) -> Array64:
    """Surroundings turned about the vertical, as :func:`ffngen.appearance.hdri.equirectangular` turns them."""
    result = np.empty_like(light)
    for k, order in enumerate(ORDERS):
        other = k - 2 * order
        result[k] = np.cos(order * rotation) * light[k] + np.sin(order * rotation) * light[other]
    return result


def exposure(light: Array64) -> Array64:
    """(3,) how brightly a light (BASIS, 3) exposes a face: 1 as pictures are wont to.

    That is the irradiance over pi in the mean over the parts of a face that face the camera, over what is usual: less,
    the more of the light falls on one side, as that side must not be more than white.
    """
    received = np.maximum(irradiance_of(face_normals()) @ light, 0)
    bright = luminance(received)
    mean, most = max(float(bright.mean()), 1e-3), max(float(bright.max()), 1e-3)
    usual = min(FACE_EXPOSURE, BRIGHTEST * mean / most)
    relative: Array64 = np.maximum(received.mean(axis=0), 1e-3) / usual
    return relative
