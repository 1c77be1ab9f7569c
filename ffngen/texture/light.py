"""The light on a face: low-order spherical harmonics, with the shadows that a head throws on itself.

The irradiance at a vertex, over pi, is linear in the coefficients l of the surroundings' radiance:

    E(x) = sum_k T_k(x) l_k,    T_k(x) = 1/pi * integral of V(x, w) max(n(x) . w, 0) Y_k(w) dw

with V = 0 where the head itself hides the direction w (precomputed radiance transfer: Sloan, Kautz and Snyder 2002).
The gloss of skin is linear in them too: light that comes from about the mirrored line of sight, which a rough surface
blurs to a few degrees of the harmonics.

Without V this is the usual lighting by normals (Ramamoorthi and Hanrahan 2001); with it, sockets, nostrils and the
neck below the chin are dark because they see little, and not because their skin is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import sph_harm_y

from ffngen.geometry.sphere import fibonacci_sphere
from ffngen.texture.occlusion import Occluder

Array64 = NDArray[np.float64]

#: Directions over the whole sphere. 256 leave 2% of noise in a transfer, which smoothing over the surface takes away.
DIRECTIONS = 256

#: Degree of each harmonic. By normals alone degrees above 2 say nothing (their cosine is 0 or nearly); with shadows and
#: gloss they do.
DEGREES = np.repeat(np.arange(5), [1, 3, 5, 7, 9])
BASIS = len(DEGREES)

#: What skin reflects straight on, for a refractive index of 1.4, and at a grazing angle, where roughness shadows it.
REFLECTANCE, ROUGH_GRAZING = 0.028, 0.35

#: What a lobe of skin's roughness leaves of each degree.
_BLUR = np.array([1.0, 0.8, 0.5, 0.25, 0.1])[DEGREES]


def transfer(vertices: NDArray[Any], faces: NDArray[Any], normals: Array64) -> Array64:
    """T: (V, BASIS) float64, of a posed head in the world.

    :param vertices: (V, 3), metres.
    :param normals: (V, 3), unit.
    """
    sky = fibonacci_sphere(DIRECTIONS)
    cosines = normals @ sky.T
    vertex, direction = np.nonzero(cosines > 0.02)
    free = Occluder(vertices, faces).is_free(vertices[vertex] + 5e-4 * normals[vertex], sky[direction])
    kept = np.zeros_like(cosines)
    kept[vertex, direction] = cosines[vertex, direction] * free
    result: Array64 = kept @ harmonics(sky) * (4 / DIRECTIONS)
    return result


def gloss(points: NDArray[Any], normals: Array64, openness: Array64, eye: Array64) -> Array64:
    """(V, BASIS) float64: the radiance that is mirrored to a camera, per coefficient, of a surface of any colour.

    :param points: (V, 3), metres; ``normals``: (V, 3), unit.
    :param openness: (V,) the share of the sky that is seen, weighted by the cosine: ``transfer[:, 0]``.
    :param eye: (3,), metres: the camera's position.
    """
    sight = eye - points
    sight = sight / np.linalg.norm(sight, axis=1, keepdims=True)
    cosine = np.clip((normals * sight).sum(axis=1, keepdims=True), 0, 1)
    mirrored = 2 * cosine * normals - sight
    fresnel = REFLECTANCE + (ROUGH_GRAZING - REFLECTANCE) * (1 - cosine) ** 5
    result: Array64 = fresnel * np.clip(openness, 0, 1)[:, None] * harmonics(mirrored) * _BLUR
    return result


def harmonics(directions: Array64) -> Array64:
    """Real spherical harmonics (N, BASIS) of unit vectors (N, 3), by degree; scaled so that the first is 1."""
    polar, around = np.arccos(np.clip(directions[:, 1], -1, 1)), np.arctan2(directions[:, 0], directions[:, 2])
    values = []
    for degree in range(int(DEGREES.max()) + 1):
        for order in range(-degree, degree + 1):
            wave = sph_harm_y(degree, abs(order), polar, around)
            part = wave.real if order >= 0 else wave.imag
            values.append(part * np.sqrt(4 * np.pi) * (np.sqrt(2) if order else 1))
    return np.stack(values, axis=1)
