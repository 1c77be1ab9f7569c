"""Surroundings: the eight CC0 pictures that come inside the package bpy, without importing it, and the user's own.

A surrounding is named by one of :data:`HDRIS`, or by the path of a file of :mod:`ffngen.appearance.own_hdris`.

Directions: a picture is equirectangular in Blender's mapping. A unit direction (x, y, z) in Blender's frame (z up)
lies at ``u = 0.5 - atan2(y, x) / (2 pi)`` from the left and ``v = asin(z) / pi + 0.5`` from the bottom (Cycles'
``direction_to_equirectangular``).
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError, JobError, MissingPackageError

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

#: The surroundings' names.
HDRIS = ("city", "courtyard", "forest", "interior", "night", "studio", "sunrise", "sunset")

#: Height and width of each, pixels, and of the user's.
SHAPE, OWN_SHAPE = (512, 1024), (1024, 2048)


def hdri_path(name: str) -> Path:
    """The EXR file of a surrounding.

    :raises JobError: there is none of that name, and it is no path.
    :raises MissingPackageError: bpy, which holds them, is not installed.
    """
    if "/" in name and Path(name).is_file():
        return Path(name)
    if name not in HDRIS:
        raise JobError(f"no surroundings are named {name[:40]!r}", mend=f"use one of {', '.join(HDRIS)}")
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        raise MissingPackageError(
            "the surroundings come with the package bpy, which is not installed",
            mend='run pip install "ffngen[render]"',
        )
    found = sorted(Path(spec.origin).parent.glob(f"*/datafiles/studiolights/world/{name}.exr"))
    if not found:
        raise MissingPackageError(
            f"the installed bpy lacks the surroundings {name!r}",
            where=Path(spec.origin).parent,
            mend="install the pinned version: pip install bpy==5.0.1",
        )
    return found[-1]


@lru_cache(maxsize=len(HDRIS))
def load_hdri(name: str) -> Array32:
    """Radiance (:data:`SHAPE` or :data:`OWN_SHAPE`, 3) float32, linear sRGB, row 0 at the zenith; read-only.

    :raises JobError, MissingPackageError: as :func:`hdri_path`.
    :raises InputFileError: the file is damaged.
    """
    import pyexr

    path = hdri_path(name)
    try:
        picture = np.ascontiguousarray(pyexr.read(str(path))[..., :3], dtype=np.float32)
    except Exception as error:  # the decoder raises whatever a damaged file leads it to
        raise InputFileError(f"not an EXR picture that can be read: {error}", where=path) from error
    shape = SHAPE if name in HDRIS else OWN_SHAPE
    if picture.shape != (*shape, 3) or not np.isfinite(picture).all():
        mend = "reinstall bpy" if name in HDRIS else "delete it"
        raise InputFileError(f"not the picture that belongs there: {picture.shape}", where=path, mend=mend)
    picture.setflags(write=False)
    return picture


def hdri_name(name: str) -> str:
    """What records call a surrounding: its name, or that of the user's file."""
    return name if name in HDRIS else Path(name).stem


def equirectangular(directions: Array64, rotation: float) -> tuple[Array64, Array64]:
    """Where a turned picture shows directions.

    The picture turns about the vertical: what is seen in a direction is what the unturned picture shows in
    that direction turned by ``+rotation`` about Blender's z axis (a Mapping node's rotation before the
    Environment Texture node).

    :param directions: (..., 3) in the world (y up), of any length.
    :param rotation: radians.
    :returns: u and v, (...) float64 in [0, 1], from the left and from the bottom.
    """
    x, y, z = directions[..., 0], -directions[..., 2], directions[..., 1]
    azimuth = np.arctan2(y, x) + rotation
    elevation = np.arctan2(z, np.hypot(x, y))
    u = np.mod(0.5 - azimuth / (2 * np.pi), 1.0)
    return cast(Array64, u), cast(Array64, elevation / np.pi + 0.5)


@lru_cache(maxsize=len(HDRIS))
def light_cells(name: str) -> tuple[Array64, Array64]:
    """A surrounding as 2048 distant lamps, for sums over all directions.

    :returns: unit directions (2048, 3) in the unturned world (y up), and radiance times solid angle (2048, 3).
    """
    picture = load_hdri(name).astype(np.float64)
    rows, columns = picture.shape[:2]
    elevation = (0.5 - (np.arange(rows) + 0.5) / rows) * np.pi
    azimuth = (0.5 - (np.arange(columns) + 0.5) / columns) * 2 * np.pi
    weighted = picture * (np.cos(elevation) * (np.pi / rows) * (2 * np.pi / columns))[:, None, None]
    block = rows // 32
    power = weighted.reshape(rows // block, block, columns // block, block, 3).sum(axis=(1, 3)).reshape(-1, 3)
    up, around = np.meshgrid(
        elevation.reshape(-1, block).mean(axis=1), azimuth.reshape(-1, block).mean(axis=1), indexing="ij"
    )
    # Blender's (x, y, z) is the world's (x, z, -y).
    directions = np.stack([np.cos(up) * np.cos(around), np.sin(up), -np.cos(up) * np.sin(around)], axis=-1)
    return directions.reshape(-1, 3), power


def irradiance(name: str, rotation: float, normals: Array64) -> Array64:
    """Irradiance (K, 3), linear sRGB, that a turned surrounding gives to surfaces of unit normals (K, 3), world."""
    directions, power = light_cells(name)
    # The lamp that the unturned picture holds in direction d shines from d turned back.
    cos, sin = np.cos(rotation), np.sin(rotation)
    # About Blender's z by -rotation, which is the world's y: Blender's (x, y) is the world's (x, -z).
    x, y = directions[:, 0], -directions[:, 2]
    turned = np.stack([cos * x + sin * y, directions[:, 1], -(cos * y - sin * x)], axis=-1)
    # No BLAS: its sums may depend on the number of threads.
    cosines = np.maximum(np.einsum("ki,di->kd", normals, turned, optimize=False), 0)
    return cast(Array64, np.einsum("kd,dc->kc", cosines, power, optimize=False))
