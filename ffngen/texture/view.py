"""One picture of a head: where each texel of its atlas is seen in it, how well, and in what colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import srgb_to_linear
from ffngen.appearance.noise import smoothstep
from ffngen.geometry.camera import Camera
from ffngen.geometry.normals import vertex_normals
from ffngen.texture.occlusion import Occluder

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]
Rgb = NDArray[np.uint8]

#: Cosines of the angle between the surface and the line of sight: below the first a texel is not used, from the
#: second on fully.
_GRAZING, _CLEAR = 0.08, 0.30

#: sRGB values from which a channel is taken to be clipped, and what such a pixel still counts: it is too dark and
#: of a wrong hue, but where nothing else is seen it is better than a guess.
_CLIPPED, _CLIPPED_SHARE = 251, 0.05

#: Pixels per texel, along a side, from which on the picture is averaged down first.
_TOO_FINE = 1.3


@dataclass(frozen=True)
class View:
    """A picture with what is known of it.

    :param image: (H, W, 3) uint8 sRGB.
    :param camera: its camera, of the picture's size.
    :param vertices: (V, 3) float, metres: the head in the camera's world.
    :param name: for messages and the record.
    """

    image: Rgb
    camera: Camera
    vertices: NDArray[Any]
    name: str


@dataclass(frozen=True)
class Projected:
    """A view's colours on the surface. N texels.

    :param colour: (N, 3) float32, linear light; 0 where the texel is not in the picture.
    :param weight: (N,) float32: 0 where it is not seen, else rising with the pixels that show a square metre of it.
    :param cosine: (N,) float32: of the angle to the line of sight; 0 where it is not seen.
    :param normals: (V, 3) float64, of the posed head in the world.
    """

    colour: Array32
    weight: Array32
    cosine: Array32
    normals: Array64


def project(view: View, faces: NDArray[np.int32], corners: NDArray[np.int32], barycentric: Array32) -> Projected:
    """Look up texels in a view.

    :param faces: (F, 3), the head's.
    :param corners: (N, 3) the vertices of each texel's face.
    :param barycentric: (N, 3) float32.
    """
    vertices = view.vertices.astype(np.float64)
    normals = vertex_normals(vertices, faces)
    points = _at(vertices, corners, barycentric)
    normal = _at(normals, corners, barycentric)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-12
    to_camera = view.camera.position - points
    to_camera /= np.linalg.norm(to_camera, axis=1, keepdims=True)
    cosine = (normal * to_camera).sum(axis=1)
    pixels, depth = view.camera.project(points)
    last = np.array([view.camera.width - 1, view.camera.height - 1])
    seen = (cosine > _GRAZING) & (depth > 0) & ((pixels >= 0) & (pixels <= last)).all(axis=1)
    candidates = np.flatnonzero(seen)
    free = Occluder(vertices, faces).is_free(points[candidates], to_camera[candidates])
    seen[candidates] = free
    chosen = np.flatnonzero(seen)
    image, scale = _averaged(view.image, _pixels_per_texel(view, points, chosen, len(corners)))
    colour = np.zeros((len(corners), 3), dtype=np.float32)
    at = (pixels[chosen] + 0.5) * scale - 0.5
    colour[chosen] = _sampled(srgb_to_linear(image), at)
    clipped = _sampled((view.image >= _CLIPPED).any(axis=2).astype(np.float32)[..., None], pixels[chosen])[:, 0]
    weight = np.zeros(len(corners), dtype=np.float32)
    # Pixels per square metre fall with the cosine; its square prefers the view that looks straight on once more.
    nearness = (view.camera.K[0, 0] / depth[chosen] / 1000) ** 2
    weight[chosen] = nearness * cosine[chosen] ** 3 * smoothstep(_GRAZING, _CLEAR, cosine[chosen].astype(np.float32))
    weight[chosen] *= 1 - (1 - _CLIPPED_SHARE) * np.minimum(clipped, 1)
    return Projected(colour, weight, np.where(seen, cosine, 0).astype(np.float32), normals)


def _at(values: Array64, corners: NDArray[np.int32], barycentric: Array32) -> Array64:
    result: Array64 = values[corners[:, 0]] * barycentric[:, :1]
    for k in (1, 2):
        result += values[corners[:, k]] * barycentric[:, k, None]
    return result


def _pixels_per_texel(view: View, points: Array64, chosen: NDArray[np.int64], count: int) -> float:
    """Pixels along a texel's side, typical of the seen texels (C,) of an atlas of ``count``: neighbours' distance."""
    following = chosen[np.flatnonzero(np.diff(chosen) == 1)]
    if len(following) < 16:
        return 1.0
    here, there = (view.camera.project(points[index])[0] for index in (following, following + 1))
    return float(np.median(np.linalg.norm(there - here, axis=1)))


def _averaged(image: Rgb, pixels_per_texel: float) -> tuple[Rgb, Array64]:
    """A picture whose pixels are not finer than texels, and the factors (2,) by which its sides became smaller."""
    height, width = image.shape[:2]
    if pixels_per_texel < _TOO_FINE:
        return image, np.ones(2)
    size = max(round(width / pixels_per_texel), 1), max(round(height / pixels_per_texel), 1)
    smaller: Rgb = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return smaller, np.array([size[0] / width, size[1] / height])


def _sampled(image: Array32, pixels: Array64) -> Array32:
    """Values (P, C) of an image (H, W, C) at pixels (P, 2), by cubic interpolation, not below 0."""
    # OpenCV takes maps of at most 32767 rows; one of 1024 columns stays below for 33 million texels.
    rows = -(-len(pixels) // 1024)
    padded = np.zeros((rows * 1024, 2), dtype=np.float32)
    padded[: len(pixels)] = pixels
    u, v = (np.ascontiguousarray(padded[:, k].reshape(rows, 1024)) for k in range(2))
    if not rows:
        return np.zeros((0, image.shape[2]), dtype=np.float32)
    values = cv2.remap(image, u, v, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    flat: Array32 = np.maximum(values.reshape(rows * 1024, -1)[: len(pixels)], 0)
    return flat
