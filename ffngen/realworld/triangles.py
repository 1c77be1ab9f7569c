"""Flow between triangulated landmarks: the labels that the paper calls FMEAD.

After Alkaddour, Tariq and Dhall (2021, IEEE Transactions on Affective Computing), as FacialFlowNet describes it: the
landmarks of frame 1 are triangulated (Delaunay), and each triangle moves affinely to where its corners are in frame 2.
Details that neither paper gives are ours: what is invalid, and that all landmarks count alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay, QhullError

from ffngen.errors import InputFileError
from ffngen.flow.values import UNKNOWN_FLOW, Flow

Array64 = NDArray[np.float64]

#: A triangle whose smallest height is below so many pixels, in either frame, is degenerate.
LEAST_HEIGHT = 0.01


def triangle_flow(before: Array64, after: Array64, size: tuple[int, int]) -> tuple[Flow, NDArray[np.bool_]]:
    """Piecewise affine flow from landmarks that move.

    A pixel is valid where its centre lies within a triangle of frame 1 that neither turns over on its way nor is
    degenerate in either frame; so nothing is valid outside the landmarks' convex hull.

    :param before: (N, 2) float64, pixels: the landmarks of frame 1; they may lie outside the picture.
    :param after: (N, 2) float64, pixels: those of frame 2.
    :param size: (width, height) of the pictures.
    :returns: (H, W, 2) float32, pixels, unknown where it is not valid; and (H, W) bool, where it is valid.
    :raises InputFileError: the landmarks span no triangle.
    """
    try:
        mesh = Delaunay(before)
    except (QhullError, ValueError) as error:
        raise InputFileError("landmarks that span no triangle", mend="check them: do all lie on one line?") from error
    width, height = size
    flow = np.full((height, width, 2), UNKNOWN_FLOW, dtype=np.float32)
    valid = np.zeros((height, width), dtype=bool)
    low = np.clip(np.ceil(before.min(axis=0)), 0, size).astype(int)
    high = np.clip(np.floor(before.max(axis=0)) + 1, 0, size).astype(int)
    rows, columns = np.mgrid[low[1] : high[1], low[0] : high[0]]
    pixels = np.stack([columns, rows], axis=-1).reshape(-1, 2).astype(np.float64)
    triangle = mesh.find_simplex(pixels) if len(pixels) else np.zeros(0, dtype=int)
    inside = triangle >= 0
    inside[inside] = _moves_affinely(before, after, mesh.simplices)[triangle[inside]]
    pixels, triangle = pixels[inside], triangle[inside]
    corners = mesh.simplices[triangle]
    weights = _barycentric(pixels, before[corners])
    column, row = pixels.T.astype(int)
    flow[row, column] = np.einsum("pi,pix->px", weights, (after - before)[corners])
    valid[row, column] = True
    return flow, valid


def _moves_affinely(before: Array64, after: Array64, simplices: NDArray[Any]) -> NDArray[np.bool_]:
    """(S,) bool: triangles that keep their orientation, and have an area in both frames."""
    areas, heights = zip(*(_area_and_height(points[simplices]) for points in (before, after)), strict=True)
    upright = (areas[0] > 0) == (areas[1] > 0)
    result: NDArray[np.bool_] = upright & (heights[0] >= LEAST_HEIGHT) & (heights[1] >= LEAST_HEIGHT)
    return result


def _area_and_height(corners: Array64) -> tuple[Array64, Array64]:
    """Signed double areas and smallest heights of triangles (S, 3, 2)."""
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]
    sides = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1)
    return area, np.abs(area) / np.maximum(sides.max(axis=1), 1e-30)


def _barycentric(points: Array64, corners: Array64) -> Array64:
    """(P, 3): weights of the corners (P, 3, 2) of each point's triangle."""
    sides = np.stack([corners[:, 0] - corners[:, 2], corners[:, 1] - corners[:, 2]], axis=-1)
    two = np.linalg.solve(sides, (points - corners[:, 2])[..., None])[..., 0]
    return np.column_stack([two, 1 - two.sum(axis=1)])
