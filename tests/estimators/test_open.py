"""Estimators by name and by file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from ffngen.errors import InputFileError, JobError, MissingPackageError
from ffngen.estimators import open_estimator
from ffngen.estimators.open import choose_device, weights_file
from ffngen.models import build, load, save

SHAPE = (136, 160, 3)


@pytest.fixture(scope="module")
def images() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(0, 256, (SHAPE[0] // 8, SHAPE[1] // 8, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    return coarse, np.roll(coarse, (1, 2), (0, 1))


def test_a_checkpoint_is_its_model(tmp_path: Path, images, one_thread) -> None:
    path = tmp_path / "run" / "best.safetensors"
    path.parent.mkdir()
    save(build("decflow"), path)
    estimator = open_estimator(str(path), iterations=2, device="cpu")
    assert estimator.name == "run/best"
    assert estimator.details["encoder"] == "random"
    expected = load(path, iterations=2)(*images)
    for estimates in (estimator(*images), *estimator.along(images)):
        for found, flow in zip(estimates, expected, strict=True):
            assert np.abs(found - flow).max() <= 1e-4
    tight = open_estimator(str(path), iterations=1, device="cpu", memory_gib=1e-6)
    with pytest.raises(JobError, match="too few for a tile"):
        tight(*images)


@pytest.mark.parametrize("name", ["zero", "dis", "farneback"])
def test_classical(name: str, images) -> None:
    estimate = open_estimator(name)(*images)
    assert estimate.facial.shape == (*SHAPE[:2], 2)
    assert estimate.facial.dtype == np.float32
    assert (estimate.head is None) == (name != "zero")
    (along,) = open_estimator(name).along(images)
    np.testing.assert_array_equal(along.facial, estimate.facial)


def test_small_images() -> None:
    image = np.zeros((9, 50, 3), np.uint8)
    assert open_estimator("dis")(image, image).facial.shape == (9, 50, 2)


def test_what_there_is_not() -> None:
    with pytest.raises(JobError, match="unknown estimator 'raft'"):
        open_estimator("raft")
    with pytest.raises(InputFileError, match=r"gone\.pth"):
        open_estimator("gone.pth")
    if not torch.cuda.is_available():
        with pytest.raises(JobError, match="no CUDA GPU"):
            open_estimator("gone.pth", device="cuda")


HAS_PTLFLOW = importlib.util.find_spec("ptlflow") is not None


@pytest.mark.skipif(HAS_PTLFLOW, reason="ptlflow is installed")
@pytest.mark.parametrize("device", ["tpu", "xpu:99"])
def test_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(JobError, match=f"device: PyTorch has no device '{device}' here"):
        choose_device(device)


def test_weights_file() -> None:
    assert weights_file("dis") is weights_file("ptlflow:raft") is None
    assert weights_file("ptlflow:raft@a@b.pth") == Path("a@b.pth")
    assert weights_file("runs/me@home/best.safetensors") == Path("runs/me@home/best.safetensors")


def test_without_ptlflow() -> None:
    with pytest.raises(MissingPackageError, match=r"pip install \"ffngen\[ptlflow\]\""):
        open_estimator("ptlflow:raft")


@pytest.mark.skipif(not HAS_PTLFLOW, reason='ptlflow is not installed (pip install "ffngen[ptlflow]")')
def test_ptlflow_sees_the_same_colours(tmp_path: Path, images, one_thread) -> None:
    """The same weights on either side of the border, where RGB 0..255 becomes BGR 0..1."""
    network = build("raft")
    torch.save(network.state_dict(), tmp_path / "raft.pth")
    theirs = open_estimator(f"ptlflow:raft@{tmp_path / 'raft.pth'}", iterations=4, device="cpu")
    ours = load(tmp_path / "raft.pth", iterations=4)
    assert np.abs(theirs(*images).facial - ours(*images).facial).max() <= 1e-4
    with pytest.raises(JobError, match="no network 'rafty'"):
        open_estimator("ptlflow:rafty")
