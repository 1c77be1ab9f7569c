"""Pairs as tensors, through PyTorch's own loader with processes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from made_dataset import make_dataset

from ffngen.dataset import FlowDataset
from ffngen.errors import JobError
from ffngen.training.torch_pairs import NAMES, TorchPairs


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("made") / "dataset", {"train": 2, "val": 1})


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_gives_the_pairs(dataset: Path, workers: int) -> None:
    pairs = TorchPairs(dataset, NAMES, splits=("train",))
    loader = torch.utils.data.DataLoader(pairs, batch_size=3, num_workers=workers)
    batches = list(loader)
    assert [len(batch["mask"]) for batch in batches] == [3, 1]
    own = list(FlowDataset(dataset, splits=("train",)))
    for name in NAMES:
        found = torch.cat([batch[name] for batch in batches]).numpy()
        expected = np.stack([getattr(pair, name) for pair in own])
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected if expected.ndim == 3 else np.moveaxis(expected, -1, 1))


def test_only_what_is_named(dataset: Path) -> None:
    pairs = TorchPairs(FlowDataset(dataset), ("image1", "depth"))
    assert set(pairs[0]) == {"image1", "depth"} and len(pairs) == 6
    with pytest.raises(JobError, match="no 'flow'"):
        TorchPairs(dataset, ("flow",))
