"""Checking what labels say of one frame: normals, regions, texture coordinates, landmarks and coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ffngen.dataset.labels.compute import Points
from ffngen.dataset.labels.layout import LabelKind
from ffngen.dataset.labels.read import PairLabels
from ffngen.dataset.labels.surface import Surface
from ffngen.dataset.labels.tally import Tally
from ffngen.dataset.raycast import HIDDEN_BEHIND, CastFrame
from ffngen.dataset.report import Fault
from ffngen.errors import InputFileError, MissingPackageError

Array64 = NDArray[np.float64]

#: Texture coordinates are right within this; a tenth of a texel of a 1024's texture.
UV_ERROR = 1e-4
#: So many times so many rays look at how much of a pixel is covered.
_COVERAGE_GRID = 8
#: Texture coordinates that change by more than this from pixel to pixel do so at a seam of the atlas.
_SEAM = 0.05


def check_frame(
    kind: LabelKind,
    cast: CastFrame,
    vertices: NDArray[np.float32],
    labels: PairLabels,
    surface: Surface | None,
    tally: Tally,
) -> None:
    """Compare one kind of labels of a facial frame; the kinds that describe pairs are passed over."""
    match kind:
        case LabelKind.NORMALS:
            _check_normals(cast, vertices, labels.normals, tally)
        case LabelKind.COVERAGE:
            _check_coverage(cast, labels.coverage, labels.frame, tally)
        case LabelKind.SEGMENTATION if surface is not None:
            check_regions(cast, labels.segmentation, surface, tally)
        case LabelKind.UV if surface is not None:
            _check_uv(cast, labels.uv, surface, tally)
        case LabelKind.LANDMARKS if surface is not None:
            check_points(cast, vertices, labels.landmarks, surface, tally)


def check_regions(cast: CastFrame, segmentation: NDArray[np.uint8], surface: Surface, tally: Tally) -> None:
    """Compare a segmentation with the regions of the triangles that rays meet."""
    # The last element is what -1, no triangle, finds.
    expected = np.append(surface.face_ids, 0)[cast.triangle]
    tally.add(Fault.SEGMENTATION, (segmentation != expected)[cast.hit | (segmentation != 0)])


def check_points(
    cast: CastFrame, vertices: NDArray[np.float32], points: Points, surface: Surface, tally: Tally
) -> None:
    """Compare landmarks and vertices with their projection, and with what a ray to each of them meets first."""
    corners = vertices[cast.faces[surface.landmark_faces]].astype(np.float64)
    landmarks = (corners * surface.landmark_weights[:, :, None]).sum(axis=1)
    for places, pixels, depth, visible in (
        (landmarks, points.landmarks, points.landmark_depth, points.landmarks_visible),
        (vertices.astype(np.float64), points.vertices, points.vertex_depth, points.vertices_visible),
    ):
        if len(pixels) != len(places):
            raise InputFileError(f"a label has {len(pixels)} points, and the mesh {len(places)}")
        expected, expected_depth = cast.camera.project(places)
        tally.add(Fault.LANDMARKS, np.hypot(*(pixels - expected).T))
        tally.add(Fault.LANDMARKS, (depth - expected_depth) * cast.camera.K[0, 0] / expected_depth)
        tally.add(Fault.LANDMARK_VISIBILITY, visible != _is_seen(cast, places, expected))


def check_points_on_uv(
    cast: CastFrame, points: Points, uv: NDArray[np.float32], surface: Surface, tally: Tally
) -> None:
    """Compare the texture coordinates that a frame has at its landmarks with those of the landmarks on the surface.

    The difference counts in pixels: it is divided by how fast texture coordinates change there. Landmarks beside a
    silhouette or a seam of the atlas are left out, as pixels around them show another surface.
    """
    corners = surface.uv_faces[surface.landmark_faces]
    on_surface = np.einsum("pc,pcx->px", surface.landmark_weights, surface.uv_coordinates[corners].astype(np.float64))
    whole = np.where((cast.hit & ~cast.silhouette(()))[..., None], uv.astype(np.float64), np.nan)
    places = points.landmarks.astype(np.float64)
    base = np.floor(places).astype(np.int64)
    height, width = cast.hit.shape
    chosen = points.landmarks_visible & (corners >= 0).all(axis=1)
    chosen &= ((base >= 0) & (base < [width - 1, height - 1])).all(axis=1)
    (u, v), (right, down) = base[chosen].T, (places - base)[chosen].T[..., None]
    at = {(i, j): whole[v + j, u + i] for i in range(2) for j in range(2)}
    along, across = at[1, 0] - at[0, 0], at[0, 1] - at[0, 0]
    seen = (1 - down) * ((1 - right) * at[0, 0] + right * at[1, 0]) + down * ((1 - right) * at[0, 1] + right * at[1, 1])
    determinant = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
    missed = seen - on_surface[chosen]
    x = (missed[:, 0] * across[:, 1] - missed[:, 1] * across[:, 0]) / determinant
    y = (along[:, 0] * missed[:, 1] - along[:, 1] * missed[:, 0]) / determinant
    steps = np.abs(np.concatenate([along, across, at[1, 1] - at[0, 0]], axis=1)).max(axis=1)
    tally.add(Fault.LANDMARKS_ON_UV, np.hypot(x, y)[steps < _SEAM])


def _is_seen(cast: CastFrame, places: Array64, pixels: Array64) -> NDArray[np.bool_]:
    size = (cast.camera.width, cast.camera.height)
    within = ((pixels >= -0.5) & (pixels <= np.array(size) - 0.5)).all(axis=1)
    points = cast.camera.to_camera(places)
    nearest = cast.depth_along(points / points[:, 2:])
    return np.asarray(within & ~(nearest < points[:, 2] - HIDDEN_BEHIND))


def _check_normals(cast: CastFrame, vertices: NDArray[np.float32], normals: NDArray[np.float32], tally: Tally) -> None:
    """Compare with trimesh's vertex normals, interpolated where the rays meet the triangles."""
    try:
        import trimesh
    except ImportError as error:
        raise MissingPackageError("checking normals needs trimesh", mend='pip install "ffngen[render]"') from error
    mesh = trimesh.Trimesh(vertices.astype(np.float64), cast.faces, process=False, validate=False)
    hit = cast.hit & ~cast.silhouette(())
    corners = cast.faces[cast.triangle[hit]]
    world = np.einsum("pc,pcx->px", cast.barycentric[hit], mesh.vertex_normals[corners])
    expected = world @ cast.camera.T_world_cam[:3, :3]
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    # det(V) is positive where a triangle's corners run clockwise in the image, which its back does.
    expected[cast.determinants[cast.triangle[hit]] > 0] *= -1
    found = normals[hit].astype(np.float64)
    length = np.linalg.norm(found, axis=1)
    cosine = np.einsum("px,px->p", found, expected) / length
    angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
    tally.add(Fault.NORMALS, np.where(np.abs(length - 1) < 0.01, angle, np.nan))


def _check_uv(cast: CastFrame, uv: NDArray[np.float32], surface: Surface, tally: Tally) -> None:
    hit = cast.hit & ~cast.silhouette(())
    corners = surface.uv_faces[cast.triangle[hit]]
    textured = (corners >= 0).all(axis=1)
    expected = np.full((len(corners), 2), np.nan)
    expected[textured] = np.einsum(
        "pc,pcx->px", cast.barycentric[hit][textured], surface.uv_coordinates[corners[textured]].astype(np.float64)
    )
    same = np.abs(uv[hit] - expected).max(axis=1) <= UV_ERROR
    tally.add(Fault.UV, ~np.where(textured, same, np.isnan(uv[hit]).all(axis=1)))


def _check_coverage(cast: CastFrame, coverage: NDArray[np.uint8], frame: int, tally: Tally) -> None:
    """Compare with rays at random places of each pixel that the outline passes; elsewhere, with those through centres.

    Errors are shares of a pixel. Where no outline passes, only what is wrong is counted.
    """
    hits = cast.hit.astype(np.float64)
    outline = ndimage.maximum_filter(hits, 3, mode="nearest") != ndimage.minimum_filter(hits, 3, mode="nearest")
    rows, columns = np.nonzero(outline)
    # One in each cell of a grid: random, and yet even.
    cells = np.stack(np.divmod(np.arange(_COVERAGE_GRID**2), _COVERAGE_GRID), axis=-1)
    inside = cells + np.random.default_rng(frame).uniform(size=(len(rows), len(cells), 2))
    places = np.stack([columns, rows], axis=-1)[:, None] + inside / _COVERAGE_GRID - 0.5
    rays = np.concatenate([places, np.ones((*places.shape[:2], 1))], axis=-1) @ np.linalg.inv(cast.camera.K).T
    share = np.isfinite(cast.depth_along(rays.reshape(-1, 3))).reshape(places.shape[:2]).mean(axis=1)
    tally.add(Fault.COVERAGE, coverage[outline] / 255 - share)
    within = ~outline & ((coverage == 0) | (coverage == 255))
    wrong = (coverage[within] == 255) != cast.hit[within]
    tally.add(Fault.COVERAGE, wrong[wrong])
