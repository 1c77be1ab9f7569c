"""Converted datasets through loaders that nobody here wrote: torchvision's, ptlflow's, OpenCV's, h5py."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
from made_dataset import finish_dataset, write_sequence

from ffngen.dataset.convert.layouts import convert_files
from ffngen.dataset.labels.layout import LabelKind
from ffngen.dataset.labels.make import label_dataset
from ffngen.dataset.layout import SequenceKey
from ffngen.dataset.read import FlowDataset, Pair
from ffngen.errors import MissingPackageError
from ffngen.estimators.ptlflow import import_ptlflow, make_torchvision_importable

#: KITTI's steps of 1/64 px.
KITTI_ROUNDING = 1 / 128 + 1e-6


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sequences with different images, so that none is taken for the other."""
    root = tmp_path_factory.mktemp("made") / "dataset"
    for number, way in ((1, 1), (2, -1)):
        name = f"made-{number:06d}"
        write_sequence(root, SequenceKey("train", "happy", f"{name}_e0_n3"), identity=name, way=way)
    finish_dataset(root)
    return root


def pairs_of(dataset: Path) -> list[Pair]:
    data = FlowDataset(dataset, splits=("train",))
    return [data[i] for i in range(len(data))]


@pytest.fixture(scope="module")
def torchvision_datasets() -> Any:
    make_torchvision_importable()
    return pytest.importorskip("torchvision.datasets", reason="torchvision is not installed")


@pytest.fixture(scope="module")
def ptlflow_datasets() -> Any:
    try:
        import_ptlflow()
    except MissingPackageError as error:
        pytest.skip(str(error))
    return pytest.importorskip("ptlflow.data.datasets")


def assert_same(found: tuple[Any, Any, Any], pair: Pair, bound: float = 0.0) -> None:
    """Two images (H, W, 3) RGB and a flow (H, W, 2), against the dataset's own."""
    for image, own in zip(found[:2], (pair.image1, pair.image2), strict=True):
        np.testing.assert_array_equal(np.asarray(image), own)
    np.testing.assert_allclose(np.asarray(found[2]), pair.facial_flow, rtol=0, atol=bound)


def assert_all_same(found: list[tuple[Any, Any, Any]], pairs: list[Pair], bound: float = 0.0) -> None:
    """The same pairs, in any order: some loaders list folders in none."""
    firsts = [pair.image1.tobytes() for pair in pairs]
    assert len(found) == len(pairs) == len(set(firsts))
    places = [firsts.index(np.asarray(image1).tobytes()) for image1, _, _ in found]
    assert sorted(places) == list(range(len(pairs)))
    for place, sample in zip(places, found, strict=True):
        assert_same(sample, pairs[place], bound)


def test_torchvision_sintel(torchvision_datasets: Any, dataset: Path, tmp_path: Path) -> None:
    convert_files(dataset, tmp_path / "Sintel", "sintel", splits=("train",))
    found = torchvision_datasets.Sintel(str(tmp_path), split="train", pass_name="clean")
    samples = [(a, b, flow.transpose(1, 2, 0)) for a, b, flow in (found[i] for i in range(len(found)))]
    assert_all_same(samples, pairs_of(dataset))


def test_torchvision_things(torchvision_datasets: Any, dataset: Path, tmp_path: Path) -> None:
    """FlyingThings3D has a flow for the last image too, and torchvision passes over it: here, over the last pair."""
    convert_files(dataset, tmp_path / "FlyingThings3D", "things", splits=("train",))
    found = torchvision_datasets.FlyingThings3D(str(tmp_path), split="train", pass_name="clean", camera="left")
    samples = [(a, b, flow.transpose(1, 2, 0)) for a, b, flow in (found[i] for i in range(len(found)))]
    assert_all_same(samples, [pair for pair in pairs_of(dataset) if pair.frame == 1])


@pytest.fixture(scope="module")
def labelled(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with backward flow."""
    root = tmp_path_factory.mktemp("labelled") / "dataset"
    shutil.copytree(dataset, root)
    list(label_dataset(root, (LabelKind.BACKWARD,)))
    return root


def backward_samples(found: list[tuple[Any, Any, Any]], dataset: Path) -> int:
    """How many samples go from image t+1 to image t, each of which must have that backward flow."""
    pairs = {pair.image2.tobytes(): pair for pair in pairs_of(dataset)}
    count = 0
    for image1, image2, flow in found:
        pair = pairs.get(np.asarray(image1).tobytes())
        if pair is not None and np.array_equal(np.asarray(image2), pair.image1):
            np.testing.assert_array_equal(np.asarray(flow), pair.labels.facial_backward)
            count += 1
    return count


def test_torchvision_things_backward(torchvision_datasets: Any, labelled: Path, tmp_path: Path) -> None:
    """Two backward pairs of each sequence, beside the forward one that torchvision takes."""
    convert_files(labelled, tmp_path / "FlyingThings3D", "things", splits=("train",))
    found = torchvision_datasets.FlyingThings3D(str(tmp_path), split="train", pass_name="clean", camera="left")
    samples = [(a, b, flow.transpose(1, 2, 0)) for a, b, flow in (found[i] for i in range(len(found)))]
    assert len(samples) == 6 and backward_samples(samples, labelled) == 4


def test_ptlflow_backward(ptlflow_datasets: Any, labelled: Path, tmp_path: Path) -> None:
    layouts = {
        "things": lambda root: ptlflow_datasets.FlyingThings3DDataset(
            root, add_reverse=True, get_motion_boundary_mask=False, get_backward=False, get_occlusion_mask=False
        ),
        "spring": lambda root: ptlflow_datasets.SpringDataset(root, add_reverse=True, subsample=True),
    }
    for layout, open_layout in layouts.items():
        convert_files(labelled, tmp_path / layout, layout, splits=("train",))  # type: ignore[arg-type]
        found = open_layout(str(tmp_path / layout))
        samples = [found[i] for i in range(len(found))]
        values = [(*(image[..., ::-1] for image in s["images"]), s["flows"][0]) for s in samples]
        assert len(values) == 8 and backward_samples(values, labelled) == 4


def test_torchvision_kitti(torchvision_datasets: Any, dataset: Path, tmp_path: Path) -> None:
    convert_files(dataset, tmp_path / "KittiFlow", "kitti", splits=("train",))
    found = torchvision_datasets.KittiFlow(str(tmp_path), split="train")
    pairs = pairs_of(dataset)
    assert len(found) == len(pairs) == 4
    try:
        samples = [found[i] for i in range(len(found))]
    except RuntimeError as error:
        if "image extension" not in str(error):
            raise
        pytest.skip("this torchvision cannot load its PNG reader, which a CUDA build links against CUDA")
    assert_all_same([(a, b, flow.transpose(1, 2, 0)) for a, b, flow, _ in samples], pairs, KITTI_ROUNDING)
    assert all(np.asarray(valid).all() for _, _, _, valid in samples)


def test_ptlflow(ptlflow_datasets: Any, dataset: Path, tmp_path: Path) -> None:
    plain = {"get_occlusion_mask": False}
    layouts = {
        "sintel": lambda root: ptlflow_datasets.SintelDataset(root, split="trainval", **plain),
        "kitti": lambda root: ptlflow_datasets.KittiDataset(root_dir_2015=root, split="trainval"),
        "things": lambda root: ptlflow_datasets.FlyingThings3DDataset(
            root, add_reverse=False, get_motion_boundary_mask=False, get_backward=False, **plain
        ),
        "spring": lambda root: ptlflow_datasets.SpringDataset(root, add_reverse=False, subsample=True),
    }
    pairs = pairs_of(dataset)
    for layout, open_layout in layouts.items():
        convert_files(dataset, tmp_path / layout, layout, splits=("train",))  # type: ignore[arg-type]
        found = open_layout(str(tmp_path / layout))
        samples = [found[i] for i in range(len(found))]
        assert all(np.asarray(sample["valids"][0]).all() for sample in samples)
        bound = KITTI_ROUNDING if layout == "kitti" else 0.0
        values = [(*(image[..., ::-1] for image in s["images"]), s["flows"][0]) for s in samples]
        assert_all_same(values, pairs, bound)


def test_spring_by_h5py(dataset: Path, tmp_path: Path) -> None:
    """Four values for each pixel, on a grid of twice the image's size, in pixels of the image, as Spring has them."""
    convert_files(dataset, tmp_path, "spring", splits=("train",))
    pairs = pairs_of(dataset)
    files = sorted(tmp_path.glob("train/*/flow_FW_left/flow_FW_left_*.flo5"))
    assert [str(path.relative_to(tmp_path)) for path in files[:2]] == [
        f"train/0001/flow_FW_left/flow_FW_left_000{i}.flo5" for i in (1, 2)
    ]
    for path, pair in zip(files, pairs, strict=True):
        with h5py.File(path) as file:
            flow = file["flow"][()]
        assert flow.dtype == np.float32 and flow.shape == (240, 320, 2)
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            np.testing.assert_array_equal(flow[row::2, column::2], pair.facial_flow)
    images = sorted(tmp_path.glob("train/*/frame_left/frame_left_*.png"))
    assert len(images) == 6
    np.testing.assert_array_equal(cv2.imread(str(images[1]))[..., ::-1], pairs[0].image2)
