"""An avatar's picture as torch tensors with gradients: what fitting needs. On the CPU by numba, on CUDA by gsplat."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ffngen.errors import FfngenError
from ffngen.extras import require
from ffngen.geometry.camera import Camera
from ffngen.splat.binding import TriangleFrames
from ffngen.splat.projection import LEAST, NEAR, Splats, widest_slopes
from ffngen.splat.tensors import AvatarTensors, PlacedTensors, place, project_tensors

Device = Literal["auto", "cpu", "cuda"]


def choose_device(device: Device) -> Literal["cpu", "cuda"]:
    """Where to fit: ``auto`` is CUDA where there is a GPU and gsplat is installed.

    :raises FfngenError: CUDA was asked for, and there is none, or no gsplat.
    """
    if device == "auto":
        try:
            return choose_device("cuda")
        except FfngenError:
            return choose_device("cpu")
    if device == "cpu":
        require("splat", "numba")
        return "cpu"
    if not torch.cuda.is_available():
        raise FfngenError("PyTorch finds no CUDA device", mend="use --device cpu, or install PyTorch for CUDA")
    require("splat-cuda", "gsplat")
    return "cuda"


def draw(avatar: AvatarTensors, frames: TriangleFrames, camera: Camera) -> tuple[Tensor, Tensor]:
    """Colour (H, W, 3), times alpha, and alpha (H, W), as :func:`.rasterise.rasterise` has them.

    The CPU's is exactly that; gsplat's largest weight is 0.999 where ours is 0.99.

    :param avatar: on the CPU, or on a GPU.
    :param frames: of all of the head's triangles.
    :raises FfngenError: the avatar is bound to triangles that the head does not have.
    """
    if len(avatar) and avatar.triangles.max() >= len(frames.k):
        # Tells which, and how to mend it.
        avatar.to_avatar().require_faces(len(frames.k))
    placed = place(avatar, frames, camera)
    if avatar.means.device.type == "cuda":
        from ffngen.splat.cuda import composite

        return composite(placed.points, placed.covariances, placed.opacities, placed.colours, camera)
    return _draw_on_cpu(placed, camera)


def _draw_on_cpu(placed: PlacedTensors, camera: Camera) -> tuple[Tensor, Tensor]:
    with torch.no_grad():
        depths = placed.points[:, 2]
        seen = (depths > NEAR) & (placed.opacities >= LEAST)
        slopes = placed.points[:, :2] / depths[:, None]
        for end, within in zip(widest_slopes(camera), (torch.ge, torch.le), strict=True):
            seen &= within(slopes, torch.as_tensor(end, dtype=slopes.dtype)).all(dim=1)
        (index,) = torch.nonzero(seen, as_tuple=True)
        index = index[torch.argsort(depths[index], stable=True)]
    points, covariances, opacities, colours = (
        tensor[index] for tensor in (placed.points, placed.covariances, placed.opacities, placed.colours)
    )
    pixels, planar = project_tensors(points, covariances, camera)
    splats = Splats(
        camera,
        index.numpy(),
        *(_array(tensor) for tensor in (points, covariances, pixels, planar, opacities, colours)),
    )
    image, alpha = _Blend.apply(splats, pixels, _factors(planar), opacities, colours)
    return image, alpha


def _factors(planar: Tensor) -> Tensor:
    """(P, 3): of x x, x y and y y in the squared distance, from 2D covariances."""
    a, b, c = planar[:, 0, 0], planar[:, 0, 1], planar[:, 1, 1]
    return torch.stack([c, -2 * b, a], dim=-1) / (a * c - b * b)[:, None]


def _array(tensor: Tensor) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(tensor.detach().double().cpu().numpy())


class _Blend(torch.autograd.Function):
    """Blending by numba, there and back; the splats hold the values of the tensors."""

    @staticmethod
    def forward(
        ctx: Any, splats: Splats, pixels: Tensor, factors: Tensor, opacities: Tensor, colours: Tensor
    ) -> tuple[Tensor, Tensor]:
        from ffngen.splat.adjoint import blend_channels

        ctx.blended = blend_channels(splats, splats.colours)
        return torch.as_tensor(ctx.blended.image).to(pixels), torch.as_tensor(ctx.blended.alpha).to(pixels)

    @staticmethod
    def backward(ctx: Any, d_image: Tensor, d_alpha: Tensor) -> tuple[None, Tensor, Tensor, Tensor, Tensor]:
        gradients = ctx.blended.gradients(_array(d_image), _array(d_alpha))
        by_pixels, by_factors, by_opacities, by_colours = (torch.as_tensor(one).to(d_image) for one in gradients)
        return None, by_pixels, by_factors, by_opacities, by_colours
