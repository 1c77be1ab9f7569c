"""Surfaces from curves: grids, tubes and tapered strips. Points are (..., 3), any unit."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

Array64 = NDArray[np.float64]
Faces = NDArray[np.int64]


def grid_faces(rows: int, columns: int, *, closed: bool) -> Faces:
    """Two triangles for each cell of a (rows, columns) grid; ``closed`` joins the last column to the first."""
    last = columns if closed else columns - 1
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(last), indexing="ij")
    beside = (column + 1) % columns
    a, b = row * columns + column, row * columns + beside
    c, d = a + columns, b + columns
    faces: Faces = np.concatenate([np.stack([a, c, b], axis=-1), np.stack([b, c, d], axis=-1)]).reshape(-1, 3)
    return faces


def tube(path: Array64, radius: float | Array64, sides: int, *, closed: bool) -> tuple[Array64, Faces, Array64]:
    """A tube along a path (K, 3): its points (K * sides, 3), faces, and places (along, around) in [0, 1].

    :param radius: of the tube, one or (K,).
    """
    ahead, behind = np.roll(path, -1, axis=0), np.roll(path, 1, axis=0)
    if not closed:
        ahead[-1], behind[0] = path[-1], path[0]
    tangent = _unit(ahead - behind)
    # One direction that no glasses' tube runs along keeps the cross-sections from twisting.
    side = _unit(np.cross(tangent, [0.13, 0.85, 0.5]))
    up = np.cross(side, tangent)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[:, None] * side[:, None] + np.sin(angle)[:, None] * up[:, None]
    points = path[:, None] + ring * np.broadcast_to(radius, len(path))[:, None, None]
    count = len(path)
    faces = grid_faces(count + closed, sides, closed=True) % (count * sides)
    places = np.stack(np.meshgrid(np.linspace(0, 1, count), angle / (2 * np.pi), indexing="ij"), axis=-1)
    return points.reshape(-1, 3), faces, places.reshape(-1, 2)


def strips(curves: Array64, width: Array64, across: Array64) -> tuple[Array64, Faces, Array64]:
    """Flat strips along curves (S, K, 3) that taper to a point: points, faces, and places (strip, side, along).

    Each place is in [0, 1]; the side is 0 or 1 on the edges and 0.5 at the tip.

    :param width: (S,) at the roots.
    :param across: (S, 3) or (S, K, 3): the directions of the widths.
    """
    count, steps = curves.shape[:2]
    taper = np.linspace(1, 0, steps) ** 0.7
    side = across if across.ndim == 3 else np.broadcast_to(across[:, None], curves.shape)
    half = 0.5 * width[:, None, None] * taper[None, :, None] * _unit(side)
    left, right = curves - half, curves + half
    # The tip is one point: the pairs before it, then the tip.
    pairs = np.stack([left[:, :-1], right[:, :-1]], axis=2).reshape(count, -1, 3)
    points = np.concatenate([pairs, curves[:, -1:]], axis=1)
    ladder = grid_faces(steps - 1, 2, closed=False)
    tip = np.array([[2 * steps - 4, 2 * steps - 2, 2 * steps - 3]])
    each = np.concatenate([ladder, tip])
    per_strip = points.shape[1]
    faces = (each[None] + (np.arange(count) * per_strip)[:, None, None]).reshape(-1, 3)
    along = np.append(np.repeat(np.linspace(0, 1, steps)[:-1], 2), 1.0)
    edge = np.append(np.tile([0.0, 1.0], steps - 1), 0.5)
    places = np.stack(np.broadcast_arrays(np.linspace(0, 1, count)[:, None], edge, along), axis=-1)
    return points.reshape(-1, 3), faces, places.reshape(-1, 3)


def _unit(vectors: Array64) -> Array64:
    return cast(Array64, vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12))
