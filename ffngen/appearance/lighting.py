"""The light of a sequence: surroundings and lamps, balanced so that skin is well exposed.

Conventions: CONVENTIONS.md; the head is at the world's origin and looks along +z, towards the camera.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance import rigs
from ffngen.appearance.colour import luminance
from ffngen.appearance.hdri import hdri_name, irradiance
from ffngen.appearance.rigs import Lamp, Rig, RigName, blackbody

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
    """A lamp that shines one way.

    :param position: metres, world.
    :param target: metres, world: what its axis points at.
    :param size: metres: a disc's diameter, or a rectangle's width.
    :param power: watts in Blender's sense: a facing surface at distance d, far against the lamp's size,
        receives the irradiance ``power / (pi d^2)``.
    :param color: linear sRGB, of unit luminance.
    :param height: metres, of a rectangle; None for a disc.
    """

    position: Vector
    target: Vector
    size: float
    power: float
    color: Vector
    height: float | None = None


@dataclass(frozen=True)
class Lighting:
    """All light of a scene, as bright as the picture's exposure needs it: 1 is white.

    :param hdri: the name of the surroundings (:data:`ffngen.appearance.hdri.HDRIS`, or a file of the user's).
    :param rotation: radians, how the surroundings are turned about the vertical
        (:func:`ffngen.appearance.hdri.equirectangular`); a background cropped with this yaw shows what is behind.
    :param strength: factor of the surroundings' radiance.
    :param rig: which lamps there are (:mod:`ffngen.appearance.rigs`).
    :param area_lights: the lamps.
    """

    hdri: str
    rotation: float
    strength: float
    rig: RigName
    area_lights: tuple[AreaLight, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)


def sample_lighting(
    rng: np.random.Generator, hdri: str, *, strength: float = 1.0, rig: RigName = "three_point"
) -> Lighting:
    """Draw a lighting: the direction of the surroundings, and the lamps of a rig.

    The surroundings and the lamps share the face's exposure; how much each gives is drawn too.

    :param hdri: what :func:`ffngen.appearance.hdri.load_hdri` takes.
    :param strength: factor of the surroundings; 1 exposes skin normally.
    :param rig: which lamps; with ``none`` the surroundings give all light.
    :raises JobError, MissingPackageError, InputFileError: as :func:`ffngen.appearance.hdri.load_hdri`.
    """
    rotation = float(rng.uniform(-np.pi, np.pi))
    normals = face_normals()
    received = irradiance(hdri, rotation, normals) / np.pi
    ambient = luminance(received)
    lamps = rigs.rig(rig)
    lamp_share = float(rng.uniform(*lamps.lamp_share)) if lamps is not None else 0.0
    # The brightest part is bound as well: a low sun may light one cheek alone.
    scale = float((1 - lamp_share) * min(FACE_EXPOSURE / ambient.mean(), BRIGHTEST / ambient.max()))
    made = _sample_lamps(rng, lamps, normals, ambient * scale, received.mean(axis=0)) if lamps is not None else ()
    return Lighting(hdri=hdri_name(hdri), rotation=rotation, strength=scale * strength, rig=rig, area_lights=made)


def _sample_lamps(
    rng: np.random.Generator, rig: Rig, normals: Array64, ambient: Array64, light: Array64
) -> tuple[AreaLight, ...]:
    """The lamps of a rig, as bright as brings the face to its exposure.

    :param ambient: (K,) what surfaces of the ``normals`` (K, 3) receive already, over pi.
    :param light: (3,) its mean colour.
    """
    side = 1.0 if rng.random() < 0.5 else -1.0
    places = [_place(rng, side, lamp) for lamp in rig.lamps]
    # A range of no width takes no draw: the key's share.
    shares = [
        lamp.share[0] if lamp.share[0] == lamp.share[1] else float(rng.uniform(*lamp.share)) for lamp in rig.lamps
    ]
    tint = _tint(light, rng)
    gain = np.zeros(len(normals))
    for place, share in zip(places, shares, strict=True):
        # Lamps behind the head light its edge; the face is exposed for the others.
        gain += share * _cosines(normals, place) if place[2] > 0 else 0
    room = float(((BRIGHTEST - ambient) / np.maximum(gain, 1e-3)).min())
    level = max(min(float((FACE_EXPOSURE - ambient.mean()) / gain.mean()), room), _LEAST_KEY)
    return tuple(
        _lamp(rng, lamp, place, level * share, tint)
        for lamp, place, share in zip(rig.lamps, places, shares, strict=True)
    )


def _cosines(normals: Array64, place: Array64) -> Array64:
    """(K,) the share of a lamp's light at ``place`` that surfaces of the normals (K, 3) at the origin receive."""
    toward = place / np.sqrt((place * place).sum())
    cosines: Array64 = np.maximum((normals * toward).sum(axis=1), 0)
    return cosines


def _lamp(rng: np.random.Generator, lamp: Lamp, place: Array64, level: float, tint: Vector) -> AreaLight:
    """A lamp that gives a facing surface at the origin an irradiance of ``level * pi``."""
    x, y, z = place.tolist()
    size = float(rng.uniform(*lamp.size))
    distance_squared = float((place * place).sum())
    if lamp.aspect is not None:
        # A large surface that is near gives less than its power at one point: of a disc of area A, by A / (pi d^2).
        distance_squared += size * size * lamp.aspect / np.pi
    color = tint
    if lamp.kelvin is not None:
        red, green, blue = blackbody(float(rng.uniform(*lamp.kelvin))).tolist()
        color = (red, green, blue)
    return AreaLight(
        position=(x, y, z),
        target=(0.0, 0.0, 0.0),
        size=size,
        power=level * np.pi * np.pi * distance_squared,
        color=color,
        height=None if lamp.aspect is None else size * lamp.aspect,
    )


def _place(rng: np.random.Generator, side: float, lamp: Lamp) -> Array64:
    """A lamp's place (3,) in the world, metres; ``side`` is 1 or -1, the key's."""
    low, high = lamp.azimuth
    # The other side's angles are drawn by their size, as the key's are.
    around = np.radians(rng.uniform(low, high) if high > 0 else -rng.uniform(-high, -low)) * side
    up = np.radians(rng.uniform(*lamp.elevation))
    radius = rng.uniform(*lamp.distance)
    place: Array64 = np.array([np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)]) * radius
    return place


def _tint(light: Array64, rng: np.random.Generator) -> Vector:
    """A lamp's colour: between the surroundings' and white, of unit luminance."""
    own = light / luminance(light)
    mixed = 1 + rng.uniform(0.25, 0.6) * (own - 1)
    red, green, blue = (mixed / luminance(mixed)).tolist()
    return red, green, blue


def face_normals() -> Array64:
    """(K, 3) unit normals of the parts of a face that a camera in front of it sees well."""
    angles = np.radians([-50, -25, 0, 25, 50])
    around, up = np.meshgrid(angles, np.radians([-25, 0, 25]))
    normals = np.stack([np.sin(around) * np.cos(up), np.sin(up), np.cos(around) * np.cos(up)], axis=-1)
    flat: Array64 = normals.reshape(-1, 3)
    return flat
