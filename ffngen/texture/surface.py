"""Smooth functions on a head's surface, which know nothing of where its atlas is cut.

A function is held by its values at the vertices. Texels give to the corners of their face by their barycentric
weights, and take from them in the same way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Weight of a vertex of which nothing is known; keeps the system solvable where a whole part is unseen.
_NOTHING = 1e-7


class Surface:
    """The texels of a part of an atlas, on the mesh below them.

    :param count: V.
    :param faces: (F, 3) vertex indices.
    :param corners: (N, 3) vertex indices of each texel's face.
    :param barycentric: (N, 3) float32; weights below 0, of texels beside their face, count as 0.
    """

    def __init__(self, count: int, faces: NDArray[Any], corners: NDArray[Any], barycentric: Array32) -> None:
        self.count = count
        self._corners = corners
        inside = np.maximum(barycentric, 0)
        self._weights = inside / inside.sum(axis=1, keepdims=True)
        edges = np.unique(
            np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0
        )
        self._edges = edges
        # Every edge pulls alike: by their lengths, slivers would be stiff.
        ones = scipy.sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
        graph = (ones + ones.T).tocsr()
        degree = np.asarray(graph.sum(axis=1)).ravel()
        self._laplacian = (scipy.sparse.diags(degree) - graph).tocsc()

    def gather(self, values: Array32, weights: Array32) -> tuple[Array64, Array64]:
        """Weighted means (V, C) of texel values (N, C) at the vertices, and the sums (V,) of the weights (N,)."""
        total = np.zeros(self.count)
        mean = np.zeros((self.count, values.shape[1]))
        for k in range(3):
            share = self._weights[:, k] * weights
            total += np.bincount(self._corners[:, k], share, self.count)
            for c in range(values.shape[1]):
                mean[:, c] += np.bincount(self._corners[:, k], share * values[:, c], self.count)
        mean /= np.maximum(total, 1e-12)[:, None]
        return mean, total

    def spread(self, values: NDArray[Any]) -> Array32:
        """Vertex values (V, C) at the texels: (N, C) float32."""
        small = values.astype(np.float32)
        result: Array32 = small[self._corners[:, 0]] * self._weights[:, :1]
        for k in (1, 2):
            result += small[self._corners[:, k]] * self._weights[:, k, None]
        return result

    def fitted(self, values: Array64, weights: Array64, smoothness: float) -> Array64:
        """The smooth function (V, C) nearest to values (V, C) that are known with weights (V,).

        It minimises ``sum w |x - y|^2 + smoothness * sum over edges |x_i - x_j|^2``: where nothing is known, it is
        harmonic, and so leads from one known border to the other.
        """
        known = np.maximum(weights, _NOTHING)
        factors = splu((scipy.sparse.diags(known) + smoothness * self._laplacian).tocsc())
        solution: Array64 = factors.solve(known[:, None] * values)
        return solution

    def smallest_near(self, values: Array64) -> Array64:
        """(V,) the smallest of the values (V,) of each vertex and its neighbours."""
        result = values.copy()
        for one, other in ((0, 1), (1, 0)):
            np.minimum.at(result, self._edges[:, one], values[self._edges[:, other]])
        return result
