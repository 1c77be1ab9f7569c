"""Flattening the skin onto a rectangle.

The skin is cut along the middle of the back of the head, and its border is laid along the rectangle's. Inside, each
vertex is a convex combination of its neighbours, so no triangle flips (Tutte 1963, Floater 1997). The weights are then
adjusted until texture is spread over the surface as wanted (Yoshizawa, Belyaev, Seidel, "A fast and simple
stretch-minimizing mesh parameterization", 2004).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import spsolve

Array64 = NDArray[np.float64]
Indices = NDArray[np.int64]

#: How often the weights are adjusted; the spread gains nothing visible from more.
ITERATIONS = 8
#: Texture per length on the face over that on the back of the head.
FACE_DENSITY = 2.6
#: The face's middle, in FLAME's frame, and the distance over which the density falls off, metres.
FACE_CENTRE, FACE_RADIUS = np.array([0.0, -0.015, 0.06]), 0.085
#: Share of the seam (from the rim upward) that lies along the rectangle's sides; the rest lies along its top.
SEAM_ON_SIDES = 0.55


def unwrap_skin(vertices: Array64, faces: Indices, mirror: Indices) -> tuple[Array64, Indices]:
    """Texture coordinates of the skin (without cavities) that fill the unit square.

    :param vertices: (V, 3), metres, symmetric, in FLAME's frame; it may hold unused vertices.
    :param faces: (F, 3), one piece whose longest border is the rim of the neck and whose other borders are the
        openings of the eyes and the mouth.
    :param mirror: (V,) the vertex at the mirror place.
    :returns: texture coordinates (T, 2), u from the subject's right to the left, v up; and faces (F, 3) into them.
    """
    on_middle = mirror == np.arange(len(vertices))
    loops = sorted(boundary_loops(faces), key=len, reverse=True)
    seam = _seam(vertices, faces, on_middle, loops[0])
    texture_faces, source = _cut_along(vertices, faces, seam)
    points = vertices[source]
    loops = sorted(boundary_loops(texture_faces), key=len, reverse=True)
    border, places = _border_places(points, loops[0], source, seam)
    filled, points = _fill_holes(texture_faces, points, loops[1:])
    density = 1.0 + (FACE_DENSITY - 1.0) * np.exp(
        -(((points[filled].mean(axis=1) - FACE_CENTRE) / FACE_RADIUS) ** 2).sum(axis=1)
    )
    texture = _spread(points, filled, border, places, density)
    return texture[: len(source)], texture_faces


def boundary_loops(faces: Indices) -> list[list[int]]:
    """The closed borders of a manifold surface, each in the direction of its faces' edges."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    known = {(a, b) for a, b in directed}
    following = {a: b for a, b in directed if (b, a) not in known}
    loops = []
    while following:
        start = min(following)
        loop, vertex = [start], following.pop(start)
        while vertex != start:
            loop.append(vertex)
            vertex = following.pop(vertex)
        loops.append(loop)
    return loops


def _seam(vertices: Array64, faces: Indices, on_middle: NDArray[np.bool_], rim: list[int]) -> list[int]:
    """The path of edges in the middle plane from the rim at the back up to the crown."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = edges[on_middle[edges].all(axis=1)]
    start = min((vertex for vertex in rim if on_middle[vertex]), key=lambda vertex: float(vertices[vertex, 2]))
    path = [start]
    on_rim = set(rim)
    while True:
        nearby = set(edges[edges[:, 0] == path[-1], 1].tolist()) | set(edges[edges[:, 1] == path[-1], 0].tolist())
        upward = [v for v in nearby - set(path) - on_rim if vertices[v, 1] > vertices[path[-1], 1]]
        if not upward:
            return path
        path.append(max(upward, key=lambda v: float(vertices[v, 1])))


def _cut_along(vertices: Array64, faces: Indices, seam: list[int]) -> tuple[Indices, Indices]:
    """Double the seam's vertices but its last: faces with own corners on the left, and each corner's vertex."""
    used, flat = np.unique(faces, return_inverse=True)
    cut = flat.reshape(-1, 3).copy()
    doubled = np.array(seam[:-1])
    left = vertices[faces].mean(axis=1)[:, 0] > 0
    copy_of = np.full(len(vertices), -1)
    copy_of[doubled] = len(used) + np.arange(len(doubled))
    copies = copy_of[faces]
    own = left[:, None] & (copies >= 0)
    cut[own] = copies[own]
    return cut, np.concatenate([used, doubled])


def _border_places(points: Array64, loop: list[int], source: Indices, seam: list[int]) -> tuple[Indices, Array64]:
    """Lay the cut skin's border along the unit square's: border corners (K,) and places (K, 2)."""
    corners = np.array(loop)
    # Start at the rim's corner on the subject's right and run along the rim to the one on the left.
    starts = np.flatnonzero(source[corners] == seam[0])
    first, second = int(corners[starts].min()), int(corners[starts].max())
    corners = np.roll(corners, -int(np.flatnonzero(corners == first)[0]))
    if points[corners[1], 0] > 0:
        corners = np.roll(corners[::-1], 1)
    end_of_rim = int(np.flatnonzero(corners == second)[0])
    places = np.zeros((len(corners), 2))
    length = np.linalg.norm(np.diff(points[corners], axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(length)])
    places[: end_of_rim + 1, 0] = along[: end_of_rim + 1] / along[end_of_rim]
    tip = int(np.flatnonzero(source[corners] == seam[-1])[0])
    up = (along[end_of_rim : tip + 1] - along[end_of_rim]) / (along[tip] - along[end_of_rim])
    # The vertex nearest to the wanted share becomes the square's corner.
    turn = up[np.argmin(np.abs(up - SEAM_ON_SIDES))]
    side = np.where(
        (up <= turn)[:, None],
        np.stack([np.ones_like(up), up / turn], axis=1),
        np.stack([1.0 - 0.5 * (up - turn) / (1.0 - turn), np.ones_like(up)], axis=1),
    )
    places[end_of_rim : tip + 1] = side
    other = side[1:-1][::-1] * [-1, 1] + [1, 0]
    places[tip + 1 :] = other
    return corners, places


def _fill_holes(faces: Indices, points: Array64, holes: list[list[int]]) -> tuple[Indices, Array64]:
    """Close each hole with a fan around its middle."""
    extra_faces, extra_points = [faces], [points]
    for number, hole in enumerate(holes):
        loop = np.array(hole)
        middle = np.full(len(loop), len(points) + number)
        extra_faces.append(np.stack([np.roll(loop, -1), loop, middle], axis=1))
        extra_points.append(points[loop].mean(axis=0, keepdims=True))
    return np.concatenate(extra_faces), np.concatenate(extra_points)


def _spread(points: Array64, faces: Indices, border: Indices, places: Array64, density: Array64) -> Array64:
    """Solve for texture coordinates (V, 2), then adjust the weights :data:`ITERATIONS` times; keep the best."""
    weights = _mean_value_weights(points, faces)
    texture = _solve(weights, border, places)
    best, least = texture, np.inf
    for _ in range(ITERATIONS):
        stretch, total = _vertex_stretch(points, faces, texture, density)
        if total >= least:
            break
        best, least = texture, total
        weights = weights @ sparse.diags(1.0 / stretch)
        texture = _solve(weights, border, places)
    return best


def _mean_value_weights(points: Array64, faces: Indices) -> sparse.csr_matrix:
    """Floater's mean value coordinates (2003): positive weights (V, V)."""
    rows, columns, values = [], [], []
    for turn in range(3):
        i, j, k = (faces[:, (turn + shift) % 3] for shift in range(3))
        to_j, to_k = points[j] - points[i], points[k] - points[i]
        length_j, length_k = np.linalg.norm(to_j, axis=1), np.linalg.norm(to_k, axis=1)
        cosine = (to_j * to_k).sum(axis=1) / (length_j * length_k)
        half_tangent = np.sqrt((1 - cosine) / np.maximum(1 + cosine, 1e-9))
        rows += [i, i]
        columns += [j, k]
        values += [half_tangent / length_j, half_tangent / length_k]
    shape = (len(points), len(points))
    return sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=shape)


def _solve(weights: sparse.csr_matrix, border: Indices, places: Array64) -> Array64:
    count = weights.shape[0]
    normal = sparse.diags(1.0 / np.asarray(weights.sum(axis=1)).ravel()) @ weights
    inner = np.setdiff1d(np.arange(count), border)
    system = (sparse.identity(count, format="csr") - normal).tocsr()[inner]
    texture = np.zeros((count, 2))
    texture[border] = places
    right = -(system[:, border] @ places)
    texture[inner] = spsolve(system[:, inner].tocsc(), right)
    return texture


def _vertex_stretch(points: Array64, faces: Indices, texture: Array64, density: Array64) -> tuple[Array64, float]:
    """The L2 stretch of texture to surface at each vertex (V,), and over the whole (Sander et al. 2001)."""
    p, q = points[faces], texture[faces]
    edge_1, edge_2 = q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]
    determinant = edge_1[:, 0] * edge_2[:, 1] - edge_1[:, 1] * edge_2[:, 0]
    safe = np.where(np.abs(determinant) < 1e-15, 1e-15, determinant)[:, None]
    along_1, along_2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    by_u = (along_1 * edge_2[:, 1:] - along_2 * edge_1[:, 1:]) / safe
    by_v = (along_2 * edge_1[:, :1] - along_1 * edge_2[:, :1]) / safe
    squared = 0.5 * ((by_u**2).sum(axis=1) + (by_v**2).sum(axis=1)) * density**2
    area = 0.5 * np.linalg.norm(np.cross(along_1, along_2), axis=1)
    sums, areas = np.zeros(len(points)), np.zeros(len(points))
    np.add.at(sums, faces.ravel(), np.repeat(area * squared, 3))
    np.add.at(areas, faces.ravel(), np.repeat(area, 3))
    return np.sqrt(sums / np.maximum(areas, 1e-15)), float((area * squared).sum())
