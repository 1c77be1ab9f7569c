"""Every label as a function of projected meshes; arrays alone, no files.

The surroundings are a plane that stands still; where the camera moves, its image does too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ffngen.appearance.uv_raster import ranges
from ffngen.dataset.labels.surface import Surface
from ffngen.dataset.labels.zbuffer import Array64, ProjectedMesh, SeenFrame
from ffngen.dataset.raycast import HIDDEN_BEHIND
from ffngen.flow.values import Flow
from ffngen.geometry.camera import Camera
from ffngen.geometry.plane import FacingPlane

#: Values of an occlusion map.
VISIBLE, HIDDEN, OUTSIDE = 0, 1, 2

#: Coverage is the share of so many times so many places of a pixel.
COVERAGE_GRID = 8

Bytes = NDArray[np.uint8]


def flow(seen: SeenFrame, target: ProjectedMesh, plane: FacingPlane) -> Flow:
    """(H, W, 2) float32, pixels: from a frame to another one; exactly 0 where nothing moves before a camera at rest.

    :param plane: what stands behind the head.
    """
    result = plane.flow(seen.mesh.camera, target.camera)
    moves = (seen.mesh.points != target.points).any(axis=1)[seen.mesh.faces].any(axis=1)
    pixels, _ = moved(seen, target)
    result[seen.hit] = np.where(moves[seen.seen][:, None], pixels - seen.places, 0)
    return result


def moved(seen: SeenFrame, target: ProjectedMesh) -> tuple[Array64, Array64]:
    """Where the points that a frame shows are in another one.

    :returns: (P, 2) float64, pixels, and (P,) float64, metres along the optical axis; P as in ``seen.places``.
    """
    points = target.surface_points(seen.seen, seen.weights)
    return _pixels(target, points), points[:, 2]


def depth_next(seen: SeenFrame, target: ProjectedMesh, plane: FacingPlane) -> NDArray[np.float32]:
    """(H, W) float32, metres: the depth that each pixel's point has in another frame, for that frame's camera."""
    result = plane.depth_after(seen.mesh.camera, target.camera)
    result[seen.hit] = moved(seen, target)[1]
    return result


def occlusion(seen: SeenFrame, target: SeenFrame, plane: FacingPlane) -> Bytes:
    """(H, W) uint8: whether each pixel's point is still seen in another frame.

    :data:`HIDDEN` when the head, or a part of it, has moved before the point; :data:`OUTSIDE` when the point has left
    the picture; :data:`VISIBLE` elsewhere. A point of the surroundings is hidden where the head is now.
    """
    camera, later = seen.mesh.camera, target.mesh.camera
    result = np.where(target.hit, HIDDEN, VISIBLE).astype(np.uint8)
    result[seen.hit] = _fate(target.mesh, *moved(seen, target.mesh))
    if later != camera:
        rows, columns = np.nonzero(~seen.hit)
        pixels = np.stack([columns, rows], axis=-1, dtype=np.float64) + plane.flow(camera, later)[rows, columns]
        result[~seen.hit] = _fate(target.mesh, pixels, plane.depth_after(camera, later)[rows, columns])
    return result


def _fate(mesh: ProjectedMesh, pixels: Array64, depth: NDArray[Any]) -> Bytes:
    """(P,) uint8: what has become of points that are at (P, 2) and have depths (P,) in the frame of a mesh."""
    hidden = np.where(is_hidden(mesh, pixels, depth), HIDDEN, VISIBLE)
    return np.where(is_outside(pixels, mesh.camera), OUTSIDE, hidden).astype(np.uint8)


def is_outside(pixels: Array64, camera: Camera) -> NDArray[np.bool_]:
    """(P,) bool: which places (P, 2) lie beside the picture, whose edge is that of its outermost pixels."""
    last = np.array([camera.width, camera.height]) - 0.5
    result: NDArray[np.bool_] = ((pixels < -0.5) | (pixels > last)).any(axis=1)
    return result


def is_hidden(mesh: ProjectedMesh, pixels: Array64, depth: NDArray[Any]) -> NDArray[np.bool_]:
    """(P,) bool: whether a surface lies before points, which are seen at (P, 2) and have depths (P,).

    By more than :data:`HIDDEN_BEHIND`: lids rest on eyeballs, and lips on each other.
    """
    _, nearest = mesh.first(pixels)
    hidden: NDArray[np.bool_] = nearest < depth - HIDDEN_BEHIND
    return hidden


def normals(seen: SeenFrame) -> NDArray[np.float32]:
    """(H, W, 3) float32, unit, camera coordinates: smooth normals, of the side that is seen; NaN beside the head.

    A vertex's normal is the mean of its faces' normals, weighted by the angles that they have there (Thuermer and
    Wuethrich, 1998), as Blender shades.
    """
    mesh = seen.mesh
    corners = mesh.points[mesh.faces]
    face_normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    face_normals /= np.linalg.norm(face_normals, axis=1, keepdims=True) + 1e-30
    at_vertices = np.zeros_like(mesh.points)
    for corner in range(3):
        one, other = (corners[:, (corner + step) % 3] - corners[:, corner] for step in (1, 2))
        angle = np.arctan2(np.linalg.norm(np.cross(one, other), axis=1), np.einsum("fx,fx->f", one, other))
        np.add.at(at_vertices, mesh.faces[:, corner], angle[:, None] * face_normals)
    at_vertices /= np.linalg.norm(at_vertices, axis=1, keepdims=True) + 1e-30
    normal = np.einsum("pi,pix->px", seen.weights, at_vertices[mesh.faces[seen.seen]])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-30
    # Seen from behind, where the face's normal points along the ray.
    behind = np.einsum("fx,fx->f", face_normals, corners[:, 0]) > 0
    normal[behind[seen.seen]] *= -1
    result = np.full((*seen.triangle.shape, 3), np.nan, dtype=np.float32)
    result[seen.hit] = normal
    return result


def segmentation(seen: SeenFrame, surface: Surface) -> Bytes:
    """(H, W) uint8: ids of :mod:`ffngen.dataset.labels.regions`; 0 beside the head."""
    result = np.zeros(seen.triangle.shape, dtype=np.uint8)
    result[seen.hit] = surface.face_ids[seen.seen]
    return result


def uv(seen: SeenFrame, surface: Surface) -> NDArray[np.float32]:
    """(H, W, 2) float32: texture coordinates (u right, v up), NaN where there are none; in steps of 2^-16.

    Rounding to those, a 32nd of a texel of a 2048's texture, leaves digits away that only lengthen the file.
    """
    result = np.full((*seen.triangle.shape, 2), np.nan, dtype=np.float32)
    result[seen.hit] = np.round(surface.uv_at(seen.seen, seen.weights) * 65536) / 65536
    return result


@dataclass(frozen=True, eq=False)
class Points:
    """Landmarks and vertices in the image.

    :param landmarks: (L, 2) float32, pixels; L is 68 in iBUG's order, or 0 where the head model has none.
    :param landmark_depth: (L,) float32, metres.
    :param landmarks_visible: (L,) bool: within the picture and not hidden.
    :param vertices: (V, 2) float32, pixels.
    :param vertex_depth: (V,) float32, metres.
    :param vertices_visible: (V,) bool.
    """

    landmarks: NDArray[np.float32]
    landmark_depth: NDArray[np.float32]
    landmarks_visible: NDArray[np.bool_]
    vertices: NDArray[np.float32]
    vertex_depth: NDArray[np.float32]
    vertices_visible: NDArray[np.bool_]


def points(mesh: ProjectedMesh, surface: Surface) -> Points:
    """The landmarks and the vertices of a frame."""
    landmarks = mesh.surface_points(surface.landmark_faces.astype(np.int64), surface.landmark_weights)
    pixels = _pixels(mesh, landmarks)
    return Points(
        landmarks=pixels.astype(np.float32),
        landmark_depth=landmarks[:, 2].astype(np.float32),
        landmarks_visible=_is_visible(mesh, pixels, landmarks[:, 2]),
        vertices=mesh.pixels.astype(np.float32),
        vertex_depth=mesh.points[:, 2].astype(np.float32),
        vertices_visible=_is_visible(mesh, mesh.pixels, mesh.points[:, 2]),
    )


def coverage(seen: SeenFrame) -> Bytes:
    """(H, W) uint8: the share of each pixel's square that the head covers, 255 for all of it.

    Counted at 8 x 8 places where the outline may pass: beside pixels of which one shows the head and one does not, and
    where an edge runs whose two faces turn different sides to the camera, which finds what is thinner than a pixel.
    """
    hit = seen.hit
    # Where all pixels around show the head, the outlines are of parts before parts.
    around = ndimage.uniform_filter(hit.astype(np.float32), 3, mode="nearest")
    near = (around < 0.999) & ((around > 0.001) | _outline_pixels(seen.mesh, hit.shape))
    rows, columns = np.nonzero(near)
    step = (np.arange(COVERAGE_GRID) + 0.5) / COVERAGE_GRID - 0.5
    right, down = (axis.ravel() for axis in np.meshgrid(step, step))
    places = np.stack([columns[:, None] + right, rows[:, None] + down], axis=-1)
    triangle, _ = seen.mesh.first(places.reshape(-1, 2))
    result = np.where(hit, 255, 0).astype(np.uint8)
    result[near] = np.round(255 * (triangle >= 0).reshape(len(rows), -1).mean(axis=1))
    return result


def _outline_pixels(mesh: ProjectedMesh, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(H, W) bool: the pixels that an edge of an outline passes."""
    faces = mesh.faces
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
    corners = mesh.pixels[faces]
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    side = np.tile(np.where(one[:, 0] * other[:, 1] < one[:, 1] * other[:, 0], 1, -1), 3)
    unique, index = np.unique(edges, axis=0, return_inverse=True)
    # An edge inside one side of a closed surface has two faces of that side; a rim has one.
    turned = np.bincount(index, weights=side)
    ends = mesh.pixels[unique[np.abs(turned) != 2]]
    length = np.abs(ends[:, 1] - ends[:, 0]).max(axis=1)
    # Two places to a pixel.
    counts = np.ceil(np.minimum(length, 4 * max(shape)) * 2).astype(np.int64) + 1
    edge, place = ranges(counts)
    share = (place / np.maximum(counts[edge] - 1, 1))[:, None]
    passed = np.round(ends[edge, 0] * (1 - share) + ends[edge, 1] * share).astype(np.int64)
    inside = ((passed >= 0) & (passed < [shape[1], shape[0]])).all(axis=1)
    result = np.zeros(shape, dtype=bool)
    result[passed[inside, 1], passed[inside, 0]] = True
    return result


def _pixels(mesh: ProjectedMesh, points: Array64) -> Array64:
    """(P, 2) float64: where points (P, 3) in camera coordinates are seen."""
    homogeneous = points @ mesh.camera.K.T
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:])


def _is_visible(mesh: ProjectedMesh, pixels: Array64, depth: Array64) -> NDArray[np.bool_]:
    return np.asarray(~is_outside(pixels, mesh.camera) & ~is_hidden(mesh, pixels, depth))
