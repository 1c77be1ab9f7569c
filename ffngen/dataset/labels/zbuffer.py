"""Which triangle is seen at any place of the image: a z-buffer in NumPy.

In the image, a triangle's barycentric coordinates b and the inverse depth 1/z of its plane are linear; the weights of
its corners on the surface are w = (b / z of the corners) * z, which is what perspective-correct interpolation is
(Heckbert, "Fundamentals of Texture Mapping and Image Warping", section 2.3). All is float64.

:mod:`ffngen.dataset.raycast`, which verifies what is made with this, works in space with Embree; the two share no code.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.uv_raster import edge_planes, ranges
from ffngen.errors import DatasetError
from ffngen.geometry.camera import Camera

Array64 = NDArray[np.float64]
Ints = NDArray[np.int64]

#: A triangle's edge belongs to it, with this much for rounding, in barycentric units: no gaps between neighbours.
_EDGE = 1e-9
#: So many pairs of a triangle and a place are tested at once: they fit into a cache of megabytes.
_AT_ONCE = 1 << 18
#: Metres: nearer than this, a triangle cannot be projected.
_NEAREST = 1e-4


@dataclass(frozen=True, eq=False)
class ProjectedMesh:
    """A triangle mesh in the image of a camera.

    :param camera: the camera.
    :param faces: (F, 3) int64.
    :param points: (V, 3) float64, metres, camera coordinates.
    :param pixels: (V, 2) float64: where each vertex is seen.
    :param planes: (F, 3, 3) float64: corner i's barycentric coordinate at the pixel (u, v) is
        ``planes[f, i] @ (u, v, 1)``; NaN for a triangle that is seen from its edge.
    :param inverse: (F, 3) float64: ``inverse[f] @ (u, v, 1)`` is 1/depth of the triangle's plane there.
    """

    camera: Camera
    faces: Ints
    points: Array64
    pixels: Array64
    planes: Array64
    inverse: Array64

    @classmethod
    def of(cls, vertices: NDArray[np.float32], faces: NDArray[np.int32], camera: Camera) -> ProjectedMesh:
        """Project a mesh.

        :param vertices: (V, 3), metres, world.
        :param faces: (F, 3); both sides of a triangle are seen.
        :raises DatasetError: the mesh reaches behind the camera.
        """
        points = camera.to_camera(vertices)
        if points[:, 2].min() <= _NEAREST:
            raise DatasetError("the head reaches behind the camera, where labels are not defined")
        pixels, depth = camera.project(vertices)
        triangles = faces.astype(np.int64)
        planes = edge_planes(pixels[triangles])
        return cls(camera, triangles, points, pixels, planes, np.einsum("fi,fix->fx", 1 / depth[triangles], planes))

    def first(self, places: Array64) -> tuple[Ints, Array64]:
        """The nearest triangle at places of the image, and its depth.

        :param places: (P, 2) float64, pixels.
        :returns: (P,) int64 triangles, -1 where there is none; (P,) float64 depths, metres, infinite there.
        """
        nearest = np.zeros(len(places))
        triangle = np.full(len(places), -1, dtype=np.int64)
        for face, place in self._candidates(places):
            u, v = places[place].T
            inside = np.ones(len(face), dtype=bool)
            for corner in range(3):
                plane = self.planes[face, corner]
                inside &= plane[:, 0] * u + plane[:, 1] * v + plane[:, 2] >= -_EDGE
            face, place, u, v = face[inside], place[inside], u[inside], v[inside]
            plane = self.inverse[face]
            inverse = plane[:, 0] * u + plane[:, 1] * v + plane[:, 2]
            np.maximum.at(nearest, place, inverse)
            wins = inverse == nearest[place]
            triangle[place[wins]] = face[wins]
        with np.errstate(divide="ignore"):
            return triangle, 1 / nearest

    def weights(self, triangle: Ints, places: Array64) -> Array64:
        """(P, 3) float64: the weights of the corners of triangles (P,) on the surface seen at places (P, 2)."""
        homogeneous = np.column_stack([places, np.ones(len(places))])
        weights = np.einsum("pix,px->pi", self.planes[triangle], homogeneous)
        weights /= self.points[self.faces[triangle], 2]
        return np.asarray(weights / weights.sum(axis=1, keepdims=True))

    def surface_points(self, triangle: Ints, weights: Array64) -> Array64:
        """(P, 3) float64, metres, camera coordinates: points with weights (P, 3) on triangles (P,)."""
        return np.asarray(np.einsum("pi,pix->px", weights, self.points[self.faces[triangle]]))

    def _candidates(self, places: Array64) -> Iterator[tuple[Ints, Ints]]:
        """Pairs of a triangle and a place (indices) whose pixels meet the triangle's box, some at a time."""
        size = np.array([self.camera.width, self.camera.height])
        cell = np.floor(places + 0.5).astype(np.int64)
        within = np.flatnonzero(((cell >= 0) & (cell < size)).all(axis=1))
        number = cell[within, 1] * size[0] + cell[within, 0]
        order = np.argsort(number, kind="stable")
        within = within[order]
        # The places of pixel c are within[starts[c]:starts[c + 1]].
        starts = np.searchsorted(number[order], np.arange(size[0] * size[1] + 1))
        corners = self.pixels[self.faces]
        low = np.clip(np.floor(corners.min(axis=1) + 0.5), 0, size).astype(np.int64)
        high = np.clip(np.floor(corners.max(axis=1) + 0.5), -1, size - 1).astype(np.int64)
        # A column of pixels of a box is not contiguous, a row is: each row of each box is one run of places.
        rows = np.maximum(high[:, 1] - low[:, 1] + 1, 0)
        rows[(high[:, 0] < low[:, 0]) | np.isnan(self.planes[:, 0, 0])] = 0
        face, row = ranges(rows)
        row += low[face, 1]
        begin = starts[row * size[0] + low[face, 0]]
        counts = starts[row * size[0] + high[face, 0] + 1] - begin
        ends = np.cumsum(counts)
        at = 0
        while at < len(face):
            stop = max(int(np.searchsorted(ends, (ends[at - 1] if at else 0) + _AT_ONCE, side="right")), at + 1)
            run, step = ranges(counts[at:stop])
            yield face[at:stop][run], within[begin[at:stop][run] + step]
            at = stop


@dataclass(frozen=True, eq=False)
class SeenFrame:
    """What is seen through the centre of each pixel of a frame.

    :param mesh: the frame's mesh.
    :param triangle: (H, W) int64, -1 beside the head.
    :param places: (P, 2) float64: the pixels (u, v) of the head, row by row.
    :param weights: (P, 3) float64: where on its triangle each of them lies.
    """

    mesh: ProjectedMesh
    triangle: Ints
    places: Array64
    weights: Array64

    @classmethod
    def of(cls, mesh: ProjectedMesh) -> SeenFrame:
        """Look through every pixel's centre."""
        height, width = mesh.camera.height, mesh.camera.width
        rows, columns = np.divmod(np.arange(height * width), width)
        everywhere = np.column_stack([columns, rows]).astype(np.float64)
        triangle, _ = mesh.first(everywhere)
        seen = triangle >= 0
        places = everywhere[seen]
        return cls(mesh, triangle.reshape(height, width), places, mesh.weights(triangle[seen], places))

    @property
    def hit(self) -> NDArray[np.bool_]:
        """(H, W) bool: where the head is."""
        return self.triangle >= 0

    @property
    def seen(self) -> Ints:
        """(P,) int64: the triangles of ``places``."""
        return self.triangle[self.hit]
