"""The texture layout: every piece of the head gets its own place in the unit square.

The outer skin fills everything above a strip of cells; the strip holds the insides of mouth and eye sockets, the
eyeballs, the tongue and the teeth. Inside a cell an island is stretched to the cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ffngen.head.open_head.surface import PIECES, HeadSurface
from ffngen.head.open_head.unwrap import unwrap_skin

Array64 = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]

STRIP_HEIGHT = 0.2
#: Free space inside the border of each cell: 4 texels of a 1024 x 1024 texture.
MARGIN = 4 / 1024
#: Cells as (u from, v from, u to, v to).
CELLS: dict[str, tuple[float, float, float, float]] = {
    "skin": (0.0, STRIP_HEIGHT, 1.0, 1.0),
    "right_eyeball": (0.0, 0.0, 0.2, 0.2),
    "left_eyeball": (0.2, 0.0, 0.4, 0.2),
    "mouth_interior": (0.4, 0.0, 0.6, 0.2),
    "right_socket": (0.6, 0.1, 0.7, 0.2),
    "left_socket": (0.7, 0.1, 0.8, 0.2),
    "tongue": (0.8, 0.0, 1.0, 0.2),
    "upper_teeth": (0.6, 0.05, 0.8, 0.1),
    "lower_teeth": (0.6, 0.0, 0.8, 0.05),
}


def lay_out(
    surface: HeadSurface, vertices: Array64, mirror: Indices, outer: Mask, mouth: Mask, sockets: Mask
) -> tuple[Array64, Indices]:
    """Texture coordinates of the whole head.

    :param vertices: (V, 3), metres, the mean head in FLAME's frame.
    :param mirror: (V,) the vertex at the mirror place.
    :param outer: (F,) the outer skin; ``mouth`` and ``sockets`` are the insides of the mouth and of the eye sockets.
    :returns: (T, 2) float64 in [0, 1], v up, and faces (F, 3) int64 into them.
    """
    left = vertices[surface.faces].mean(axis=1)[:, 0] > 0
    islands = {
        "skin": outer,
        "mouth_interior": mouth,
        "left_socket": sockets & left,
        "right_socket": sockets & ~left,
        **{piece: surface.face_piece == PIECES.index(piece) for piece in PIECES[1:]},
    }
    coordinates: list[Array64] = []
    texture_faces = np.full(surface.faces.shape, -1, dtype=np.int64)
    for name, cell in CELLS.items():
        island = islands[name]
        if name == "skin":
            flat, faces = unwrap_skin(vertices, surface.faces[island], mirror)
        elif name.endswith("eyeball"):
            flat, faces = surface.eyeball.texture, surface.eyeball.texture_faces
        else:
            corners = surface.atlas[island].reshape(-1, 2)
            flat, inverse = np.unique(corners, axis=0, return_inverse=True)
            faces = inverse.reshape(-1, 3)
        texture_faces[island] = faces + sum(len(one) for one in coordinates)
        coordinates.append(_fit_into(flat, cell))
    return np.concatenate(coordinates), texture_faces


def _fit_into(flat: Array64, cell: tuple[float, float, float, float]) -> Array64:
    low, high = np.array(cell[:2]) + MARGIN, np.array(cell[2:]) - MARGIN
    smallest, largest = flat.min(axis=0), flat.max(axis=0)
    placed: Array64 = low + (flat - smallest) / (largest - smallest) * (high - low)
    return placed
