"""Strain, planes and crops against what is known by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import InputFileError
from ffngen.flow.values import UNKNOWN_FLOW
from ffngen.recognition.crop import Crop, cut, make_box_finder
from ffngen.recognition.motion import face_planes, motion_planes, optical_strain
from ffngen.recognition.sample import Sample

SAMPLE = Sample("casme2", "sub01", "a", "x", Path("onset.png"), Path("apex.png"), Path("t.csv"), 2)


def affine(a: float, b: float, c: float, d: float, shape: tuple[int, int] = (40, 56)) -> np.ndarray:
    """u = a x + b y, v = c x + d y."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    return np.stack([a * x + b * y + 3, c * x + d * y - 2], -1).astype(np.float32)


@pytest.mark.parametrize("matrix", [(0.02, 0, 0, 0), (0, 0.03, 0, 0), (0.01, -0.02, 0.05, 0.03), (0, 0, 0, 0)])
def test_strain_of_affine_motion(matrix: tuple[float, ...]) -> None:
    """The norm of the symmetric part of the motion's matrix."""
    gradient = np.array(matrix).reshape(2, 2)
    expected = np.linalg.norm((gradient + gradient.T) / 2)
    np.testing.assert_allclose(optical_strain(affine(*matrix)), expected, atol=1e-5)


def test_rotation_and_shift_do_not_strain() -> None:
    np.testing.assert_allclose(optical_strain(affine(0, 0.04, -0.04, 0)), 0, atol=1e-5)


def test_planes() -> None:
    planes = motion_planes(affine(0.02, 0, 0, 0.01), 7)
    assert planes.shape == (3, 7, 7)
    assert planes.dtype == np.float32
    # Cells are 8 x 40/7 pixels; u of the middle of the first is 3 + 0.02 * 3.5, in shares of 56 pixels.
    np.testing.assert_allclose(planes[0][0, 0], (3 + 0.02 * 3.5) / 56, rtol=1e-4)
    np.testing.assert_allclose(planes[1].mean(), (-2 + 0.01 * 19.5) / 56, rtol=1e-4)
    np.testing.assert_allclose(planes[2], np.hypot(0.02, 0.01), rtol=1e-3)
    assert motion_planes(affine(0.02, 0, 0, 0.01, (16, 16)), 28).shape == (3, 28, 28)


def test_unknown_motion_is_left_out_of_means() -> None:
    flow = affine(0, 0, 0, 0)
    flow[:, :14] = UNKNOWN_FLOW
    planes = motion_planes(flow, 4)
    np.testing.assert_allclose(planes[0][:, 0], 0)
    np.testing.assert_allclose(planes[0][:, 1:], 3 / 56, rtol=1e-5)
    # The border between known and unknown is no strain.
    np.testing.assert_allclose(planes[2], 0, atol=1e-6)


def test_faces() -> None:
    image = np.zeros((28, 28, 3), np.uint8)
    image[:14, :, 0] = 255
    planes = face_planes(image, 14)
    assert planes.shape == (3, 14, 14)
    np.testing.assert_allclose(planes[0][:7], 1)
    np.testing.assert_allclose(planes[1:], 0)


def test_boxes() -> None:
    image = np.arange(100 * 200 * 3, dtype=np.uint8).reshape(100, 200, 3)
    assert cut(image, make_box_finder(Crop.NONE, 0.2)(SAMPLE, image)).shape == image.shape
    np.testing.assert_array_equal(cut(image, make_box_finder(Crop.BOX, 0.2)(SAMPLE, image)), image[20:80, 40:160])
    small = image[:40, :40]
    assert cut(small, make_box_finder(Crop.BOX, 0.4)(SAMPLE, small)).shape == (32, 32, 3)


def test_the_box_of_a_face(monkeypatch: pytest.MonkeyPatch) -> None:
    """About its landmarks, a tenth of their extent wider on each side, and within the picture."""
    from ffngen.fit import detect

    points = np.array([[60.0, 30.0], [140.0, 80.0]])
    moved = points + np.array([70, 0])
    found = iter([detect.FoundFace(points, points), detect.FoundFace(moved, points), None])
    monkeypatch.setattr(detect, "FaceDetector", lambda: lambda image, near: next(found))
    find = make_box_finder(Crop.DETECT, 0.1)
    image = np.zeros((100, 200, 3), np.uint8)
    assert find(SAMPLE, image) == (slice(25, 85), slice(52, 148))
    assert find(SAMPLE, image) == (slice(25, 85), slice(122, 200))
    with pytest.raises(InputFileError, match=r"t.csv: row 2: no face is found in onset.png"):
        find(SAMPLE, image)
