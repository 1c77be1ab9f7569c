"""The 68 iBUG landmarks on the open head, as points on triangles.

Most are vertices of MakeHuman's base mesh chosen by eye (``assets/open_head/landmarks.yaml``). The contour of the jaw
is found on the mean head: the line where the face turns away from a viewer in front, from eye level down to the chin,
divided into equal lengths.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from ffngen.geometry.normals import vertex_normals
from ffngen.resources import resource

Array64 = NDArray[np.float64]
Indices = NDArray[np.int64]

COUNT = 68
#: The landmark at the mirror place of each.
MIRROR_LANDMARK = (
    *(*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1)),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), 67, 66, 65),
)
#: The z component of the unit normal on the contour: the surface has turned 73 degrees away.
CONTOUR_NORMAL_Z = 0.3
#: The contour lies in front of the ears: z above this, metres.
CONTOUR_BACK = 0.0
#: In how many directions the contour is looked for, from straight down to eye level.
CONTOUR_SLOTS = 64
#: The contour begins at the outer corner of the eye, this landmark.
EYE_CORNER = 45


def place_landmarks(
    vertices: Array64, faces: Indices, skin: NDArray[np.bool_], mirror: Indices, base_index: Indices
) -> tuple[Indices, Array64]:
    """Place the landmarks on the mean head.

    :param vertices: (V, 3), metres, symmetric, in FLAME's frame.
    :param faces: (F, 3).
    :param skin: (F,) the face without ears and neck; every landmark lies on it or at its border.
    :param mirror: (V,) the vertex at the mirror place.
    :param base_index: (V,) each vertex's index in the base mesh; -1 for a blend of several.
    :returns: face indices (68,) int64 and barycentric coordinates (68, 3) float64.
    """
    table = _table()
    candidates = np.flatnonzero(skin)
    points: dict[int, tuple[int, Array64]] = {}
    for number, base in {**table["middle"], **table["left"]}.items():
        vertex = int(np.flatnonzero(base_index == base)[0])
        points[number] = _at_vertex(faces, candidates, vertex)
    for number, place in table["left_brow"].items():
        points[number] = _seen_from_front(vertices, faces, candidates, np.array(place) * 1e-3)
    start = _position(vertices, faces, points[EYE_CORNER])[1]
    contour = _contour(vertices, faces, candidates, start)
    points.update({8 + step: point for step, point in enumerate(contour)})
    lookup = {tuple(sorted(face)): number for number, face in enumerate(faces.tolist())}
    for number in range(COUNT):
        if number not in points:
            points[number] = _mirrored(faces, lookup, mirror, points[MIRROR_LANDMARK[number]])
    ordered = [points[number] for number in range(COUNT)]
    return np.array([face for face, _ in ordered]), np.array([coordinates for _, coordinates in ordered])


def _table() -> dict[str, dict[int, Any]]:
    text = resource("assets", "open_head", "landmarks.yaml").read_text(encoding="utf-8")
    table: dict[str, dict[int, Any]] = yaml.safe_load(text)
    return table


def _position(vertices: Array64, faces: Indices, point: tuple[int, Array64]) -> Array64:
    position: Array64 = point[1] @ vertices[faces[point[0]]]
    return position


def _at_vertex(faces: Indices, candidates: Indices, vertex: int) -> tuple[int, Array64]:
    touching = (faces == vertex).any(axis=1)
    preferred = candidates[touching[candidates]]
    face = int(preferred[0]) if len(preferred) else int(np.flatnonzero(touching)[0])
    return face, (faces[face] == vertex).astype(np.float64)


def _seen_from_front(vertices: Array64, faces: Indices, candidates: Indices, place: Array64) -> tuple[int, Array64]:
    """The foremost point of the candidates at ``place`` (x, y)."""
    corners = vertices[faces[candidates]]
    edge_1, edge_2 = (corners[:, k, :2] - corners[:, 0, :2] for k in (1, 2))
    offset = place - corners[:, 0, :2]
    determinant = edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        second = (offset[:, 0] * edge_2[:, 1] - offset[:, 1] * edge_2[:, 0]) / determinant
        third = (edge_1[:, 0] * offset[:, 1] - edge_1[:, 1] * offset[:, 0]) / determinant
    coordinates = np.stack([1.0 - second - third, second, third], axis=1)
    inside = (coordinates >= -1e-12).all(axis=1)
    depth = np.where(inside, (coordinates * corners[..., 2]).sum(axis=1), -np.inf)
    best = int(np.argmax(depth))
    return int(candidates[best]), coordinates[best]


def _contour(vertices: Array64, faces: Indices, candidates: Indices, start_height: float) -> list[tuple[int, Array64]]:
    """The left half of the jaw's contour, chin first: nine points of equal spacing."""
    grid = _barycentric_grid(8)
    corners = faces[candidates]
    facing = np.einsum("gk,ck->cg", grid, vertex_normals(vertices, faces)[corners, 2])
    places = np.einsum("gk,cki->cgi", grid, vertices[corners])
    number, node = np.nonzero(
        (facing > CONTOUR_NORMAL_Z)
        & (places[..., 0] >= -1e-9)
        & (places[..., 1] <= start_height)
        & (places[..., 2] > CONTOUR_BACK)
    )
    points = places[number, node] - [0.0, start_height, 0.0]
    # By direction from between the eyes, straight down is 0. In each slot the farthest point is on the contour.
    angle = np.arctan2(points[:, 0], -points[:, 1])
    slots = np.minimum((angle / angle.max() * CONTOUR_SLOTS).astype(np.int64), CONTOUR_SLOTS - 1)
    radius = np.hypot(points[:, 0], points[:, 1])
    outermost = [np.flatnonzero(slots == slot)[np.argmax(radius[slots == slot])] for slot in np.unique(slots)]
    line = points[outermost]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line[:, :2], axis=0), axis=1))])
    chosen = [outermost[int(np.argmin(np.abs(along - distance)))] for distance in np.linspace(0.0, along[-1], 9)]
    return [(int(candidates[number[index]]), grid[node[index]]) for index in chosen]


def _barycentric_grid(steps: int) -> Array64:
    """Barycentric coordinates (G, 3) of the nodes of an even grid over a triangle."""
    nodes = [(a, b, steps - a - b) for a in range(steps + 1) for b in range(steps + 1 - a)]
    return np.array(nodes) / steps


def _mirrored(
    faces: Indices, lookup: dict[tuple[int, ...], int], mirror: Indices, point: tuple[int, Array64]
) -> tuple[int, Array64]:
    face, coordinates = point
    image = mirror[faces[face]]
    other = lookup[tuple(sorted(image.tolist()))]
    order = [image.tolist().index(vertex) for vertex in faces[other].tolist()]
    return other, coordinates[order]
