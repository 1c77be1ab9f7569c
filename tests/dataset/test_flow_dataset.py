"""``FlowDataset`` beyond reading: threads, processes, laziness, and what importing it brings along."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from made_dataset import make_dataset

from ffngen.dataset import FlowDataset, Pair
from ffngen.errors import InputFileError

NAMES = ("image1", "image2", "head_image2", "facial_flow", "head_flow", "expression_flow", "mask", "depth")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("made") / "dataset", {"train": 3, "val": 1})


def sums(pair: Pair) -> list[float]:
    return [float(np.asarray(getattr(pair, name), dtype=np.float64).sum()) for name in NAMES]


def sums_at(data: FlowDataset, index: int) -> list[float]:
    return sums(data[index])


def test_threads_read_what_one_thread_reads(dataset: Path) -> None:
    data = FlowDataset(dataset)
    alone = [sums_at(data, i) for i in range(len(data))]
    shared = FlowDataset(dataset)
    order = np.random.default_rng(0).integers(0, len(data), 100).tolist()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: sums_at(shared, i), order))
    assert found == [alone[i] for i in order]


def test_pickled_to_another_process(dataset: Path) -> None:
    data = FlowDataset(dataset, splits=("train",), keep=lambda key: key.emotion == "sad")
    assert 0 < len(data) < len(FlowDataset(dataset))
    expected = [sums_at(data, i) for i in range(len(data))]
    copy = pickle.loads(pickle.dumps(data))
    assert copy.sequences == data.sequences and [sums(pair) for pair in copy] == expected
    assert sums(pickle.loads(pickle.dumps(data[1]))) == expected[1]
    with get_context("spawn").Pool(1) as pool:
        assert pool.starmap(sums_at, [(data, 1)]) == [expected[1]]


def test_nothing_is_read_before_it_is_asked_for(dataset: Path, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    shutil.copytree(dataset, root)
    for folder in ("image", "depth", "flow/head"):
        shutil.rmtree(root / folder)
    pairs = list(FlowDataset(root))
    assert len(pairs) == 8
    assert pairs[-1].mask.any() and pairs[-1].facial_flow.any()
    with pytest.raises(InputFileError):
        _ = pairs[0].image1
    with pytest.raises(IndexError):
        FlowDataset(root)[8]
    assert FlowDataset(root)[-1] == pairs[-1]


def test_importing_it_brings_neither_torch_nor_blender(dataset: Path) -> None:
    code = f"""
import sys
from ffngen.dataset import FlowDataset
pair = FlowDataset({str(dataset)!r})[0]
pair.image1, pair.facial_flow, pair.mask, pair.depth, pair.vertices
heavy = {{"torch", "bpy", "anny", "embreex", "h5py"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
