"""A picture to judge a texture by, drawn by ray casting: the head, a photo, the atlas, the confidence."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb, srgb_to_linear
from ffngen.appearance.uv_raster import texel_coordinates
from ffngen.dataset.raycast import cast_frame
from ffngen.geometry.camera import Camera
from ffngen.geometry.normals import vertex_normals
from ffngen.head.model import HeadModel
from ffngen.scene.framing import Framing, fit_camera
from ffngen.texture.extract import ExtractedTexture
from ffngen.texture.view import View

Array32 = NDArray[np.float32]
Rgb = NDArray[np.uint8]

_TILE, _GAP = 384, 6
_BACKGROUND = np.array([24, 24, 27], dtype=np.uint8)
#: Light that comes from everywhere, and from the camera.
_AMBIENT, _FROM_CAMERA = 0.45, 0.6
#: Each pixel is the mean of so many rays along a side.
_RAYS = 2


def preview(model: HeadModel, neutral: NDArray[np.float32], view: View, extracted: ExtractedTexture) -> Rgb:
    """(H, W, 3) uint8: the head from the front and turned by 30 degrees each way; below, a photo, atlas, confidence.

    :param neutral: (V, 3), metres: the person's face without expression.
    :raises MissingPackageError: embreex is not installed.
    """
    heads = [textured_head(model, _turned(neutral, angle), extracted.texture, _TILE) for angle in (0, 30, -30)]
    confidence = np.repeat(extracted.confidence[..., None], 3, axis=2)
    below = [_fitted(image) for image in (view.image, extracted.texture, confidence)]
    rows = [np.concatenate([_framed(tile) for tile in row], axis=1) for row in (heads, below)]
    return np.concatenate(rows, axis=0)


def textured_head(model: HeadModel, vertices: NDArray[Any], texture: Rgb, size: int) -> Rgb:
    """(size, size, 3) uint8: a head that looks along +z, seen from the front, lit softly from the camera."""
    vertices = vertices.astype(np.float32)
    camera = fit_camera(vertices[None], Framing(0.92, 0.92, (0.0, 0.0)), width=size, height=size, distance=0.9)
    return textured(model, vertices, texture, camera, _BACKGROUND)


def textured(
    model: HeadModel, vertices: NDArray[Any], texture: Rgb, camera: Camera, background: NDArray[np.uint8]
) -> Rgb:
    """(H, W, 3) uint8: a head with a texture before a colour (3,)."""
    assert model.uv is not None
    fine = camera.resized(camera.width * _RAYS, camera.height * _RAYS)
    frame = cast_frame(vertices, model.faces, fine)
    hit = frame.hit
    triangle, weights = frame.triangle[hit], frame.barycentric[hit]
    normals = vertex_normals(vertices.astype(np.float64), model.faces)
    normal = np.einsum("pc,pcx->px", weights, normals[model.faces[triangle]])
    sight = -frame.rays[hit] @ camera.T_world_cam[:3, :3].T
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    sight /= np.linalg.norm(sight, axis=1, keepdims=True)
    light = _AMBIENT + _FROM_CAMERA * np.clip((normal * sight).sum(axis=1), 0, 1)
    place = np.einsum("pc,pcx->px", weights, model.uv.per_corner()[triangle]).astype(np.float32)
    maps = np.full((*hit.shape, 2), -1, dtype=np.float32)
    maps[hit] = texel_coordinates(place, len(texture))
    colours = cv2.remap(srgb_to_linear(texture), maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    picture = np.broadcast_to(srgb_to_linear(background), colours.shape).copy()
    picture[hit] = colours[hit] * light[:, None]
    blocks = picture.reshape(camera.height, _RAYS, camera.width, _RAYS, 3)
    return linear_to_srgb(blocks.mean(axis=(1, 3)).astype(np.float32))


def _turned(vertices: NDArray[np.float32], degrees: float) -> NDArray[np.float64]:
    """Vertices turned about the vertical through their middle; a positive angle shows the right cheek."""
    angle = np.radians(degrees)
    R = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    middle = vertices.mean(axis=0)
    turned: NDArray[np.float64] = (vertices - middle) @ R.T + middle
    return turned


def _fitted(image: Rgb) -> Rgb:
    """An image scaled into a tile, its sides' ratio kept."""
    factor = _TILE / max(image.shape[:2])
    size = tuple(max(round(length * factor), 1) for length in image.shape[1::-1])
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST)
    tile = np.empty((_TILE, _TILE, 3), dtype=np.uint8)
    tile[:] = _BACKGROUND
    top, left = (_TILE - small.shape[0]) // 2, (_TILE - small.shape[1]) // 2
    tile[top : top + small.shape[0], left : left + small.shape[1]] = small
    return tile


def _framed(tile: Rgb) -> Rgb:
    framed: Rgb = cv2.copyMakeBorder(tile, *(_GAP,) * 4, cv2.BORDER_CONSTANT, value=_BACKGROUND.tolist())
    return framed
