"""The differentiable rasteriser: its picture against the reference, its gradients against differences and autograd."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_dataset import camera
from made_gaussians import FACES, cloud, seen_avatar

from ffngen.errors import FfngenError
from ffngen.geometry.camera import Camera
from ffngen.splat.avatar import Avatar
from ffngen.splat.binding import pose, triangle_frames
from ffngen.splat.flow import ray_depth
from ffngen.splat.projection import project
from ffngen.splat.rasterise import rasterise

pytest.importorskip("numba", reason="numba is not installed")
torch = pytest.importorskip("torch", reason="torch is not installed")

from ffngen.splat.adjoint import blend_channels  # noqa: E402
from ffngen.splat.differentiable import choose_device, draw  # noqa: E402
from ffngen.splat.reference import weights  # noqa: E402
from ffngen.splat.tensors import AvatarTensors, avatar_tensors  # noqa: E402

FIELDS = {"means": "means", "log_scales": "scales", "logits": "opacities", "harmonics": "harmonics"}


def small_camera() -> Camera:
    return camera().resized(40, 30)


def free(avatar: Avatar) -> AvatarTensors:
    tensors = avatar_tensors(avatar, dtype=torch.float64)
    for tensor in tensors.parameters().values():
        tensor.requires_grad_(True)
    return tensors


@pytest.mark.parametrize("harmonics", [1, 16])
def test_the_picture_is_the_reference_s(harmonics: int) -> None:
    """Posed, projected, coloured and blended by NumPy on one side and by tensors on the other."""
    avatar, vertices = seen_avatar(300, harmonics)
    splats = project(pose(avatar, vertices, FACES), camera())
    wanted = rasterise(splats, ray_depth(splats), backend="reference")
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 2e-4)):
        tensors = avatar_tensors(avatar, dtype=dtype)
        colour, alpha = draw(tensors, triangle_frames(vertices, FACES), camera())
        assert colour.dtype == dtype
        assert np.abs(colour.numpy() - wanted.colour).max() <= tolerance
        assert np.abs(alpha.numpy() - wanted.alpha).max() <= tolerance
    assert wanted.alpha.max() > 0.999 and wanted.mask.mean() > 0.1


def test_gradients_of_blending_are_autograd_s() -> None:
    """Against autograd through the reference's weights; pixels are finished, and weights clamped."""
    splats = project(cloud(600, 3, spread=0.12), small_camera())
    splats = replace(splats, opacities=np.where(np.arange(len(splats)) % 5 == 0, 1.0, splats.opacities))
    rng = np.random.default_rng(1)
    height, width = splats.camera.height, splats.camera.width
    channels = rng.normal(size=(len(splats), 4))
    by_image, by_alpha = rng.normal(size=(height, width, 4)), rng.normal(size=(height, width))
    found = blend_channels(splats, channels)
    gradients = found.gradients(by_image, by_alpha)

    precision = torch.linalg.inv(torch.from_numpy(splats.planar))
    factors = torch.stack([precision[:, 0, 0], 2 * precision[:, 0, 1], precision[:, 1, 1]], dim=-1)
    variables = [torch.from_numpy(a.copy()) for a in (splats.pixels, factors.numpy(), splats.opacities, channels)]
    centres, factors, opacities, values = (one.requires_grad_(True) for one in variables)
    a, b, c = factors[:, 0], factors[:, 1] / 2, factors[:, 2]
    planar = torch.linalg.inv(torch.stack([torch.stack([a, b], -1), torch.stack([b, c], -1)], dim=1))
    v, u = np.mgrid[:height, :width]
    offset = torch.from_numpy(np.stack([u, v], axis=-1).reshape(-1, 1, 2)) - centres
    weight = weights(offset, planar, opacities)
    image, alpha = weight @ values, weight.sum(dim=1)
    np.testing.assert_allclose(found.image.reshape(-1, 4), image.detach(), atol=1e-9)
    np.testing.assert_allclose(found.alpha.ravel(), alpha.detach(), atol=1e-9)
    assert found.alpha.max() > 0.9998
    loss = (image * torch.from_numpy(by_image.reshape(-1, 4))).sum() + (
        alpha * torch.from_numpy(by_alpha.ravel())
    ).sum()
    wanted = torch.autograd.grad(loss, [centres, factors, opacities, values])
    for ours, theirs in zip(gradients, wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7 * float(theirs.abs().max()))
        assert float(theirs.abs().max()) > 0.1


@pytest.mark.parametrize("name", list(FIELDS))
def test_gradients_by_an_avatar_are_differences_of_the_reference(name: str) -> None:
    """Central differences of the NumPy path from triangles to pixels, at some of the values."""
    avatar, vertices = seen_avatar(30)
    cam = small_camera()
    rng = np.random.default_rng(2)
    by_colour, by_alpha = rng.normal(size=(cam.height, cam.width, 3)), rng.normal(size=(cam.height, cam.width))

    def loss(changed: Avatar) -> float:
        splats = project(pose(changed, vertices, FACES), cam)
        image = blend_channels(splats, splats.colours)
        return float((image.image * by_colour).sum() + (image.alpha * by_alpha).sum())

    tensors = free(avatar)
    colour, alpha = draw(tensors, triangle_frames(vertices, FACES), cam)
    ((colour * torch.from_numpy(by_colour)).sum() + (alpha * torch.from_numpy(by_alpha)).sum()).backward()
    gradient = getattr(tensors, name).grad.numpy()
    field = FIELDS[name]
    value = getattr(avatar, field)
    wanted, found = [], []
    for place in zip(*(rng.integers(size, size=25) for size in value.shape), strict=True):
        slope = {"scales": lambda x: x, "opacities": lambda x: x * (1 - x)}.get(field, lambda x: 1.0)(value[place])
        ends = []
        for step in (1e-6, -1e-6):
            array = value.copy()
            array[place] += step * slope
            ends.append(loss(replace(avatar, **{field: array})))
        wanted.append((ends[0] - ends[1]) / 2e-6)
        found.append(gradient[place])
    scale = np.abs(wanted).max()
    assert scale > 0.5
    # Weights end at 1/255; a pixel that comes or goes within a step is a jump that no gradient knows.
    close = np.abs(np.array(found) - wanted) <= 1e-4 * scale
    assert close.mean() >= 0.85


def test_rotations_have_gradients_of_differences() -> None:
    avatar, vertices = seen_avatar(12)
    cam = small_camera()
    weight = torch.from_numpy(np.random.default_rng(3).normal(size=(cam.height, cam.width)))

    def alpha_of(rotations: np.ndarray) -> float:
        unit = rotations / np.linalg.norm(rotations, axis=1, keepdims=True)
        splats = project(pose(replace(avatar, rotations=unit), vertices, FACES), cam)
        return float((torch.from_numpy(blend_channels(splats, splats.colours).alpha) * weight).sum())

    tensors = free(avatar)
    _, alpha = draw(tensors, triangle_frames(vertices, FACES), cam)
    (alpha * weight).sum().backward()
    gradient = tensors.rotations.grad.numpy()
    direction = np.random.default_rng(4).normal(size=gradient.shape)
    step = 1e-7 * direction
    wanted = (alpha_of(avatar.rotations + step) - alpha_of(avatar.rotations - step)) / 2e-7
    assert (gradient * direction).sum() == pytest.approx(wanted, rel=1e-3)


def test_there_and_back() -> None:
    avatar, _ = seen_avatar(50, 4)
    back = avatar_tensors(avatar, dtype=torch.float64).to_avatar()
    for name in ("means", "rotations", "scales", "opacities", "harmonics", "triangles"):
        np.testing.assert_allclose(getattr(back, name), getattr(avatar, name), atol=1e-12)


def test_an_avatar_of_another_head() -> None:
    avatar, vertices = seen_avatar(20)
    with pytest.raises(FfngenError, match="the head has 2"):
        draw(avatar_tensors(avatar), triangle_frames(vertices, FACES[:2]), camera())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_where_there_is_none() -> None:
    assert choose_device("auto") == "cpu"
    with pytest.raises(FfngenError, match="no CUDA device"):
        choose_device("cuda")
    splats = project(cloud(10, 3), camera())
    with pytest.raises(FfngenError, match="no CUDA device"):
        rasterise(splats, ray_depth(splats), backend="gsplat")
