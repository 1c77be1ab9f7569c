"""Flow and depth from the meshes and the camera alone, by ray casting: the check on the renderer.

All is in camera coordinates. A triangle with corners A, B, C (columns of V) meets the pixel's ray r = K^-1 (u, v, 1)
at the depth z and with the barycentric weights w for which V w = z r and sum(w) = 1; by Cramer's rule

    s = (r . (B x C), r . (C x A), r . (A x B)),    w = s / sum(s),    z = det(V) / sum(s).

Embree only says which triangle is met first; these formulas, in float64, give everything else. They hold beyond
the triangle's edges too, and so tell what a neighbouring pixel would show if the same surface went on there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import MissingPackageError
from ffngen.geometry.camera import Camera
from ffngen.geometry.plane import FacingPlane

Array64 = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: A frame that flows lead to: the mesh's vertices there, (V, 3), metres, world, and the camera there.
Target = tuple[NDArray[Any], Camera]

#: Two neighbouring pixels show one surface only if the one's triangle, extended, predicts the other's flow this
#: closely, in pixels ...
SAME_FLOW = 0.02
#: ... and its depth this closely, in widths of a pixel at that depth.
SAME_DEPTH = 1.0

#: How far, in pixels, a renderer's ray may lie from the pixel's centre by its own rounding.
EDGE_SHIFT = 0.02

#: A point is hidden when a surface lies so much before it, metres; less is rounding.
HIDDEN_BEHIND = 5e-4


@dataclass(frozen=True)
class CastFrame:
    """One frame as it is seen through the centre of each pixel.

    :param camera: the camera.
    :param faces: (F, 3) integer, triangles.
    :param rays: (H, W, 3) float64, camera coordinates, of depth 1.
    :param triangle: (H, W) int64: the first triangle on each pixel's ray, -1 where there is none.
    :param barycentric: (H, W, 3) float64: where on the triangle; 0 where there is none.
    :param depth: (H, W) float64, metres along the optical axis; infinite where there is none.
    :param crosses: (F, 3, 3) float64: the cross products of the formula above, one row per corner.
    :param determinants: (F,) float64.
    :param scene: Embree's.
    """

    camera: Camera
    faces: NDArray[np.int64]
    rays: Array64
    triangle: NDArray[np.int64]
    barycentric: Array64
    depth: Array64
    crosses: Array64
    determinants: Array64
    scene: Any

    @property
    def hit(self) -> Bools:
        """(H, W) bool: where the mesh is."""
        return self.triangle >= 0

    def flow_to(self, vertices: NDArray[Any], camera: Camera) -> Array64:
        """The flow to the frame in which the same mesh has these vertices.

        :param vertices: (V, 3), metres, world.
        :param camera: that frame's.
        :returns: (H, W, 2) float64, pixels; 0 beside the mesh.
        """
        hit = self.hit
        flow = np.zeros((*hit.shape, 2))
        flow[hit] = self._moved((vertices, camera), self.triangle[hit], self.barycentric[hit]) - _pixels(hit)
        return flow

    def visible_in(self, next_frame: CastFrame, vertices: NDArray[Any]) -> Bools:
        """Which pixels' points are still seen in another frame: neither hidden by the mesh nor out of the picture.

        :param next_frame: the same mesh, cast in that frame.
        :param vertices: (V, 3), metres, world: its vertices there.
        :returns: (H, W) bool; false beside the mesh.
        """
        camera = next_frame.camera
        corners = camera.to_camera(vertices)[self.faces[self.triangle[self.hit]]]
        points = np.einsum("pc,pcx->px", self.barycentric[self.hit], corners)
        rays = points / points[:, 2:]
        pixels = rays @ camera.K.T
        last = np.array([camera.width - 0.5, camera.height - 0.5])
        seen = ((pixels[:, :2] >= -0.5) & (pixels[:, :2] <= last)).all(axis=1) & (points[:, 2] > 0)
        hidden = next_frame.depth_along(rays) < points[:, 2] - HIDDEN_BEHIND
        result = np.zeros(self.hit.shape, dtype=bool)
        result[self.hit] = seen & ~hidden
        return result

    def depth_along(self, rays: Array64) -> Array64:
        """(P,) float64, metres along the optical axis: where rays (P, 3) from the camera, of depth 1, meet the mesh.

        Infinite where they do not.
        """
        first = _run(self.scene, rays)
        met = first >= 0
        result = np.full(len(rays), np.inf)
        _, result[met] = _meet(self.crosses[first[met]], self.determinants[first[met]], rays[met])
        return result

    def silhouette(self, targets: tuple[Target, ...]) -> Bools:
        """The pixels beside an edge of the image of a surface: outlines, and lines where one part hides another.

        Two pixels that share a side lie on either side of such an edge when only one of them shows the mesh,
        or when they show two surfaces (:meth:`_two_surfaces`). Both pixels then count.

        :param targets: the frames that flows lead to.
        :returns: (H, W) bool.
        """
        result = np.zeros(self.hit.shape, dtype=bool)
        whole, first, second = slice(None), slice(None, -1), slice(1, None)
        for one, other in (((whole, first), (whole, second)), ((first, whole), (second, whole))):
            edge = self.hit[one] != self.hit[other]
            differ = self.hit[one] & self.hit[other] & (self.triangle[one] != self.triangle[other])
            edge[differ] = self._two_surfaces(
                self.triangle[one][differ], self.triangle[other][differ], self.rays[other][differ], targets
            )
            result[one] |= edge
            result[other] |= edge
        return result

    def near_edge(self, pixels: Bools, targets: tuple[Target, ...]) -> Bools:
        """Which of some pixels see another surface when their ray moves by :data:`EDGE_SHIFT`.

        An edge can pass so close to a pixel's centre that its neighbours do not tell: a sliver thinner than a
        pixel, or a corner. There the renderer's rounding decides what is seen.

        :param pixels: (H, W) bool: the pixels to look at.
        :param targets: as for :meth:`silhouette`.
        :returns: (H, W) bool, within ``pixels``.
        """
        result = np.zeros(self.hit.shape, dtype=bool)
        rays, triangle = self.rays[pixels], self.triangle[pixels]
        found = np.zeros(len(rays), dtype=bool)
        to_rays = EDGE_SHIFT * np.linalg.inv(self.camera.K)[:, :2]
        for angle in np.arange(8) * np.pi / 4:
            shifted = rays + to_rays @ np.array([np.cos(angle), np.sin(angle)])
            seen = _run(self.scene, shifted)
            found |= (seen < 0) != (triangle < 0)
            differ = (seen >= 0) & (triangle >= 0) & (seen != triangle)
            found[differ] |= self._two_surfaces(triangle[differ], seen[differ], shifted[differ], targets)
        result[pixels] = found
        return result

    def _two_surfaces(
        self,
        one: NDArray[np.int64],
        other: NDArray[np.int64],
        rays: Array64,
        targets: tuple[Target, ...],
    ) -> Bools:
        """Whether triangles (P,) that are seen beside each other belong to different surfaces.

        They do when they have no vertex in common, or turn different sides to the camera; and when, on the rays
        (P, 3) of the other one, the one triangle, extended, misses the other's depth by more than
        :data:`SAME_DEPTH` or its place in any of the next frames by more than :data:`SAME_FLOW`.
        """
        apart = ~self._joined(one, other)
        one, other, rays = one[apart], other[apart], rays[apart]
        with np.errstate(divide="ignore", invalid="ignore"):
            weights, depth = _meet(self.crosses[one], self.determinants[one], rays)
            other_weights, other_depth = _meet(self.crosses[other], self.determinants[other], rays)
            pixel_width = other_depth / min(self.camera.K[0, 0], self.camera.K[1, 1])
            same: Bools = np.abs(depth - other_depth) <= SAME_DEPTH * pixel_width
            for target in targets:
                missed = self._moved(target, one, weights) - self._moved(target, other, other_weights)
                same &= np.hypot(missed[:, 0], missed[:, 1]) <= SAME_FLOW
        apart[apart] = ~same
        return apart

    def _joined(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> Bools:
        """(P,) bool: whether triangles (P,) have a vertex in common and turn the same side to the camera."""
        common: Bools = (self.faces[one][:, :, None] == self.faces[other][:, None, :]).any(axis=(1, 2))
        common &= np.signbit(self.determinants[one]) == np.signbit(self.determinants[other])
        return common

    def _moved(self, target: Target, triangle: NDArray[np.int64], barycentric: Array64) -> Array64:
        """Pixels (P, 2) of the points with these weights (P, 3) on these triangles (P,) of a moved mesh."""
        vertices, camera = target
        corners = camera.to_camera(vertices)[self.faces[triangle]]
        points = np.einsum("pc,pcx->px", barycentric, corners) @ camera.K.T
        return np.asarray(points[:, :2] / points[:, 2:])


def cast_frame(vertices: NDArray[Any], faces: NDArray[Any], camera: Camera) -> CastFrame:
    """Cast one ray through the centre of each pixel.

    :param vertices: (V, 3), metres, world.
    :param faces: (F, 3), triangles; both sides of a triangle are seen.
    :raises MissingPackageError: embreex is not installed.
    """
    corners = camera.to_camera(vertices)
    triangles: NDArray[np.int64] = faces.astype(np.int64)
    a, b, c = (corners[triangles[:, i]] for i in range(3))
    crosses = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
    determinants = np.einsum("fx,fx->f", a, crosses[:, 0])
    rows, columns = np.mgrid[: camera.height, : camera.width]
    rays = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ np.linalg.inv(camera.K).T
    scene = _embree_scene(corners, triangles)
    triangle = np.full(rays.shape[:2], -1, dtype=np.int64)
    window = _bounds(corners, camera)
    triangle[window] = _run(scene, rays[window].reshape(-1, 3)).reshape(triangle[window].shape)
    hit = triangle >= 0
    barycentric = np.zeros(rays.shape)
    depth = np.full(triangle.shape, np.inf)
    met = triangle[hit]
    barycentric[hit], depth[hit] = _meet(crosses[met], determinants[met], rays[hit])
    return CastFrame(camera, triangles, rays, triangle, barycentric, depth, crosses, determinants, scene)


class CastPlane(NamedTuple):
    """A plane as it is seen through the centre of each pixel of a frame.

    :param depth: (H, W) float64, metres along the axis of the frame's camera.
    :param flow: (H, W, 2) float64, pixels: to another frame.
    :param depth_after: (H, W) float64, metres along the axis of that frame's camera.
    """

    depth: Array64
    flow: Array64
    depth_after: Array64


def cast_plane(plane: FacingPlane, camera: Camera, later: Camera) -> CastPlane:
    """The plane behind the head through the centre of each pixel, as if nothing stood before it.

    :param later: the camera of the frame that the flow leads to.
    """
    axis = plane.view.T_world_cam[:3, 2]
    point = plane.view.position + plane.depth * axis
    origin, directions = camera.pixel_rays()
    depth = ((point - origin) @ axis) / (directions @ axis)
    pixels, depth_after = later.project(origin + depth[..., None] * directions)
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    return CastPlane(depth, pixels - np.stack([u, v], axis=-1), depth_after)


def _meet(crosses: Array64, determinants: Array64, rays: Array64) -> tuple[Array64, Array64]:
    """Barycentric weights (P, 3) and depth (P,) where rays (P, 3) meet the planes of triangles."""
    s = np.einsum("pcx,px->pc", crosses, rays)
    total = s.sum(axis=1)
    return s / total[:, None], determinants / total


def _embree_scene(corners: Array64, faces: NDArray[np.int64]) -> Any:
    try:
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene
    except ImportError as error:
        raise MissingPackageError("ray casting needs embreex", mend='pip install "ffngen[render]"') from error
    scene = EmbreeScene()
    TriangleMesh(scene, corners.astype(np.float32), faces.astype(np.int32))
    return scene


def _run(scene: Any, rays: Array64) -> NDArray[np.int64]:
    """(P,) int64: the first triangle on each ray (P, 3) from the camera, -1 where there is none."""
    directions = np.ascontiguousarray(rays, dtype=np.float32)
    if not len(directions):
        return np.zeros(0, dtype=np.int64)
    return np.asarray(scene.run(np.zeros_like(directions), directions), dtype=np.int64)


def _bounds(corners: Array64, camera: Camera) -> tuple[slice, slice]:
    """The rows and columns outside which no vertex is seen; the whole image when the mesh reaches the camera."""
    if corners[:, 2].min() <= 1e-6:
        return slice(None), slice(None)
    pixels = corners @ camera.K.T
    pixels = pixels[:, :2] / pixels[:, 2:]
    low = np.clip(np.floor(pixels.min(axis=0)), 0, (camera.width, camera.height)).astype(int)
    high = np.clip(np.ceil(pixels.max(axis=0)) + 1, 0, (camera.width, camera.height)).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _pixels(where: Bools) -> Array64:
    """(P, 2) float64: the pixel coordinates (u, v) of the true elements."""
    rows, columns = np.nonzero(where)
    return np.stack([columns, rows], axis=-1).astype(np.float64)
