"""Avatars as files: GaussianAvatars' ``point_cloud.ply``.

Binary little-endian, one element ``vertex`` with the properties x, y, z (centre), f_dc_0..2 and f_rest_* (spherical
harmonics, channel by channel), opacity (before the logistic function), scale_* (logarithms), rot_* (quaternion, w
first) and binding_* (the triangle, a whole number even where it is a float); others, such as nx, are passed over.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import file_size, write_atomic
from ffngen.errors import InputFileError
from ffngen.splat.avatar import SH_COUNTS, Array64, Avatar

NAME = "point_cloud.ply"
#: Larger avatars than anybody trains.
MAX_GAUSSIANS = 20_000_000
_MAX_HEADER = 1 << 16
_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "<i2", "int16": "<i2", "ushort": "<u2",
    "uint16": "<u2", "int": "<i4", "int32": "<i4", "uint": "<u4", "uint32": "<u4", "float": "<f4", "float32": "<f4",
    "double": "<f8", "float64": "<f8",
}  # fmt: skip
#: Logarithms of scales and logits of opacities beyond which no trained avatar is, and numbers overflow.
_MAX_LOGARITHM = 30.0
_ITERATION = re.compile(r"iteration_([0-9]{1,9})")


def find_avatar(path: Path) -> Path:
    """The point cloud of a file, of a folder that has one, or of a training's folder: that of its last iteration.

    :raises InputFileError: there is none.
    """
    if not path.is_dir():
        return path
    if (path / NAME).is_file():
        return path / NAME
    found = []
    base = path / "point_cloud"
    for entry in os.scandir(base) if base.is_dir() else ():
        match = _ITERATION.fullmatch(entry.name)
        if match and (base / entry.name / NAME).is_file():
            found.append((int(match[1]), base / entry.name / NAME))
    if not found:
        raise InputFileError(f"has no {NAME}", where=path, mend="give the folder that GaussianAvatars wrote")
    return max(found)[1]


def read_avatar(path: Path) -> Avatar:
    """Read an avatar.

    :param path: as for :func:`find_avatar`.
    :raises InputFileError: for a file that is none, is damaged, or has values that no avatar has.
    """
    path = find_avatar(path)
    size = file_size(path)
    try:
        with path.open("rb") as file:
            layout, count = _read_header(file, path)
            start = file.tell()
    except OSError as error:
        raise InputFileError(error.strerror or str(error), where=path) from error
    if size - start != count * layout.itemsize:
        what = f"has {size - start} bytes of Gaussians, and its header tells of {count * layout.itemsize}"
        raise InputFileError(what, where=path)
    if count == 0:
        raise InputFileError("has no Gaussians", where=path)
    return _decode(np.memmap(path, layout, "r", offset=start, shape=(count,)), path)


def _read_header(file: BinaryIO, path: Path) -> tuple[np.dtype[np.void], int]:
    """The layout of one Gaussian, and how many there are."""
    lines: list[str] = []
    while sum(len(line) for line in lines) < _MAX_HEADER:
        line = file.readline(_MAX_HEADER)
        lines.append(line.decode("ascii", "replace").strip())
        if lines[-1] == "end_header" or not line:
            break
    if lines[0] != "ply" or lines[-1] != "end_header":
        raise InputFileError("is not a .ply file", where=path)
    words = [line.split() for line in lines[1:-1] if line and line.split()[0] not in ("comment", "obj_info")]
    if not words or words[0][:2] != ["format", "binary_little_endian"]:
        raise InputFileError("is not a binary little-endian .ply file", where=path)
    elements = [word for word in words if word[0] == "element"]
    if len(elements) != 1 or elements[0][1:2] != ["vertex"] or len(elements[0]) != 3 or not elements[0][2].isdecimal():
        raise InputFileError("does not have the element vertex alone", where=path)
    count = int(elements[0][2][:12])
    if count > MAX_GAUSSIANS:
        raise InputFileError(f"tells of {count} Gaussians; at most {MAX_GAUSSIANS} are read", where=path)
    fields = []
    for word in words:
        if word[0] == "property":
            if len(word) != 3 or word[1] not in _TYPES:
                raise InputFileError(f"has a property of another kind: {' '.join(word[1:])[:60]}", where=path)
            fields.append((word[2], _TYPES[word[1]]))
    if not fields:
        raise InputFileError("has no properties", where=path)
    try:
        return np.dtype(fields), count
    except ValueError as error:
        raise InputFileError("has a property twice", where=path) from error


def _decode(rows: NDArray[np.void], path: Path) -> Avatar:
    names = rows.dtype.names or ()

    def columns(*wanted: str) -> Array64:
        missing = [name for name in wanted if name not in names]
        if missing:
            raise InputFileError(f"has no property {missing[0]}", where=path)
        array = np.stack([rows[name].astype(np.float64) for name in wanted], axis=-1)
        if not np.isfinite(array).all():
            bad = wanted[int(np.argmin(np.isfinite(array).all(axis=0)))]
            raise InputFileError(f"has values of {bad} that are no numbers", where=path)
        return array

    def bounded(*wanted: str) -> Array64:
        array = columns(*wanted)
        if np.abs(array).max() > _MAX_LOGARITHM:
            raise InputFileError(f"has values of {wanted[0]} up to {np.abs(array).max():.3g}", where=path)
        return array

    bindings = [name for name in names if name.startswith("binding")]
    if len(bindings) != 1:
        what = "says of no triangle that a Gaussian is bound to it" if not bindings else "has more than one binding"
        raise InputFileError(what, where=path, mend="give an avatar of GaussianAvatars")
    bound = columns(bindings[0])[:, 0]
    if (bound != np.round(bound)).any() or bound.min() < 0 or bound.max() >= 1 << 31:
        raise InputFileError(f"has values of {bindings[0]} that are no triangles", where=path)
    rotations = columns("rot_0", "rot_1", "rot_2", "rot_3")
    length = np.linalg.norm(rotations, axis=1, keepdims=True)
    if not length.all():
        raise InputFileError("has a rotation of length 0", where=path)
    rest = sum(name.startswith("f_rest_") for name in names)
    if rest % 3 or rest // 3 + 1 not in SH_COUNTS:
        raise InputFileError(f"has {rest} properties f_rest, where 0, 9, 24 or 45 are right", where=path)
    constant = columns("f_dc_0", "f_dc_1", "f_dc_2")[:, None]
    higher = columns(*(f"f_rest_{i}" for i in range(rest))) if rest else np.zeros((len(rows), 0))
    # All of red's, then all of green's, then all of blue's.
    higher = higher.reshape(len(rows), 3, rest // 3).transpose(0, 2, 1)
    return Avatar(
        means=columns("x", "y", "z"),
        rotations=rotations / length,
        scales=np.exp(bounded("scale_0", "scale_1", "scale_2")),
        opacities=1 / (1 + np.exp(-bounded("opacity")[:, 0])),
        harmonics=np.concatenate([constant, higher], axis=1),
        triangles=bound.astype(np.int64),
    )


def write_avatar(path: Path, avatar: Avatar) -> None:
    """Write an avatar as GaussianAvatars would, in float32; an opacity of 1 or 0 becomes one that is nearly so."""
    count, higher = len(avatar), avatar.harmonics.shape[1] - 1
    opacities = np.clip(avatar.opacities, 1e-6, 1 - 1e-6)
    groups = [
        (("x", "y", "z"), avatar.means),
        (("nx", "ny", "nz"), np.zeros((count, 3))),
        (tuple(f"f_dc_{i}" for i in range(3)), avatar.harmonics[:, 0]),
        (
            tuple(f"f_rest_{i}" for i in range(3 * higher)),
            avatar.harmonics[:, 1:].transpose(0, 2, 1).reshape(count, -1),
        ),
        (("opacity",), np.log(opacities / (1 - opacities))[:, None]),
        (tuple(f"scale_{i}" for i in range(3)), np.log(avatar.scales)),
        (tuple(f"rot_{i}" for i in range(4)), avatar.rotations),
        (("binding_0",), avatar.triangles[:, None]),
    ]
    properties = "".join(f"property float {name}\n" for names, _ in groups for name in names)
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {count}\n{properties}end_header\n"
    values = np.concatenate([array for _, array in groups], axis=1).astype("<f4")
    write_atomic(path, header.encode() + values.tobytes())
