"""The reference rasteriser: every Gaussian in every pixel, in float64. Readable, slow, and without tiles."""

from __future__ import annotations

import numpy as np
import torch

from ffngen.splat.avatar import Array64
from ffngen.splat.flow import RayDepth, SplatMotion
from ffngen.splat.projection import FINISHED, LEAST, MOST, Splats

#: So many pixels at once: times Gaussians, they fit into memory.
_ROWS = 8


def blend(splats: Splats, rays: RayDepth, motions: list[SplatMotion]) -> tuple[Array64, Array64, Array64, Array64]:
    """Sums over Gaussians, nearest first, of weight times colour, 1, depth, and flow with the depth after it.

    :returns: (H, W, 3), (H, W), (H, W) and (M, H, W, 3) float64.
    """
    camera = splats.camera
    parts = [
        _rows(splats, rays, motions, first, min(first + _ROWS, camera.height))
        for first in range(0, camera.height, _ROWS)
    ]
    colour, alpha, depth = (np.concatenate([part[i] for part in parts]) for i in range(3))
    return colour, alpha, depth, np.concatenate([part[3] for part in parts], axis=1)


def _rows(splats: Splats, rays: RayDepth, motions: list[SplatMotion], first: int, last: int) -> tuple[Array64, ...]:
    width = splats.camera.width
    v, u = torch.meshgrid(
        torch.arange(first, last, dtype=torch.float64), torch.arange(width, dtype=torch.float64), indexing="ij"
    )
    pixels = torch.stack([u, v], dim=-1).reshape(-1, 1, 2)
    centres, planar, opacities = (torch.from_numpy(a) for a in (splats.pixels, splats.planar, splats.opacities))
    offset = pixels - centres
    weight = weights(offset, planar, opacities)
    ones = torch.ones_like(pixels[..., :1])
    p = torch.cat([pixels, ones], dim=-1)
    s = _depths(rays, p)
    colour = weight @ torch.from_numpy(splats.colours)
    flows = [torch.einsum("pn,pni->pi", weight, _flow(motion, offset, p, s)) for motion in motions]
    shape = (last - first, width)
    flow = torch.stack(flows) if flows else torch.zeros((0, len(p), 3), dtype=torch.float64)
    return (
        colour.reshape(*shape, 3).numpy(),
        weight.sum(dim=1).reshape(shape).numpy(),
        (weight * s).sum(dim=1).reshape(shape).numpy(),
        flow.reshape(len(motions), *shape, 3).numpy(),
    )


def weights(offset: torch.Tensor, planar: torch.Tensor, opacities: torch.Tensor) -> torch.Tensor:
    """(pixels, P): how much each Gaussian adds to each pixel; differentiable.

    :param offset: (pixels, P, 2): from the Gaussians' centres.
    :param planar: (P, 2, 2): 2D covariances.
    :param opacities: (P,), nearest first.
    """
    distance = torch.einsum("pni,nij,pnj->pn", offset, torch.linalg.inv(planar), offset)
    weight = torch.clamp(opacities * torch.exp(-distance / 2), max=MOST)
    weight = torch.where(weight >= LEAST, weight, 0.0)
    # The light that is left behind each Gaussian; the one that would take the last of it is not drawn any more.
    left = torch.cumprod(1 - weight, dim=1)
    before = torch.cat([torch.ones_like(left[:, :1]), left[:, :-1]], dim=1)
    return torch.where(left >= FINISHED, weight * before, 0.0)


def _depths(rays: RayDepth, p: torch.Tensor) -> torch.Tensor:
    """(pixels, P): where the ray of each pixel meets each Gaussian."""
    u, v = p[:, 0, 0], p[:, 0, 1]
    squares = torch.stack([u * u, u * v, u, v * v, v, torch.ones_like(u)], dim=-1)
    s = (p[:, 0] @ torch.from_numpy(rays.n).T) / (squares @ torch.from_numpy(rays.Q).T)
    return torch.minimum(torch.maximum(s, torch.from_numpy(rays.low)), torch.from_numpy(rays.high))


def _flow(motion: SplatMotion, offset: torch.Tensor, p: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
    """(pixels, P, 3): what each Gaussian says of each pixel's motion, and of its depth after it."""
    if len(motion.planar):
        D = torch.from_numpy(motion.planar[:, :4].reshape(-1, 2, 2))
        flow = torch.einsum("nij,pnj->pni", D, offset) + torch.from_numpy(motion.planar[:, 4:6])
        return torch.cat([flow, (s + torch.from_numpy(motion.planar[:, 6]))[..., None]], dim=-1)
    G = torch.from_numpy(motion.spatial[:, :9].reshape(-1, 3, 3))
    place = s[..., None] * torch.einsum("nij,pj->pni", G, p[:, 0]) + torch.from_numpy(motion.spatial[:, 9:])
    return torch.cat([place[..., :2] / place[..., 2:] - p[..., :2], place[..., 2:]], dim=-1)
