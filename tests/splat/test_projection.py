"""Harmonics and projection, against integrals and samples."""

from __future__ import annotations

import numpy as np
from made_dataset import camera, rotation

from ffngen.splat.binding import Gaussians
from ffngen.splat.harmonics import CONSTANT, basis, colours
from ffngen.splat.projection import LOW_PASS, planar_covariances, project


def test_harmonics_are_orthonormal() -> None:
    """Over the sphere, by Gauss and Legendre's rule, which is exact for these polynomials."""
    z, weights = np.polynomial.legendre.leggauss(12)
    angle = (np.arange(24) + 0.5) * 2 * np.pi / 24
    z, angle = (grid.ravel() for grid in np.meshgrid(z, angle, indexing="ij"))
    directions = np.stack([np.sqrt(1 - z**2) * np.cos(angle), np.sqrt(1 - z**2) * np.sin(angle), z], axis=-1)
    values = basis(directions, 16)
    product = (values * np.repeat(weights, 24)[:, None] * 2 * np.pi / 24).T @ values
    np.testing.assert_allclose(product, np.eye(16), atol=1e-12)


def test_signs_and_order_of_the_first_degrees() -> None:
    """Constant, then -y, z, -x; then xy, -yz, 3z^2 - 1, -xz, x^2 - y^2, whatever their factors."""
    x, y, z = directions = np.array([0.6, -0.48, 0.64])
    found = np.sign(basis(directions[None], 9)[0])
    np.testing.assert_array_equal(found, np.sign([1, -y, z, -x, x * y, -y * z, 3 * z * z - 1, -x * z, x * x - y * y]))


def test_a_plain_colour() -> None:
    harmonics = ((np.array([[0.2, 0.5, 0.9]]) - 0.5) / CONSTANT)[:, None]
    np.testing.assert_allclose(colours(harmonics, np.array([[0.0, 0, 1]])), [[0.2, 0.5, 0.9]])
    assert (colours(harmonics - 9, np.array([[0.0, 0, 1]])) == 0).all()


def test_covariances_are_those_of_projected_samples() -> None:
    """Small Gaussians off the axis, of a camera with unequal focal lengths: the linearisation is the truth there."""
    rng = np.random.default_rng(5)
    cam = camera()
    for direction in ((20.0, 15.0), (140.0, 100.0)):
        origin, rays = cam.pixel_rays()
        column, row = map(int, direction)
        mean = origin + 0.8 * rays[row, column]
        axes = rotation(*rng.normal(size=3)) * [1e-4, 3e-4, 5e-4]
        samples = mean + rng.normal(size=(200_000, 3)) @ axes.T
        pixels, _ = cam.project(samples)
        R = cam.T_cam_world[:3, :3]
        found = planar_covariances(cam.to_camera(mean[None]), (R @ axes @ axes.T @ R.T)[None], cam)[0]
        np.testing.assert_allclose(found - LOW_PASS * np.eye(2), np.cov(pixels.T), rtol=0.02, atol=2e-4)


def test_what_is_left_out() -> None:
    """Behind the camera, beside the image, too faint; and the nearest comes first."""
    cam = camera()
    origin, rays = cam.pixel_rays()
    axis = rays[60, 80]
    means = np.array([origin + s * axis for s in (2.0, 1.0, -1.0, 1.5)] + [origin + rays[0, 0] - rays[0, 40]])
    count = len(means)
    gaussians = Gaussians(
        means, np.tile(1e-6 * np.eye(3), (count, 1, 1)), np.array([0.5, 0.5, 0.5, 1e-4, 0.5]), np.zeros((count, 1, 3))
    )
    splats = project(gaussians, cam)
    assert splats.index.tolist() == [1, 0]
    np.testing.assert_allclose(splats.pixels, [[80, 60], [80, 60]], atol=1e-9)
