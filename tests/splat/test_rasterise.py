"""Both rasterisers: against each other, and against what one and two Gaussians must look like."""

from __future__ import annotations

import numpy as np
import pytest
from made_dataset import camera
from made_gaussians import cloud, motion_of, moved

from ffngen.splat.binding import Gaussians, TriangleMotion
from ffngen.splat.flow import FlowMode, ray_depth, splat_motion
from ffngen.splat.harmonics import CONSTANT
from ffngen.splat.projection import FINISHED, LOW_PASS, MOST, project
from ffngen.splat.rasterise import Backend, rasterise

pytest.importorskip("numba", reason="numba is not installed")
pytest.importorskip("torch", reason="torch is not installed")
BACKENDS: tuple[Backend, ...] = ("fast", "reference")


@pytest.mark.parametrize("mode", ["mean", "gaussianflow", "affine"])
@pytest.mark.parametrize("count", [60, 1500])
def test_the_fast_one_equals_the_reference(mode: FlowMode, count: int) -> None:
    """Faint and solid, thin and wide, far beside the image; enough of them that pixels are finished."""
    gaussians = cloud(count, count)
    splats = project(gaussians, camera())
    rays = ray_depth(splats)
    motions = []
    for seed in (1, 2):
        motion = motion_of(count, seed)
        motions.append(splat_motion(mode, splats, moved(gaussians, motion), motion, camera()))
    fast, slow = (rasterise(splats, rays, motions, backend=backend) for backend in BACKENDS)
    assert fast.flows.shape == (2, 120, 160, 2) and fast.colour.dtype == np.float32
    assert np.abs(fast.colour - slow.colour).max() <= 1e-4
    assert np.abs(fast.alpha - slow.alpha).max() <= 1e-6
    assert np.abs(fast.flows - slow.flows).max() <= 1e-3
    seen = slow.alpha > 0
    assert (np.isinf(fast.depth) == ~seen).all() and seen.any()
    assert np.abs(fast.depth[seen] - slow.depth[seen]).max() <= 1e-5
    assert np.abs(fast.depths_after[:, seen] - slow.depths_after[:, seen]).max() <= 1e-4
    assert np.hypot(*np.moveaxis(slow.flows, -1, 0)).max() > 5
    if count == 1500:
        # Pixels were finished, and the last Gaussian left out: alpha ends just short of what all would give.
        assert slow.alpha.max() < 1 - FINISHED


def one(pixel: tuple[int, int], depth: float, opacity: float, colour: float, size: float) -> Gaussians:
    origin, rays = camera().pixel_rays()
    mean = origin + depth * rays[pixel[1], pixel[0]]
    harmonics = np.full((1, 1, 3), (colour - 0.5) / CONSTANT)
    return Gaussians(mean[None], size**2 * np.eye(3)[None], np.array([opacity]), harmonics)


def together(*parts: Gaussians) -> Gaussians:
    names = ("means", "covariances", "opacities", "harmonics")
    return Gaussians(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_gaussian(backend: Backend) -> None:
    """At its centre the opacity; a pixel to the side what its variance says; nothing below 1/255."""
    splats = project(one((50, 40), 0.9, 0.8, 0.6, 0.02), camera())
    image = rasterise(splats, ray_depth(splats), backend=backend)
    assert image.alpha[40, 50] == pytest.approx(0.8)
    # Of a ball, seen off the axis: its planar covariance is not round, but known.
    inverse = np.linalg.inv(splats.planar[0])
    for u, v in ((3, 0), (0, -4), (5, 2)):
        weight = 0.8 * np.exp(-np.array([u, v]) @ inverse @ [u, v] / 2)
        assert image.alpha[40 + v, 50 + u] == pytest.approx(weight, rel=1e-6)
        np.testing.assert_allclose(image.colour[40 + v, 50 + u], 0.6 * weight, rtol=1e-6)
    assert image.alpha[image.alpha > 0].min() >= 1 / 255 - 1e-7
    assert image.depth[40, 50] == pytest.approx(0.9, rel=1e-6)
    assert splats.planar[0, 0, 0] > LOW_PASS


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_nearer_one_hides_the_other(backend: Backend) -> None:
    near, far = one((50, 40), 0.8, 0.7, 1.0, 0.02), one((50, 40), 1.2, 0.9, 0.25, 0.03)
    for gaussians in (together(near, far), together(far, near)):
        splats = project(gaussians, camera())
        image = rasterise(splats, ray_depth(splats), backend=backend)
        np.testing.assert_allclose(image.colour[40, 50], 0.7 * 1.0 + 0.3 * 0.9 * 0.25, rtol=1e-5)
        assert image.alpha[40, 50] == pytest.approx(0.7 + 0.3 * 0.9, rel=1e-6)
        weights = np.array([0.7, 0.27])
        assert image.depth[40, 50] == pytest.approx(weights @ [0.8, 1.2] / weights.sum(), rel=1e-5)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_finished_pixel(backend: Backend) -> None:
    """Opaque ones count as 0.99 each; of a pile of them the third would leave less than a ten-thousandth."""
    parts = [one((50, 40), 0.8 + 0.05 * i, 1.0, 0.5, 0.02) for i in range(4)]
    splats = project(together(*parts), camera())
    image = rasterise(splats, ray_depth(splats), backend=backend)
    assert image.alpha[40, 50] == pytest.approx(1 - (1 - MOST) ** 2, abs=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_to_see(backend: Backend) -> None:
    splats = project(one((50, 40), -0.9, 0.8, 0.6, 0.02), camera())
    image = rasterise(splats, ray_depth(splats), backend=backend)
    assert (image.alpha == 0).all() and np.isinf(image.depth).all() and not image.mask.any()


def test_a_gaussian_without_extent() -> None:
    """Of a triangle whose corners are one: a dot as large as the low-pass, at its depth."""
    gaussians = one((50, 40), 0.9, 0.8, 0.6, 0.0)
    splats = project(gaussians, camera())
    image = rasterise(splats, ray_depth(splats))
    assert image.alpha[40, 50] == pytest.approx(0.8) and image.depth[40, 50] == pytest.approx(0.9, rel=1e-6)


def test_flow_that_is_not_normalised_is_shorter() -> None:
    """SRFlow's plain sum: the weighted flow itself."""
    gaussians = one((50, 40), 0.9, 0.5, 0.6, 0.02)
    splats = project(gaussians, camera())
    motion = TriangleMotion(np.eye(3)[None], np.array([[0.05, 0.02, 0.0]]))
    flow = splat_motion("mean", splats, moved(gaussians, motion), motion, camera())
    whole, plain = (rasterise(splats, ray_depth(splats), [flow], normalised=n) for n in (True, False))
    np.testing.assert_allclose(plain.flows, whole.flows * whole.alpha[..., None], atol=1e-5)
    there, _ = camera().project(gaussians.means + motion.b)
    np.testing.assert_allclose(whole.flows[0, 40, 50], there[0] - [50, 40], rtol=1e-5)
