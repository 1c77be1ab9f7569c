"""The identity basis: principal components of sampled, rigidly aligned heads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array64 = NDArray[np.float64]


@dataclass(frozen=True)
class IdentityBasis:
    """Principal components in units of one standard deviation.

    :param mean: (V, 3) float64, metres.
    :param components: (V, 3, B) float64, metres per standard deviation, the largest first.
    :param retained: share of the samples' variance that the components hold, 0 to 1.
    """

    mean: Array64
    components: Array64
    retained: float


def align(samples: Array64, reference: Array64, weights: Array64) -> tuple[Array64, Array64]:
    """The rigid motions that bring each sample closest to a reference (weighted Procrustes without scale).

    Kabsch, "A solution for the best rotation to relate two sets of vectors", 1976.

    :param samples: (S, V, 3); ``reference``: (V, 3); ``weights``: (V,), sum 1.
    :returns: R (S, 3, 3) and t (S, 3) with ``aligned = sample @ R + t``.
    """
    sample_centre = np.einsum("v,svi->si", weights, samples)
    centre = weights @ reference
    covariance = np.einsum("svi,vj->sij", samples, weights[:, None] * (reference - centre))
    u, _, vt = np.linalg.svd(covariance)
    sign = np.ones((len(samples), 3))
    sign[:, 2] = np.linalg.det(u @ vt)
    rotation = (u * sign[:, None, :]) @ vt
    return rotation, centre - np.einsum("si,sij->sj", sample_centre, rotation)


def principal_components(samples: Array64, mirror: NDArray[np.int64], count: int) -> IdentityBasis:
    """Principal components of the samples together with their mirror images.

    With the mirror images added, the mean is symmetric and each component either symmetric or antisymmetric, so the
    two kinds are found apart, each from the samples' half of that kind.

    :param samples: (S, V, 3), metres, aligned; they are overwritten.
    :param mirror: (V,) int64, the vertex at the mirror place (x to -x).
    :param count: how many components to keep.
    """
    flip = np.array([-1.0, 1.0, 1.0])
    mean = samples.mean(axis=0)
    mean = 0.5 * (mean + mean[mirror] * flip)
    samples -= mean
    reflected = samples[:, mirror] * flip
    variances, components = [], []
    for part in (0.5 * (samples + reflected), 0.5 * (samples - reflected)):
        flat = part.reshape(len(part), -1)
        eigenvalues, vectors = np.linalg.eigh(flat @ flat.T / len(flat))
        largest = np.argsort(eigenvalues)[::-1][:count]
        # flat.T @ v has length sqrt(S * eigenvalue); a column of one standard deviation is sqrt(eigenvalue) long.
        variances.append(eigenvalues[largest])
        components.append((flat.T @ vectors[:, largest]) / np.sqrt(len(flat)))
    total = float((samples**2).sum() / len(samples))
    variance, basis = np.concatenate(variances), np.concatenate(components, axis=1)
    order = np.argsort(-variance, kind="stable")[:count]
    chosen = basis[:, order]
    # An eigenvector's sign is arbitrary: let the entry of largest magnitude be positive.
    peak = chosen[np.argmax(np.abs(chosen), axis=0), np.arange(count)]
    chosen = chosen * np.sign(peak)
    return IdentityBasis(mean, chosen.reshape(*mean.shape, count), float(variance[order].sum() / total))
