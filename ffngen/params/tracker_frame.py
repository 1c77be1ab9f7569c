"""One frame of metrical-tracker or Pixel3DMM: a file of ``torch.save``.

Both keep FLAME 2020 coefficients and 6D rotations (rows, see :mod:`ffngen.params.rotations`) of jaw and eyes, in the
head's own frame, and how the camera stands to it.

metrical-tracker (``tracker.py``, ``save_checkpoint``): ``opencv`` has R, t (world to camera) and K as PyTorch3D's
``opencv_from_cameras_projection`` gives them. PyTorch3D counts pixels from the corner of the image, so that the centre
of the first pixel is 0.5 there.

Pixel3DMM (``src/pixel3dmm/tracking/tracker.py``, ``save_checkpoint``): also the neck; the head is turned by ``flame.R``
about the origin (not about the root joint) and moved by ``flame.t``, then seen by an OpenGL camera ``R_base_0``,
``t_base_0``, with focal length and principal point in shares of the image (``get_intrinsics``). Its rasteriser puts
the principal point (size / 2 + 0.5)(1 + pp) pixels from the image's corner; its landmark loss half a pixel less to
the right and half a pixel more downwards, which is not followed here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import FfngenError, InputFileError
from ffngen.geometry.camera import Camera
from ffngen.params.code_file import read_code_file
from ffngen.params.rotations import axis_angle_from_6d, inverse, matrix_from_6d, rigid
from ffngen.params.vectors import checked_array

Array64 = NDArray[np.float64]

#: Pixels.
MAX_SIDE = 16384
#: No focal length or principal point of such a picture is larger, in pixels.
_MAX_PIXELS = 1e7

_FLAME = {"shape": 300, "exp": 100, "jaw": 6, "eyes": 12}
_OPENCV = ("opencv.R", "opencv.t", "opencv.K")
_OPENGL = ("flame.R", "flame.t", "camera.R_base_0", "camera.t_base_0", "camera.fl", "camera.pp")
_OPTIONAL = ("flame.eyelids", "flame.neck", "img_size")


@dataclass(frozen=True)
class TrackerFrame:
    """What one frame says.

    :param betas: (300,).
    :param expression: (100,).
    :param pose: (15,), the global rotation 0.
    :param eyelids: (2,).
    :param camera: in the head's own frame.
    """

    betas: Array64
    expression: Array64
    pose: Array64
    eyelids: Array64
    camera: Camera


def read_tracker_frame(file: Path) -> TrackerFrame:
    """One frame.

    :raises InputFileError: for a file that is damaged, asks for more than arrays, or is neither tracker's.
    """
    names = [f"flame.{name}" for name in _FLAME] + [*_OPENCV, *_OPENGL, *_OPTIONAL]
    content = read_code_file(file, names)
    arrays = {} if content is None else content.arrays
    _require(arrays, [f"flame.{name}" for name in _FLAME], file)
    vectors = {
        name: checked_array(arrays[f"flame.{name}"], (size,), f"flame.{name}", file) for name, size in _FLAME.items()
    }
    try:
        pose = np.zeros(15)
        if "flame.neck" in arrays:
            pose[3:6] = axis_angle_from_6d(checked_array(arrays["flame.neck"], (6,), "flame.neck", file))
        pose[6:9] = axis_angle_from_6d(vectors["jaw"])
        pose[9:15] = axis_angle_from_6d(vectors["eyes"].reshape(2, 6)).ravel()
        eyelids = np.zeros(2)
        if "flame.eyelids" in arrays:
            eyelids = checked_array(arrays["flame.eyelids"], (2,), "flame.eyelids", file)
        camera = _opencv(arrays, file) if "opencv.K" in arrays else _opengl(arrays, file)
    except InputFileError:
        raise
    except (ValueError, FfngenError) as error:
        what = error.what if isinstance(error, FfngenError) else f"holds {error}"
        raise InputFileError(what, where=file, mend="track that frame again, or remove the file") from error
    return TrackerFrame(vectors["shape"], vectors["exp"], pose, eyelids, camera)


def _require(arrays: dict[str, NDArray[Any]], names: list[str] | tuple[str, ...], file: Path) -> None:
    missing = [name for name in names if name not in arrays]
    if missing:
        mend = "give a .frame file as metrical-tracker or Pixel3DMM writes it"
        raise InputFileError(f"has no {' and no '.join(missing)}", where=file, mend=mend)


def _opencv(arrays: dict[str, NDArray[Any]], file: Path) -> Camera:
    _require(arrays, (*_OPENCV, "img_size"), file)
    height, width = _image_size(arrays["img_size"], file)
    K = checked_array(arrays["opencv.K"], (3, 3), "opencv.K", file, limit=_MAX_PIXELS)
    R = checked_array(arrays["opencv.R"], (3, 3), "opencv.R", file)
    t = checked_array(arrays["opencv.t"], (3,), "opencv.t", file)
    return Camera(
        K=pixel_centred(K[0, 0], K[1, 1], K[0, 2], K[1, 2]),
        T_world_cam=inverse(rigid(R, t)),
        width=width,
        height=height,
    )


def _opengl(arrays: dict[str, NDArray[Any]], file: Path) -> Camera:
    _require(arrays, (*_OPENGL, "img_size"), file)
    height, width = _image_size(arrays["img_size"], file)
    if height != width:
        raise InputFileError(f"'img_size' is {height} x {width}, and Pixel3DMM's images are square", where=file)
    focal = checked_array(arrays["camera.fl"], (1,), "camera.fl", file)[0] * width
    middle = width / 2 + 0.5
    cx, cy = middle + middle * checked_array(arrays["camera.pp"], (2,), "camera.pp", file)
    T_world_head = rigid(
        matrix_from_6d(checked_array(arrays["flame.R"], (6,), "flame.R", file)),
        checked_array(arrays["flame.t"], (3,), "flame.t", file),
    )
    T_gl_world = rigid(
        checked_array(arrays["camera.R_base_0"], (3, 3), "camera.R_base_0", file),
        checked_array(arrays["camera.t_base_0"], (3,), "camera.t_base_0", file),
    )
    T_cam_head = np.diag([1.0, -1.0, -1.0, 1.0]) @ T_gl_world @ T_world_head
    return Camera(K=pixel_centred(focal, focal, cx, cy), T_world_cam=inverse(T_cam_head), width=width, height=height)


def pixel_centred(fx: float, fy: float, cx: float, cy: float) -> Array64:
    """K whose principal point counts from the centre of the top-left pixel, of one that counts from its corner."""
    return np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]])


def _image_size(array: NDArray[Any], file: Path) -> tuple[int, int]:
    values = array.ravel()
    numbers = values.size == 2 and values.dtype.kind in "iuf"
    if not numbers or not ((values >= 1) & (values <= MAX_SIDE) & (values == np.floor(values))).all():
        raise InputFileError(f"'img_size' must be two lengths from 1 to {MAX_SIDE}, whole pixels", where=file)
    return int(values[0]), int(values[1])
