"""The stationary picture behind the head."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb, luminance, srgb_to_linear
from ffngen.appearance.folders import choose, image_files
from ffngen.appearance.hdri import equirectangular, load_hdri
from ffngen.errors import InputFileError, JobError
from ffngen.geometry.camera import Camera
from ffngen.geometry.plane import FacingPlane
from ffngen.images import read_image

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]
Rgb = NDArray[np.uint8]

#: Log-average luminance that a background is exposed for; a little below middle grey, so that faces stand out.
_KEY = 0.15

#: Radius of the disc of confusion, as a share of the picture's width: the lens is focused on the face.
DEFOCUS = 0.007

#: Luminance, over the log average, above which lamps and the sun are cut before they are spread by the defocus.
_BRIGHTEST = 40.0

#: An image smaller than this is more likely a mistake than a background.
_SMALLEST = 16


def hdri_background(
    hdri: str,
    R_world_cam: Array64,
    *,
    yaw: float,
    field_of_view: float,
    width: int,
    height: int,
    defocus: float = DEFOCUS,
) -> Rgb:
    """What the camera sees of the surroundings behind the head, out of focus.

    :param hdri: what :func:`ffngen.appearance.hdri.load_hdri` takes.
    :param R_world_cam: (3, 3), where the camera looks.
    :param yaw: radians, how the surroundings are turned: ``Lighting.rotation``.
    :param field_of_view: radians, horizontal, in (0, pi).
    :param defocus: radius of the disc of confusion as a share of the picture's width.
    :returns: (height, width, 3) uint8 sRGB.
    :raises JobError: a field of view or a size that cannot be.
    """
    _check_size(width, height)
    if not 0.01 <= field_of_view <= 3.0:
        raise JobError(f"a background needs a field of view from 0.01 to 3 radians, not {field_of_view:g}")
    crop = perspective_crop(load_hdri(hdri), R_world_cam, yaw, field_of_view, width, height)
    return tone_map(crop, defocus * width)


def perspective_crop(
    picture: Array32, R_world_cam: Array64, yaw: float, field_of_view: float, width: int, height: int
) -> Array32:
    """A camera's perspective view of an equirectangular picture (h, w, 3): (height, width, 3) float32 radiance."""
    half = np.tan(field_of_view / 2)
    right = (2 * (np.arange(width) + 0.5) / width - 1) * half
    down = (2 * (np.arange(height) + 0.5) / height - 1) * half * height / width
    x, y = np.meshgrid(right, down)
    # Sums, not BLAS: the same bits whatever the number of threads.
    directions = (np.stack([x, y, np.ones_like(x)], axis=-1)[..., None, :] * R_world_cam).sum(axis=-1)
    u, v = equirectangular(directions, yaw)
    rows, columns = picture.shape[:2]
    # The picture continues around its left and right edges.
    margin = 8
    wrapped = np.concatenate([picture[:, -margin:], picture, picture[:, :margin]], axis=1)
    map_x = (u * columns - 0.5 + margin).astype(np.float32)
    map_y = ((1 - v) * rows - 0.5).astype(np.float32)
    view = cv2.remap(wrapped, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return cast(Array32, np.maximum(view, 0))


def tone_map(radiance: Array32, blur: float) -> Rgb:
    """Radiance (H, W, 3) as a photograph (H, W, 3) uint8 sRGB: exposed, out of focus, highlights rolled off.

    :param blur: radius of the disc of confusion, pixels.
    """
    brightness = luminance(radiance)
    floor = 1e-3 * float(brightness.mean()) + 1e-12
    average = float(np.exp(np.log(brightness + floor).mean()))
    exposed = radiance * np.float32(1 / average)
    exposed *= np.minimum(1, _BRIGHTEST / np.maximum(brightness / average, 1e-6))[..., None]
    exposed = _defocus(exposed, blur) * np.float32(_KEY)
    # Reinhard's curve with white at 4: middle tones stay, highlights do not clip.
    level = luminance(exposed)[..., None]
    return linear_to_srgb(exposed * ((1 + level / 16) / (1 + level)) * np.float32(1.15))


def image_background(path: str | Path, width: int, height: int) -> Rgb:
    """The middle of a user's picture at the wanted aspect, resampled to (height, width, 3) uint8 sRGB.

    :raises InputFileError: no image, or smaller than 16 pixels.
    """
    _check_size(width, height)
    image = read_image(path)
    rows, columns = image.shape[:2]
    if min(rows, columns) < _SMALLEST:
        raise InputFileError(f"a background of {columns} x {rows} pixels is too small", where=path)
    crop_width = max(1, min(columns, round(rows * width / height)))
    crop_height = max(1, min(rows, round(columns * height / width)))
    left, top = (columns - crop_width) // 2, (rows - crop_height) // 2
    crop = image[top : top + crop_height, left : left + crop_width]
    shrinks = crop_width >= width and crop_height >= height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return cast(Rgb, cv2.resize(np.ascontiguousarray(crop), (width, height), interpolation=method))


def choose_background(folder: str | Path, rng: np.random.Generator, width: int, height: int) -> tuple[Path, Rgb]:
    """One of the pictures in a folder as a background, and its path.

    :raises InputFileError: no such folder, no image in it, or a file that is no image.
    """
    path = choose(image_files(folder, "backgrounds"), rng)
    return path, image_background(path, width, height)


def seen_of_plane(picture: Rgb, margin: tuple[int, int], plane: FacingPlane, cameras: Sequence[Camera]) -> Rgb:
    """What cameras see of the plane behind the head while a shutter is open: the mean of their light.

    :param picture: on the plane, (h, w, 3) uint8 sRGB: what ``plane.view`` sees of it, and ``margin`` pixels beyond.
    :param margin: (x, y) pixels.
    :param cameras: the camera at moments of the exposure; one alone where nothing blurs.
    :returns: (H, W, 3) uint8 sRGB; beyond the picture's edge, the edge goes on.
    """
    views = [_warped(picture, margin, plane, camera) for camera in cameras]
    if len(views) == 1:
        return views[0]
    light = np.zeros(views[0].shape, dtype=np.float32)
    for view in views:
        light += srgb_to_linear(view)
    return linear_to_srgb(light / np.float32(len(views)))


def _warped(picture: Rgb, margin: tuple[int, int], plane: FacingPlane, camera: Camera) -> Rgb:
    H = plane.homography(camera, plane.view)
    H = np.array([[1, 0, margin[0]], [0, 1, margin[1]], [0, 0, 1]]) @ H
    # OpenCV's own warp rounds places to 1/32 pixel; a map of floats rounds the cubic's weights alone.
    u, v = np.meshgrid(np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64))
    x, y, w = (H[i, 0] * u + H[i, 1] * v + H[i, 2] for i in range(3))
    warped = cv2.remap(
        picture,
        (x / w).astype(np.float32),
        (y / w).astype(np.float32),
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cast(Rgb, warped)


def plain_background(grey: float, width: int, height: int) -> Rgb:
    """A wall of one grey, (height, width, 3) uint8 sRGB; ``grey`` is its sRGB value, 1 is white."""
    _check_size(width, height)
    return np.full((height, width, 3), round(255 * grey), dtype=np.uint8)


def _defocus(picture: Array32, radius: float) -> Array32:
    """The picture (H, W, 3) spread over a disc of ``radius`` pixels."""
    if radius < 0.5:
        return picture
    reach = int(np.ceil(radius))
    offsets = np.arange(-reach, reach + 1)
    disc = np.clip(radius + 0.5 - np.hypot(*np.meshgrid(offsets, offsets)), 0, 1).astype(np.float32)
    return cast(Array32, cv2.filter2D(picture, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT_101))


def _check_size(width: int, height: int) -> None:
    if not (1 <= width <= 16384 and 1 <= height <= 16384):
        raise JobError(f"a background of {width} x {height} pixels is not possible")
