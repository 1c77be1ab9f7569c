"""Splats on CUDA, by gsplat (``pip install gsplat``; it compiles its kernels when they are first used)."""

from __future__ import annotations

import torch
from torch import Tensor

from ffngen.errors import FfngenError
from ffngen.extras import require
from ffngen.geometry.camera import Camera
from ffngen.splat.avatar import Array64
from ffngen.splat.channels import channels_of, sums_of
from ffngen.splat.flow import RayDepth, SplatMotion
from ffngen.splat.projection import LOW_PASS, NEAR, Splats


def composite(
    points: Tensor, covariances: Tensor, opacities: Tensor, channels: Tensor, camera: Camera
) -> tuple[Tensor, Tensor]:
    """Channels (H, W, C), by weights, and alpha (H, W), with gradients.

    :param points: (N, 3) float32 on a GPU, metres, camera coordinates; likewise the rest.
    :param covariances: (N, 3, 3).
    :param channels: (N, C).
    """
    from gsplat import rasterization

    K = camera.K.copy()
    # gsplat's first pixel has its centre at (0.5, 0.5).
    K[:2, 2] += 0.5
    image, alpha, _ = rasterization(
        means=points,
        quats=None,
        scales=None,
        opacities=opacities,
        colors=channels,
        viewmats=torch.eye(4, device=points.device)[None],
        Ks=torch.as_tensor(K, dtype=torch.float32, device=points.device)[None],
        width=camera.width,
        height=camera.height,
        near_plane=NEAR,
        eps2d=LOW_PASS,
        covars=covariances,
    )
    return image[0], alpha[0, ..., 0]


def blend(splats: Splats, rays: RayDepth, motions: list[SplatMotion]) -> tuple[Array64, Array64, Array64, Array64]:
    """As :func:`ffngen.splat.reference.blend`, in float32.

    Depth and flow are linear within each Gaussian (:mod:`.channels`).

    :raises FfngenError: there is no CUDA device.
    :raises MissingPackageError: gsplat is not installed.
    """
    if not torch.cuda.is_available():
        raise FfngenError("PyTorch finds no CUDA device", mend="use the backend fast, which runs on the CPU")
    require("splat-cuda", "gsplat")

    def tensor(array: Array64) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device="cuda")

    channels = channels_of(splats, rays, motions)
    with torch.no_grad():
        image, alpha = composite(
            tensor(splats.points), tensor(splats.covariances), tensor(splats.opacities), tensor(channels), splats.camera
        )
    return sums_of(image.double().cpu().numpy(), alpha.double().cpu().numpy(), len(motions))
