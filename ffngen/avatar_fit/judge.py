"""How good an avatar's pictures are: PSNR and SSIM, on the head and in the whole picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ffngen.avatar_fit.view import FitView
from ffngen.metrics.ssim import ssim_map
from ffngen.splat.binding import triangle_frames
from ffngen.splat.differentiable import draw
from ffngen.splat.tensors import AvatarTensors


@dataclass(frozen=True)
class Score:
    """One picture's, or the mean of several pictures'.

    :param psnr_head: dB, of the pixels of the head.
    :param psnr: dB, of the whole picture, the head before the background; what the person wears left out.
    :param ssim_head, ssim: likewise the structural similarity, the mean over the colour channels.
    """

    psnr_head: float
    psnr: float
    ssim_head: float
    ssim: float

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready record."""
        return asdict(self)


def drawn(avatar: AvatarTensors, view: FitView, faces: NDArray[Any]) -> NDArray[np.float32]:
    """(H, W, 3) float32 sRGB, 0 to 1: the avatar in a view, before its background."""
    with torch.no_grad():
        colour, alpha = draw(avatar, triangle_frames(view.vertices, faces), view.camera)
    image = view.before_background(colour.cpu().numpy(), alpha.cpu().numpy())
    return np.clip(image, 0, 1).astype(np.float32)


def score(image: NDArray[np.float32], view: FitView) -> Score:
    """Judge a picture (H, W, 3) float32 by a view."""
    squared = ((image - view.image) ** 2).mean(axis=-1)
    similar = np.mean([ssim_map(255 * image[..., c], 255 * view.image[..., c]) for c in range(3)], axis=0)
    head = view.inside & view.counted
    return Score(
        *(float(-10 * np.log10(max(squared[area].mean(), 1e-10))) for area in (head, view.counted)),
        *(float(similar[area].mean()) for area in (head, view.counted)),
    )


def mean_score(scores: list[Score]) -> Score:
    """The mean of each measure over pictures."""
    return Score(*(float(np.mean([getattr(one, name) for one in scores])) for name in Score.__dataclass_fields__))
