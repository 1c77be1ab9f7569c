"""How far a rendered head is from a picture: L1 and D-SSIM as 3D Gaussian Splatting weighs them, and the mask."""

from __future__ import annotations

import torch
from torch import Tensor

#: Kerbl et al. (2023): the share of D-SSIM.
_DSSIM = 0.2
#: The mask's share, on top.
_MASK = 0.1
#: Wang et al. (2004), as in :mod:`ffngen.metrics.ssim`, for a range of 1.
_REACH, _SIGMA, _C1, _C2 = 5, 1.5, 0.01**2, 0.03**2


def photometric_loss(image: Tensor, truth: Tensor, counted: Tensor) -> Tensor:
    """``0.8 L1 + 0.2 (1 - SSIM)``, a scalar.

    :param image, truth: (H, W, 3), 0 to 1.
    :param counted: (H, W), 1 where pixels count, else 0.
    """
    # What does not count must not reach its neighbours through SSIM's window either.
    image = torch.where(counted[..., None] > 0, image, truth)
    total = counted.sum().clamp(min=1)
    absolute = ((image - truth).abs().mean(dim=-1) * counted).sum() / total
    similarity = (ssim(image, truth).mean(dim=-1) * counted).sum() / total
    return (1 - _DSSIM) * absolute + _DSSIM * (1 - similarity)


def mask_loss(alpha: Tensor, inside: Tensor, counted: Tensor) -> Tensor:
    """The mean difference of alpha (H, W) and the mask, weighted; pixels on the outline had better not count."""
    return _MASK * ((alpha - inside).abs() * counted).sum() / counted.sum().clamp(min=1)


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """(H, W, C): the similarity around each pixel; beyond the border there is black in both."""
    down, across = (_blurring(side, one) for side in one.shape[:2])
    a, b = (image.permute(2, 0, 1) for image in (one, other))
    # Products with matrices: on the CPU several times as fast, there and back, as convolutions of one channel.
    blurred = down @ torch.cat([a, b, a * a, b * b, a * b]) @ across.T
    mean_a, mean_b, square_a, square_b, product = blurred.split(a.shape[0])
    covariance = product - mean_a * mean_b
    above = (2 * mean_a * mean_b + _C1) * (2 * covariance + _C2)
    below = (mean_a**2 + mean_b**2 + _C1) * (square_a - mean_a**2 + square_b - mean_b**2 + _C2)
    return (above / below).permute(1, 2, 0)


def _blurring(side: int, like: Tensor) -> Tensor:
    """(side, side): the matrix that blurs a column of so many pixels."""
    places = torch.arange(side, dtype=like.dtype, device=like.device)
    apart = places[:, None] - places
    window = torch.exp(-(apart**2) / (2 * _SIGMA**2)) * (apart.abs() <= _REACH)
    # In the middle of a long enough column the whole window is there.
    whole = torch.exp(-(torch.arange(-_REACH, _REACH + 1, dtype=like.dtype) ** 2) / (2 * _SIGMA**2)).sum()
    return window / whole.to(like.device)
