"""The pinhole camera that stands for a weak-perspective one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import FfngenError
from ffngen.head.load import load_head
from ffngen.params.weak_perspective import weak_perspective_camera

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"


def orthographic(points: np.ndarray, scale: float, tx: float, ty: float, size: int) -> np.ndarray:
    """DECA's projection, written out: s (x + t), y turned round, -1 and 1 at the outer edges of the image's pixels."""
    x, y = scale * (points[:, 0] + tx), -scale * (points[:, 1] + ty)
    return np.stack([(x + 1) / 2 * size - 0.5, (y + 1) / 2 * size - 0.5], axis=-1)


@pytest.mark.parametrize("scale", [4.0, 7.3, 9.0, 11.0, 14.0])
@pytest.mark.parametrize(("tx", "ty"), [(0.0, 0.0), (0.02, -0.015), (-0.03, 0.025)])
def test_points_of_a_real_heads_depth(scale: float, tx: float, ty: float) -> None:
    """Within half a pixel anywhere in the crop, off its centre as well, in both axes."""
    rng = np.random.default_rng(0)
    points = np.stack([*rng.uniform(-1, 1, (2, 2000)) / scale, rng.uniform(-0.02, 0.08, 2000)], -1)
    expected = orthographic(points, scale, tx, ty, 224)
    inside = ((expected > -0.5) & (expected < 223.5)).all(1)
    found, depth = weak_perspective_camera(scale, tx, ty).project(points)
    assert (depth > 10).all()
    assert np.abs(found - expected)[inside].max() <= 0.5


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/flame2023_open_lite")
def test_landmarks_of_flame() -> None:
    model = load_head(SHARED)
    assert model.landmarks is not None
    pose = np.zeros((1, 15))
    pose[0, :3] = [0.1, 0.3, -0.05]
    vertices = model.vertices(np.zeros(1), np.zeros((1, 1)), pose)[0].astype(np.float64)
    points = model.landmarks.evaluate(vertices)
    expected = orthographic(points, 9.0, 0.01, -0.02, 224)
    found, _ = weak_perspective_camera(9.0, 0.01, -0.02).project(points)
    assert np.ptp(expected[:, 0]) > 80
    assert np.abs(found - expected).max() <= 0.5


def test_one_lens_for_all_scales() -> None:
    near, far = weak_perspective_camera(12, 0, 0), weak_perspective_camera(6, 0.1, 0.2)
    np.testing.assert_array_equal(near.K, far.K)
    assert far.position[2] > near.position[2]
    for bad in ((0, 0, 0), (-1, 0, 0), (np.nan, 0, 0), (np.inf, 0, 0), (9, np.nan, 0)):
        with pytest.raises(FfngenError):
            weak_perspective_camera(*bad)
