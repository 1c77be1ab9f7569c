"""Cameras from the transforms.json files that GaussianAvatars, VHAP and INSTA share with NeRF tools.

Each frame has a camera-to-world ``transform_matrix``; fl_x, fl_y, cx, cy, w and h stand with the frame or with the
file. The two families differ, and nothing in a file says which it is:

- VHAP and GaussianAvatars: OpenGL axes (y up, z backwards), and **cy counts from the lower edge** of the image, as
  VHAP's ``vhap/util/camera.py`` (``convert_camera_convention``) turns it and ``vhap/util/render_nvdiffrast.py`` reads
  it.
- INSTA: OpenCV axes, cy from the upper edge (``scripts/transforms.py``).

Both count pixels from the edge of the image, so that the centre of the first pixel is 0.5 there: VHAP puts w / 2 at
the middle of the image (``projection_from_intrinsics``), INSTA takes PyTorch3D's camera as it is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeGuard

import numpy as np

from ffngen.atomic import read_bounded
from ffngen.errors import FfngenError, InputFileError
from ffngen.geometry.camera import Camera
from ffngen.params.rotations import rigid
from ffngen.params.tracker_frame import MAX_SIDE, pixel_centred

#: Bytes; a frame takes about one thousand.
MAX_BYTES = 1 << 25
#: Together with the length these bound what the parsed values take.
_MAX_BRACKETS = 1_000_000
_MAX_COMMAS = 4_000_000

#: The file of all frames, and the files of its parts, in the order in which they are taken.
WHOLE = "transforms.json"
PARTS = ("transforms_train.json", "transforms_val.json", "transforms_test.json")

_FAR = 1e6


def is_transforms(name: str) -> bool:
    """Whether a file's name is one of a file of cameras."""
    return name == WHOLE or name in PARTS


def choose_files(files: Iterable[Path]) -> list[Path]:
    """Of the files of one folder the whole one, or else its parts in their order."""
    by_name = {file.name: file for file in files}
    return [by_name[WHOLE]] if WHOLE in by_name else [by_name[name] for name in PARTS if name in by_name]


#: What a file may say once for all its frames.
_SHARED = ("w", "h", "cx", "cy", "fl_x", "fl_y", "camera_angle_x", "camera_angle_y")


def read_frames(file: Path) -> list[dict[str, Any]]:
    """The frames of a file, each with what the file says of all frames where it says nothing itself.

    :raises InputFileError: for a file that is missing, damaged or too large, or has no list of frames.
    """
    data = read_bounded(file, MAX_BYTES)
    if data.count(b"{") + data.count(b"[") > _MAX_BRACKETS or data.count(b",") > _MAX_COMMAS:
        raise InputFileError("holds more values than any list of cameras", where=file)
    try:
        content = json.loads(data, parse_constant=_refuse_constant, parse_int=_parse_int)
    except (ValueError, RecursionError) as error:
        problem = str(error) if isinstance(error, ValueError) else "too deeply nested"
        raise InputFileError(f"is no JSON ({problem[:100]})", where=file, mend="copy the file again") from error
    frames = content.get("frames") if type(content) is dict else None
    if type(frames) is not list or not frames or not all(type(frame) is dict for frame in frames):
        raise InputFileError("has no list of 'frames'", where=file, mend="give a transforms.json of cameras")
    shared = {key: content[key] for key in _SHARED if type(content.get(key)) in (int, float)}
    return [{**shared, **frame} for frame in frames]


def names_parameters(file: Path) -> bool:
    """Whether a file of cameras seems to name files of FLAME's parameters, as only heads' do."""
    try:
        data = read_bounded(file, MAX_BYTES)
    except InputFileError:
        return False
    return b'"flame_param_path"' in data or b'"exp_path"' in data


def camera_of(frame: Mapping[str, Any], file: Path, *, opengl: bool) -> Camera:
    """The camera of one frame.

    :param frame: of :func:`read_frames`.
    :param file: where it stands, for messages.
    :param opengl: whether it is VHAP's and GaussianAvatars' kind of camera, else INSTA's.
    :raises InputFileError: for a lacking field, or one that is no camera's.
    """
    matrix = frame.get("transform_matrix")
    rows_are = type(matrix) is list and len(matrix) in (3, 4) and all(type(r) is list and len(r) == 4 for r in matrix)
    if not rows_are or not all(_is_number(value) for row in matrix or () for value in row):
        raise InputFileError("a frame's 'transform_matrix' is no matrix of 4 x 4 numbers", where=file)
    T = np.array(matrix, dtype=np.float64)
    width, height = _side(frame, "w", file), _side(frame, "h", file)
    fx = _focal(frame, "fl_x", "camera_angle_x", width, file)
    fy = _focal(frame, "fl_y", "camera_angle_y", height, file, default=fx)
    cx = _number(frame, "cx", file, default=width / 2)
    cy = _number(frame, "cy", file, default=height / 2)
    try:
        T_world_cam = rigid(T[:3, :3], T[:3, 3])
        if opengl:
            T_world_cam[:3, 1:3] *= -1
            cy = height - cy
        return Camera(K=pixel_centred(fx, fy, cx, cy), T_world_cam=T_world_cam, width=width, height=height)
    except (ValueError, FfngenError) as error:
        what = error.what if isinstance(error, FfngenError) else str(error)
        raise InputFileError(f"a frame has {what}", where=file) from error


def number_of(frame: Mapping[str, Any], key: str) -> int | None:
    """A whole number of a frame that is 0 or more and below 10**9, or None."""
    value = frame.get(key)
    return value if type(value) is int and 0 <= value < 10**9 else None


def _focal(
    frame: Mapping[str, Any], key: str, angle_key: str, side: int, file: Path, *, default: float | None = None
) -> float:
    if key not in frame and angle_key in frame:
        angle = _number(frame, angle_key, file)
        if not 0 < angle < math.pi:
            raise InputFileError(f"a frame's {angle_key!r} is {angle:.4g}, which is no angle of view", where=file)
        return side / 2 / math.tan(angle / 2)
    return _number(frame, key, file, default=default)


def _side(frame: Mapping[str, Any], key: str, file: Path) -> int:
    value = _number(frame, key, file)
    if not 1 <= value <= MAX_SIDE or value != int(value):
        raise InputFileError(f"a frame's {key!r} is {value:.6g}, no length from 1 to {MAX_SIDE}", where=file)
    return int(value)


def _number(frame: Mapping[str, Any], key: str, file: Path, *, default: float | None = None) -> float:
    value = frame.get(key, default)
    if not _is_number(value):
        raise InputFileError(f"a frame has no number {key!r}", where=file)
    return float(value)


def _is_number(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float) and bool(abs(value) <= _FAR)


def _parse_int(digits: str) -> int | float:
    # Python refuses thousands of digits, and takes long over some fewer.
    return int(digits) if len(digits) <= 18 else math.inf


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")
