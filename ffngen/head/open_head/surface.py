"""From MakeHuman's body to the surface of a head: which triangles, and each vertex as a blend of the body's vertices.

Every vertex of the head is a fixed linear combination of vertices of the base mesh, so one sparse matrix carries the
template, every target and every weight over. The combination is found once, on a reference human.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from ffngen.head.open_head import eyeball
from ffngen.head.open_head.source import (
    LEFT_EYE,
    LOWER_TEETH,
    RIGHT_EYE,
    SKIN,
    TONGUE,
    UPPER_TEETH,
    BaseMesh,
)

#: The plane of the lower rim: ``normal . x = offset`` on the reference human, in MakeHuman's frame moved so that the
#: middle between the eyes is at 0. It crosses the neck's axis at a right angle, as low as the shoulders allow.
RIM_NORMAL = np.array([0.0, 0.94, 0.34]) / np.hypot(0.94, 0.34)
RIM_OFFSET = -0.187
#: A vertex closer to the rim's plane than this share of a crossing edge slides onto it, so no sliver is left.
SNAP = 0.35

#: The pieces of the head in the order of their vertices and faces.
PIECES = ("skin", "left_eyeball", "right_eyeball", "tongue", "upper_teeth", "lower_teeth")


@dataclass(frozen=True)
class HeadSurface:
    """The head's triangles and its vertices as blends of base-mesh vertices.

    :param blend: (V, N) sparse float64, rows sum to 1: ``head = blend @ body``.
    :param faces: (F, 3) int64, outward.
    :param vertex_piece: (V,) int64, index into :data:`PIECES`.
    :param face_piece: (F,) int64, likewise.
    :param face_quad: (F,) int64, faces that were one quad of the base mesh share a number.
    :param atlas: (F, 3, 2) float64, where each face's corners lie in MakeHuman's texture atlas (for a face that the
        rim has cut: the corners of the whole one; for eyeballs: NaN).
    :param eyeball: the shape that both eyeballs were made from.
    """

    blend: sparse.csr_matrix
    faces: NDArray[np.int64]
    vertex_piece: NDArray[np.int64]
    face_piece: NDArray[np.int64]
    face_quad: NDArray[np.int64]
    atlas: NDArray[np.float64]
    eyeball: eyeball.EyeballShape


def cut_head(mesh: BaseMesh, reference: NDArray[np.float64]) -> HeadSurface:
    """Cut the head out of the body of the ``reference`` human (N, 3), metres, which must be symmetric."""
    origin = 0.5 * (
        reference[mesh.group_vertices(LEFT_EYE)].mean(axis=0) + reference[mesh.group_vertices(RIGHT_EYE)].mean(axis=0)
    )
    height = (reference - origin) @ RIM_NORMAL - RIM_OFFSET
    shape = eyeball.eyeball_shape()
    blends: list[sparse.csr_matrix] = []
    faces: list[NDArray[np.int64]] = []
    atlas: list[NDArray[np.float64]] = []
    quads: list[NDArray[np.int64]] = []
    for piece in PIECES:
        if piece == "skin":
            triangles, corners = _triangulate(mesh, SKIN, reference)
            blend, triangles, kept = _cut_above(height, triangles, reference)
            corners, pairs = corners[kept], kept // 2
        elif piece.endswith("eyeball"):
            group = LEFT_EYE if piece.startswith("left") else RIGHT_EYE
            blend = eyeball.eyeball_blend(shape, mesh.group_vertices(group), reference)
            triangles, corners = shape.faces, np.full((len(shape.faces), 3, 2), np.nan)
            pairs = np.arange(len(triangles))
        else:
            group = {"tongue": TONGUE, "upper_teeth": UPPER_TEETH, "lower_teeth": LOWER_TEETH}[piece]
            triangles, corners = _triangulate(mesh, group, reference)
            used, triangles = np.unique(triangles, return_inverse=True)
            triangles, pairs = triangles.reshape(-1, 3), np.arange(len(corners)) // 2
            blend = sparse.identity(len(reference), format="csr")[used]
        faces.append(triangles + sum(one.shape[0] for one in blends))
        blends.append(blend)
        atlas.append(corners)
        quads.append(pairs + (int(quads[-1].max()) + 1 if quads else 0))
    return HeadSurface(
        blend=sparse.vstack(blends).tocsr(),
        faces=np.concatenate(faces),
        vertex_piece=np.repeat(np.arange(len(PIECES)), [one.shape[0] for one in blends]),
        face_piece=np.repeat(np.arange(len(PIECES)), [len(one) for one in faces]),
        face_quad=np.concatenate(quads),
        atlas=np.concatenate(atlas),
        eyeball=shape,
    )


def _triangulate(
    mesh: BaseMesh, group: str, reference: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Split quads at their shorter diagonal: triangles (2Q, 3) and their corners in the atlas (2Q, 3, 2)."""
    quads = mesh.quads[group]
    corners = reference[quads]
    first = np.linalg.norm(corners[:, 0] - corners[:, 2], axis=1)
    second = np.linalg.norm(corners[:, 1] - corners[:, 3], axis=1)
    # The tolerance lets a quad and its mirror image choose alike.
    pattern = np.where((first < second * (1 + 1e-9))[:, None], [[0, 1, 2, 0, 2, 3]], [[1, 2, 3, 1, 3, 0]])
    triangles = np.take_along_axis(quads, pattern, axis=1).reshape(-1, 3)
    texture = np.take_along_axis(mesh.texture_quads[group], pattern, axis=1).reshape(-1, 3)
    return triangles, mesh.texture_coordinates[texture]


def _cut_above(
    height: NDArray[np.float64], triangles: NDArray[np.int64], reference: NDArray[np.float64]
) -> tuple[sparse.csr_matrix, NDArray[np.int64], NDArray[np.int64]]:
    """Keep what lies above height 0 and hangs together with the highest point of the surface.

    :returns: the blend (K, N) of the kept vertices, their triangles (M, 3), and for each the triangle it came from.
    """
    count = len(height)
    blend, height = _slide_to_plane(height, triangles)
    inside = height > 0
    crossing_edges: dict[tuple[int, int], int] = {}
    rows: list[tuple[int, int, float]] = []
    kept: list[tuple[int, int, int]] = []
    origin: list[int] = []

    def crossing(a: int, b: int) -> int:
        low, high = min(a, b), max(a, b)
        if (low, high) not in crossing_edges:
            crossing_edges[low, high] = count + len(rows)
            rows.append((low, high, height[low] / (height[low] - height[high])))
        return crossing_edges[low, high]

    for number, triangle in enumerate(triangles):
        if not inside[triangle].any():
            continue
        # Sutherland-Hodgman: the polygon of the triangle above the plane, then a fan over it.
        polygon: list[int] = []
        for a, b in zip(triangle, np.roll(triangle, -1), strict=True):
            if height[a] >= 0:
                polygon.append(int(a))
            if height[a] * height[b] < 0:
                polygon.append(crossing(int(a), int(b)))
        for second, third in itertools.pairwise(polygon[1:]):
            kept.append((polygon[0], second, third))
            origin.append(number)

    extra = sparse.lil_matrix((len(rows), count))
    for row, (a, b, share) in enumerate(rows):
        extra[row, a], extra[row, b] = 1.0 - share, share
    every = sparse.vstack([blend, extra.tocsr() @ blend]).tocsr()
    faces, sources = np.array(kept, dtype=np.int64), np.array(origin, dtype=np.int64)
    links = sparse.coo_matrix((np.ones(len(faces) * 2), (faces[:, [0, 0]].ravel(), faces[:, [1, 2]].ravel())))
    links.resize((every.shape[0], every.shape[0]))
    _, label = connected_components(links, directed=False)
    top = faces[np.argmax((every @ reference)[faces[:, 0], 1]), 0]
    main = label[faces[:, 0]] == label[top]
    used, faces = np.unique(faces[main], return_inverse=True)
    return every[used], faces.reshape(-1, 3), sources[main]


def _slide_to_plane(
    height: NDArray[np.float64], triangles: NDArray[np.int64]
) -> tuple[sparse.csr_matrix, NDArray[np.float64]]:
    """Slide vertices that are almost on the plane along an edge onto it: the blend (N, N) and the new heights."""
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    edges = np.unique(np.sort(sides, axis=1), axis=0)
    both = np.concatenate([edges, edges[:, ::-1]])
    start, end = height[both[:, 0]], height[both[:, 1]]
    both = both[start * end < 0]
    share = height[both[:, 0]] / (height[both[:, 0]] - height[both[:, 1]])
    near = share < SNAP
    both, share = both[near], share[near]
    # The edge that needs the shortest slide wins.
    order = np.argsort(share, kind="stable")
    moved, first = np.unique(both[order, 0], return_index=True)
    chosen = order[first]
    blend = sparse.identity(len(height), format="lil")
    for vertex, index in zip(moved, chosen, strict=True):
        blend[vertex, vertex] = 1.0 - share[index]
        blend[vertex, both[index, 1]] = share[index]
    new_height = height.copy()
    new_height[moved] = 0.0
    return blend.tocsr(), new_height
