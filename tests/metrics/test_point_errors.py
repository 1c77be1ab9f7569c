"""Sampling flow at points, and intervals over subjects."""

from __future__ import annotations

import numpy as np
import pytest

from ffngen.flow.values import UNKNOWN_FLOW
from ffngen.metrics.point_errors import inside_picture, point_errors, sample_flow
from ffngen.metrics.subject_bootstrap import subject_interval


def affine(points: np.ndarray) -> np.ndarray:
    """A motion that differs in both axes, which bilinear interpolation keeps."""
    x, y = points[..., 0], points[..., 1]
    return np.stack([1.5 + 0.05 * x - 0.11 * y, -2.0 + 0.07 * x + 0.02 * y], axis=-1)


def field(width: int, height: int) -> np.ndarray:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return affine(np.stack([x, y], axis=-1)).astype(np.float32)


def test_between_pixels() -> None:
    points = np.random.default_rng(0).uniform([0, 0], [29, 19], (200, 2))
    found, valid = sample_flow(field(30, 20), points)
    assert valid.all()
    np.testing.assert_allclose(found, affine(points), atol=1e-5)
    # The equation's error, with motion from image 1 to image 2.
    error, _ = point_errors(field(30, 20), points, affine(points) + np.array([0.3, -0.4]))
    np.testing.assert_allclose(error, 0.5, atol=1e-5)


def test_the_edge_of_the_picture() -> None:
    points = np.array([[-0.5, 3], [-0.51, 3], [29.5, 19.5], [29.4, -0.6], [np.nan, 2]])
    found, valid = sample_flow(field(30, 20), points)
    np.testing.assert_array_equal(valid, [True, False, True, False, False])
    np.testing.assert_array_equal(inside_picture(points, 30, 20), valid)
    np.testing.assert_allclose(found[[0, 2]], affine(np.array([[0, 3], [29, 19]])), atol=1e-5)
    assert (found[~valid] == 0).all()


def test_unknown_pixels() -> None:
    flow = field(30, 20)
    flow[10, 12] = UNKNOWN_FLOW
    flow[4, 4] = np.nan
    points = np.array([[12, 10], [11.5, 10], [11, 10], [12, 9.1], [13, 9], [3.2, 4]])
    found, valid = sample_flow(flow, points)
    np.testing.assert_array_equal(valid, [False, False, True, False, True, False])
    np.testing.assert_allclose(found[valid], affine(points[valid]), atol=1e-5)


def test_intervals_are_over_subjects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pairs of few subjects are no more certain than few; against the normal interval of subject means."""
    rng = np.random.default_rng(1)
    means = rng.normal(5, 1, 40)
    subjects = np.repeat([f"S{i:03d}" for i in range(40)], 25)
    values = np.repeat(means, 25) + rng.normal(0, 0.1, 1000)
    low, high = subject_interval(list(values), list(subjects)) or (0, 0)
    half = 1.96 * means.std() / np.sqrt(40)
    assert low == pytest.approx(values.mean() - half, abs=0.06)
    assert high == pytest.approx(values.mean() + half, abs=0.06)
    assert (low, high) == subject_interval(list(values), list(subjects))
    monkeypatch.setattr("ffngen.metrics.subject_bootstrap._AT_ONCE", 40 * 333)
    assert (low, high) == subject_interval(list(values), list(subjects))
    assert subject_interval([1.0, 2.0], ["a", "a"]) is None
    # Every pair counts alike: the subject with more pairs weighs more.
    low, high = subject_interval([1.0, 1.0, 1.0, 5.0], ["a", "a", "a", "b"]) or (0, 0)
    assert (low, high) == (1.0, 5.0)
