"""Depth and flow blended as channels, as gsplat would blend them, against what pixels say one by one."""

from __future__ import annotations

import numpy as np
import pytest
from made_dataset import camera
from made_gaussians import FACES, cloud, motion_of, moved, seen_avatar

from ffngen.splat.channels import channels_of, sums_of
from ffngen.splat.flow import FlowMode, ray_depth, splat_motion
from ffngen.splat.projection import project

pytest.importorskip("numba", reason="numba is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")


def both(mode: FlowMode, size: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    from ffngen.splat.adjoint import blend_channels
    from ffngen.splat.reference import blend

    gaussians = cloud(300, 8)
    shrunk = type(gaussians)(gaussians.means, size**2 * gaussians.covariances, gaussians.opacities, gaussians.harmonics)
    splats = project(shrunk, camera())
    rays = ray_depth(splats)
    motions = []
    for seed in (1, 2):
        motion = motion_of(300, seed)
        motions.append(splat_motion(mode, splats, moved(shrunk, motion), motion, camera()))
    blended = blend_channels(splats, channels_of(splats, rays, motions))
    return list(sums_of(blended.image, blended.alpha, 2)), list(blend(splats, rays, motions))


@pytest.mark.parametrize("mode", ["mean", "gaussianflow"])
def test_flow_that_is_linear_in_the_pixel_is_exact(mode: FlowMode) -> None:
    found, wanted = both(mode, 1.0)
    for ours, theirs in zip(found[:2], wanted[:2], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-10)
    np.testing.assert_allclose(found[3][..., :2], wanted[3][..., :2], atol=1e-8)
    assert np.abs(wanted[3][..., :2]).max() > 5


def test_flow_of_triangles_is_so_to_second_order() -> None:
    """Gaussians of a third of the size, still larger than a pixel: the mean error falls to less than a ninth."""
    errors = []
    for size in (1.0, 0.3):
        found, wanted = both("affine", size)
        seen = wanted[1] > 0.05
        errors.append(np.abs(found[3][..., :2] - wanted[3][..., :2])[:, seen].mean())
        assert np.abs(found[2] - wanted[2])[seen].mean() < 1e-3 * size
    assert errors[0] < 0.03 and errors[1] < errors[0] / 9


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_gsplat_equals_the_reference() -> None:
    """gsplat's largest weight is 0.999 where ours is 0.99: opacities stay below."""
    pytest.importorskip("gsplat", reason="gsplat is not installed")
    from ffngen.splat.rasterise import rasterise

    gaussians = cloud(400, 5)
    gaussians = type(gaussians)(
        gaussians.means, gaussians.covariances, np.minimum(gaussians.opacities, 0.98), gaussians.harmonics
    )
    splats = project(gaussians, camera())
    rays = ray_depth(splats)
    motion = motion_of(400, 1)
    flow = splat_motion("gaussianflow", splats, moved(gaussians, motion), motion, camera())
    there, here = (rasterise(splats, rays, [flow], backend=backend) for backend in ("gsplat", "reference"))
    assert np.abs(there.colour - here.colour).mean() < 1e-3
    assert np.abs(there.alpha - here.alpha).mean() < 1e-3
    assert np.median(np.abs(there.flows - here.flows)) < 0.01


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_gradients_on_the_gpu_are_those_of_the_cpu() -> None:
    pytest.importorskip("gsplat", reason="gsplat is not installed")
    from ffngen.splat.binding import triangle_frames
    from ffngen.splat.differentiable import draw
    from ffngen.splat.tensors import avatar_tensors

    avatar, vertices = seen_avatar(300)
    found = []
    for device in ("cuda", "cpu"):
        tensors = avatar_tensors(avatar, device=device)
        for tensor in tensors.parameters().values():
            tensor.requires_grad_(True)
        colour, alpha = draw(tensors, triangle_frames(vertices, FACES), camera())
        ((colour**2).sum() + alpha.sum()).backward()
        found.append({name: tensor.grad.cpu() for name, tensor in tensors.parameters().items()})
    for name, ours in found[1].items():
        assert float((found[0][name] - ours).abs().mean()) < 0.02 * float(ours.abs().mean()) + 1e-6
