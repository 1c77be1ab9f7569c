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

#: Order of each; those below 0 change their sign when left and right are exchanged.
ORDERS = np.concatenate([np.arange(-degree, degree + 1) for degree in range(5)])

#: What the cosine makes of a unit of each (Ramamoorthi and Hanrahan 2001).
_COSINE = np.array([1.0, 2 / 3, 1 / 4, 0.0, -1 / 24])[DEGREES]

#: What skin reflects straight on, for a refractive index of 1.4, and how rough it is: its micro-facets' slopes are the
#: square of it.
REFLECTANCE, ROUGHNESS = 0.028, 0.55

#: The least cosine to the line of sight that gloss is told for.
_LEAST_FACING = 0.1


def transfer(
    vertices: NDArray[Any], faces: NDArray[Any], normals: Array64, T_world_cam: Array64
) -> tuple[Array64, Array64]:
    """T and G of a posed head: (V, BASIS) float64 each; light l gives the radiance ``a T l + G l``.

    Light is held in the camera's axes, turned over: x to the right, y up, z towards the camera.

    :param vertices: (V, 3), metres, world.
    :param normals: (V, 3), unit, world.
    :param T_world_cam: (4, 4), the camera.
    """
    sky = fibonacci_sphere(DIRECTIONS)
    in_camera: Array64 = sky @ T_world_cam[:3, :3] * np.array([1.0, -1.0, -1.0])
    basis = harmonics(in_camera)
    cosines = normals @ sky.T
    vertex, direction = np.nonzero(cosines > 0.02)
    free = Occluder(vertices, faces).is_free(vertices[vertex] + 5e-4 * normals[vertex], sky[direction])
    vertex, direction = vertex[free], direction[free]
    cosine = cosines[vertex, direction]
    kept = np.zeros_like(cosines)
    kept[vertex, direction] = cosine
    matt: Array64 = kept @ basis * (4 / DIRECTIONS)
    sight = T_world_cam[:3, 3] - vertices
    sight /= np.linalg.norm(sight, axis=1, keepdims=True)
    facing = np.clip((normals * sight).sum(axis=1), _LEAST_FACING, 1)
    half = sight[vertex] + sky[direction]
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    kept[vertex, direction] = _reflected(
        cosine, facing[vertex], (half * normals[vertex]).sum(axis=1), (half * sight[vertex]).sum(axis=1)
    )
    glossy: Array64 = kept @ basis * (4 * np.pi / DIRECTIONS)
    return matt, glossy


def _reflected(light: Array64, sight: Array64, half: Array64, tilt: Array64) -> Array64:
    """What a rough surface mirrors of a radiance, per solid angle: its BRDF times the cosine to the light.

    Cosines, all above 0: of the light, the line of sight and the half vector to the normal; of the half vector to the
    line of sight. Cook and Torrance's model with the distribution and the shadowing of Walter et al. 2007 (GGX), and
    Schlick's Fresnel term.
    """
    squared = ROUGHNESS**4
    distribution = squared / (np.pi * (half**2 * (squared - 1) + 1) ** 2)
    shadowing = 1.0
    for cosine in (light, sight):
        shadowing = shadowing * 2 * cosine / (cosine + np.sqrt(squared + (1 - squared) * cosine**2))
    fresnel = REFLECTANCE + (1 - REFLECTANCE) * (1 - np.clip(tilt, 0, 1)) ** 5
    result: Array64 = distribution * shadowing * fresnel / (4 * sight)
    return result


def irradiance_of(normals: Array64) -> Array64:
    """(N, BASIS): the irradiance over pi of free surfaces of unit normals (N, 3), per coefficient."""
    result: Array64 = harmonics(normals) * _COSINE
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
