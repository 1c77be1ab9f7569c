"""A pinhole camera with a long lens in place of a weak-perspective one, against the projection that DECA draws with."""

from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import FfngenError
from ffngen.head.load import load_head
from ffngen.params.weak_perspective import weak_perspective_camera

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"
CAMERAS = [(8.5, 0.0, 0.0), (8.5, 0.03, -0.02), (8.5, -0.04, 0.035), (5.0, 0.08, 0.06), (10.0, -0.01, 0.04)]


def drawn(points: np.ndarray, scale: float, tx: float, ty: float, size: int = 224) -> np.ndarray:
    """Indices of pixels: ``batch_orth_proj``, y turned, then PyTorch3D's (2 i + 1) / size - 1 for pixel i."""
    x, y = scale * (points[:, 0] + tx), -scale * (points[:, 1] + ty)
    return np.stack([((x + 1) * size - 1) / 2, ((y + 1) * size - 1) / 2], axis=1)


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("size", [224, 500])
def test_exact_in_the_plane_of_the_head(camera: tuple[float, float, float], size: int) -> None:
    points = np.random.default_rng(0).uniform(-0.1, 0.1, size=(100, 3)) * [1, 1, 0]
    pixels, depth = weak_perspective_camera(*camera, size).project(points)
    np.testing.assert_allclose(pixels, drawn(points, *camera, size), atol=1e-9)
    assert (depth > 0).all()


@pytest.mark.parametrize("camera", CAMERAS)
def test_within_half_a_pixel_at_any_depth_of_a_head(camera: tuple[float, float, float]) -> None:
    grid = np.linspace(-1, 1, 9)
    image = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    scale, tx, ty = camera
    xy = image * [1, -1] / scale - [tx, ty]
    for z in (-0.12, 0.12):
        points = np.c_[xy, np.full(len(xy), z)]
        pixels, _ = weak_perspective_camera(*camera).project(points)
        assert np.abs(pixels - drawn(points, *camera)).max() < 0.3


def test_right_and_down() -> None:
    camera = weak_perspective_camera(8.5, 0.01, 0.02)
    (centre, left, up), _ = camera.project([[-0.01, -0.02, 0], [0, -0.02, 0], [-0.01, 0, 0]])
    np.testing.assert_allclose(centre, [111.5, 111.5])
    np.testing.assert_allclose(left - centre, [8.5 * 112 * 0.01, 0], atol=1e-9)
    np.testing.assert_allclose(up - centre, [0, -8.5 * 112 * 0.02], atol=1e-9)
    assert camera.to_camera([0, 0, 0.1])[2] < camera.to_camera([0, 0, 0])[2]


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
@pytest.mark.parametrize("camera", CAMERAS)
def test_landmarks_of_a_real_head(camera: tuple[float, float, float]) -> None:
    model = load_head(SHARED)
    pose = np.zeros((3, 15))
    pose[:, :3] = [[0, 0, 0], [0.2, 0.7, 0.1], [-0.3, -0.5, 0]]
    rng = np.random.default_rng(1)
    assert model.landmarks is not None
    for vertices in model.vertices(rng.normal(size=100), rng.normal(size=(3, 50)), pose).astype(np.float64):
        landmarks = model.landmarks.evaluate(vertices)
        found, _ = weak_perspective_camera(*camera).project(landmarks)
        assert np.abs(found - drawn(landmarks, *camera)).max() < 0.5
        # All of the head that the crop shows; the neck below it may lie further off.
        expected = drawn(vertices, *camera)
        shown = ((expected > -0.5) & (expected < 223.5)).all(axis=1)
        found, _ = weak_perspective_camera(*camera).project(vertices)
        assert np.abs(found - expected)[shown].max() < 0.5
        assert shown.sum() > 2500


@pytest.mark.parametrize("camera", [(0, 0, 0), (-1, 0, 0), (np.nan, 0, 0), (8, np.inf, 0)])
def test_no_camera(camera: tuple[float, float, float]) -> None:
    with pytest.raises(FfngenError):
        weak_perspective_camera(*camera)
