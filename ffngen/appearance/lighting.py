"""The light of a sequence: surroundings and three lamps, balanced so that skin is well exposed.

Conventions: CONVENTIONS.md; the head is at the world's origin and looks along +z, towards the camera.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import LUMINANCE
from ffngen.appearance.hdri import irradiance

Array64 = NDArray[np.float64]
Vector = tuple[float, float, float]

#: Irradiance over pi that the front of a face receives on average: a white sheet there would be at 0.95 of white.
FACE_EXPOSURE = 0.95

#: No part of the face that the camera sees receives more than this over pi, so that light skin does not clip.
BRIGHTEST = 1.3


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
    """All light of a scene.

    :param hdri: a name of :data:`ffngen.appearance.hdri.HDRIS`.
    :param rotation: radians, how the surroundings are turned about the vertical
        (:func:`ffngen.appearance.hdri.equirectangular`); a background cropped with this yaw shows what is behind.
    :param strength: factor of the surroundings' radiance.
    :param area_lights: the lamps.
    :param exposure: factor of the picture's linear values before they are encoded as sRGB.
    """

    hdri: str
    rotation: float
    strength: float
    area_lights: tuple[AreaLight, ...]
    exposure: float

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
    """
    rotation = float(rng.uniform(-np.pi, np.pi))
    key_share = float(rng.uniform(0.30, 0.50))
    side = 1.0 if rng.random() < 0.5 else -1.0
    key = _place(rng, side, azimuth=(20, 50), elevation=(12, 42), distance=(0.9, 1.3))
    fill = _place(rng, -side, azimuth=(30, 60), elevation=(-5, 20), distance=(1.1, 1.6))
    rim = _place(rng, -side, azimuth=(140, 165), elevation=(15, 45), distance=(0.9, 1.3))
    fill_ratio = float(rng.uniform(0.25, 0.5))
    rim_ratio = float(rng.uniform(0.4, 1.1))
    sizes = rng.uniform(0.25, 0.7, 3)

    normals = _face_normals()
    ambient = irradiance(hdri, rotation, normals) / np.pi
    ambient_luminance = ambient @ LUMINANCE
    color = _tint(ambient.mean(axis=0), rng)
    share = 1 - key_share if area_lights else 1.0
    # The brightest part is bound as well: a low sun may light one cheek alone.
    scale = share * min(FACE_EXPOSURE / ambient_luminance.mean(), BRIGHTEST / ambient_luminance.max())
    lamps: tuple[AreaLight, ...] = ()
    if area_lights:
        places = (key, fill, rim)
        relative = np.array([1.0, fill_ratio, 0.0])
        gain = sum(ratio * np.maximum(normals @ _unit(place), 0) for ratio, place in zip(relative, places, strict=True))
        ambient_after = ambient_luminance * scale
        wanted = FACE_EXPOSURE - ambient_after.mean()
        room = np.min((BRIGHTEST - ambient_after) / np.maximum(gain, 1e-3))
        level = float(max(min(wanted / gain.mean(), room), 0.05))
        levels = level * np.array([1.0, fill_ratio, rim_ratio])
        lamps = tuple(
            _lamp(place, float(size), float(value), color)
            for place, size, value in zip(places, sizes, levels, strict=True)
        )
    return Lighting(hdri=hdri, rotation=rotation, strength=float(scale * strength), area_lights=lamps, exposure=1.0)


def _lamp(place: Array64, size: float, level: float, color: Vector) -> AreaLight:
    """A lamp that gives a facing surface at the origin an irradiance of ``level * pi``."""
    x, y, z = place.tolist()
    power = level * np.pi * np.pi * float(place @ place)
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
    own = light / (light @ LUMINANCE)
    mixed = 1 + rng.uniform(0.25, 0.6) * (own - 1)
    red, green, blue = (mixed / (mixed @ LUMINANCE)).tolist()
    return red, green, blue


def _face_normals() -> Array64:
    """(K, 3) unit normals of the parts of a face that a camera in front of it sees well."""
    angles = np.radians([-50, -25, 0, 25, 50])
    around, up = np.meshgrid(angles, np.radians([-25, 0, 25]))
    normals = np.stack([np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)], axis=-1)
    flat: Array64 = normals.reshape(-1, 3)
    return flat


def _unit(vector: Array64) -> Array64:
    unit: Array64 = vector / np.linalg.norm(vector)
    return unit
