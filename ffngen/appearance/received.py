"""How much light surfaces receive, in closed form and without shadows: for pictures that are not path-traced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.hdri import irradiance

Array64 = NDArray[np.float64]


def received_light(lighting: Mapping[str, Any], surroundings: str, points: Array64, normals: Array64) -> Array64:
    """Irradiance over pi (K, 3), linear sRGB: how bright a white, matt surface is.

    A lamp is taken for a small one, which shines as the cosine of the angle to its axis.

    :param lighting: as :meth:`ffngen.appearance.lighting.Lighting.to_json` has it.
    :param surroundings: what :func:`ffngen.appearance.hdri.load_hdri` takes.
    :param points: (K, 3), metres, world.
    :param normals: (K, 3), unit.
    :raises JobError, MissingPackageError, InputFileError: as :func:`ffngen.appearance.hdri.load_hdri`.
    """
    received = irradiance(surroundings, lighting["rotation"], normals) * (lighting["strength"] / np.pi)
    for lamp in lighting["area_lights"]:
        position = np.array(lamp["position"], dtype=np.float64)
        axis = np.array(lamp["target"], dtype=np.float64) - position
        axis /= np.sqrt((axis * axis).sum())
        towards = position - points
        distance = np.sqrt((towards * towards).sum(axis=1))
        towards /= distance[:, None]
        cosines = np.maximum((normals * towards).sum(axis=1), 0) * np.maximum(-(towards * axis).sum(axis=1), 0)
        # A facing surface on the axis receives power / (pi d^2) (AreaLight).
        level = lamp["power"] / (np.pi * np.pi * distance**2) * cosines
        received += level[:, None] * np.array(lamp["color"])
    return cast(Array64, received)
