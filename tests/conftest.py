"""What tests of several packages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_dataset import make_dataset


@pytest.fixture(scope="session")
def made_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five sequences of train, two of val, two of test; 160 x 120 pixels. Shared, so not to be changed."""
    return make_dataset(tmp_path_factory.mktemp("made") / "dataset", {"train": 5, "val": 2, "test": 2})


@pytest.fixture
def one_thread() -> Iterator[None]:
    """PyTorch computes with one thread, and so always in the same order."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
