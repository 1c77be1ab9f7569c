"""The light of a sequence: surroundings and three lamps, balanced so that skin is well exposed.

Conventions: CONVENTIONS.md; the head is at the world's origin and looks along +z, towards the camera.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import luminance
from ffngen.appearance.hdri import irradiance

Array64 = NDArray[np.float64]
Vector = tuple[float, float, float]

#: Irradiance over pi that the front of a face receives on average: a white sheet there would be at 0.95 of white.
FACE_EXPOSURE = 0.95

#: No part of the face that the camera sees receives more than this over pi, so that light skin does not clip.
BRIGHTEST = 1.3

#: The least level of the key light, where the surroundings alone already light a part of the face fully.
_LEAST_KEY = 0.05


@dataclass(frozen=True)
class AreaLight:
    """A round lamp that shines one way.

    :param position: metres, world.
    :param target: metres, world: what its axis points at.
    :param size: diameter, metres.
    :param power: watts in Blender's sense: a facing surface at distance d, far against the lamp's size,
        receives the irradiance ``power / (pi d^2)``.
    :param color: linear sRGB, of unit luminance.
    """

    position: Vector
    target: Vector
    size: float
    power: float
    color: Vector


@dataclass(frozen=True)
class Lighting:
    """All light of a scene, as bright as the picture's exposure needs it: 1 is white.

    :param hdri: a name of :data:`ffngen.appearance.hdri.HDRIS`.
    :param rotation: radians, how the surroundings are turned about the vertical
        (:func:`ffngen.appearance.hdri.equirectangular`); a background cropped with this yaw shows what is behind.
    :param strength: factor of the surroundings' radiance.
    :param area_lights: the lamps.
    """

    hdri: str
    rotation: float
    strength: float
    area_lights: tuple[AreaLight, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)


def sample_lighting(
    rng: np.random.Generator, hdri: str, *, strength: float = 1.0, area_lights: bool = True
) -> Lighting:
    """Draw a lighting: the direction of the surroundings, and a key, a fill and a rim light of their colour.

    The surroundings and the lamps share the face's exposure; how much each gives is drawn too.

    :param hdri: a name of :data:`ffngen.appearance.hdri.HDRIS`.
    :param strength: factor of the surroundings; 1 exposes skin normally.
    :param area_lights: whether there are lamps; without them the surroundings give all light.
    :raises JobError, MissingPackageError, InputFileError: as :func:`ffngen.appearance.hdri.load_hdri`.
    """
    rotation = float(rng.uniform(-np.pi, np.pi))
    normals = _face_normals()
    received = irradiance(hdri, rotation, normals) / np.pi
    ambient = luminance(received)
    lamp_share = float(rng.uniform(0.30, 0.50)) if area_lights else 0.0
    # The brightest part is bound as well: a low sun may light one cheek alone.
    scale = float((1 - lamp_share) * min(FACE_EXPOSURE / ambient.mean(), BRIGHTEST / ambient.max()))
    lamps = _sample_lamps(rng, normals, ambient * scale, received.mean(axis=0)) if area_lights else ()
    return Lighting(hdri=hdri, rotation=rotation, strength=scale * strength, area_lights=lamps)


def _sample_lamps(
    rng: np.random.Generator, normals: Array64, ambient: Array64, light: Array64
) -> tuple[AreaLight, AreaLight, AreaLight]:
    """Key, fill and rim light that bring the face to its exposure.

    :param ambient: (K,) what surfaces of the ``normals`` (K, 3) receive already, over pi.
    :param light: (3,) its mean colour.
    """
    side = 1.0 if rng.random() < 0.5 else -1.0
    key = _place(rng, side, azimuth=(20, 50), elevation=(12, 42), distance=(0.9, 1.3))
    fill = _place(rng, -side, azimuth=(30, 60), elevation=(-5, 20), distance=(1.1, 1.6))
    rim = _place(rng, -side, azimuth=(140, 165), elevation=(15, 45), distance=(0.9, 1.3))
    fill_ratio, rim_ratio = float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.4, 1.1))
    color = _tint(light, rng)
    gain = _cosines(normals, key) + fill_ratio * _cosines(normals, fill)
    room = float(((BRIGHTEST - ambient) / np.maximum(gain, 1e-3)).min())
    level = max(min(float((FACE_EXPOSURE - ambient.mean()) / gain.mean()), room), _LEAST_KEY)
    return (
        _lamp(key, float(rng.uniform(0.25, 0.7)), level, color),
        _lamp(fill, float(rng.uniform(0.25, 0.7)), level * fill_ratio, color),
        _lamp(rim, float(rng.uniform(0.25, 0.7)), level * rim_ratio, color),
    )


def _cosines(normals: Array64, place: Array64) -> Array64:
    """(K,) the share of a lamp's light at ``place`` that surfaces of the normals (K, 3) at the origin receive."""
    toward = place / np.sqrt((place * place).sum())
    cosines: Array64 = np.maximum((normals * toward).sum(axis=1), 0)
    return cosines


def _lamp(place: Array64, size: float, level: float, color: Vector) -> AreaLight:
    """A lamp that gives a facing surface at the origin an irradiance of ``level * pi``."""
    x, y, z = place.tolist()
    power = level * np.pi * np.pi * float((place * place).sum())
    return AreaLight(position=(x, y, z), target=(0.0, 0.0, 0.0), size=size, power=power, color=color)


def _place(
    rng: np.random.Generator,
    side: float,
    azimuth: tuple[float, float],
    elevation: tuple[float, float],
    distance: tuple[float, float],
) -> Array64:
    """A place (3,) seen from the head: degrees from the camera's direction to one side, degrees up, metres."""
    around = np.radians(rng.uniform(*azimuth)) * side
    up = np.radians(rng.uniform(*elevation))
    radius = rng.uniform(*distance)
    place: Array64 = np.array([np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)]) * radius
    return place


def _tint(light: Array64, rng: np.random.Generator) -> Vector:
    """A lamp's colour: between the surroundings' and white, of unit luminance."""
    own = light / luminance(light)
    mixed = 1 + rng.uniform(0.25, 0.6) * (own - 1)
    red, green, blue = (mixed / luminance(mixed)).tolist()
    return red, green, blue


def _face_normals() -> Array64:
    """(K, 3) unit normals of the parts of a face that a camera in front of it sees well."""
    angles = np.radians([-50, -25, 0, 25, 50])
    around, up = np.meshgrid(angles, np.radians([-25, 0, 25]))
    normals = np.stack([np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)], axis=-1)
    flat: Array64 = normals.reshape(-1, 3)
    return flat
