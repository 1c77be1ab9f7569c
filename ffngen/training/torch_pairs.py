"""A dataset's pairs as PyTorch tensors, for those who train with loops of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ffngen.dataset.read import FlowDataset
from ffngen.errors import JobError

#: What :class:`TorchPairs` can read: the properties of a pair that are one array.
NAMES = ("image1", "image2", "head_image2", "facial_flow", "head_flow", "expression_flow", "mask", "depth")


class TorchPairs(Dataset[dict[str, Tensor]]):
    """The pairs of a :class:`FlowDataset` as dictionaries of tensors, channels first.

    >>> pairs = TorchPairs("dataset", splits=("train",))                              # doctest: +SKIP
    >>> loader = torch.utils.data.DataLoader(pairs, batch_size=8, shuffle=True, num_workers=4)  # doctest: +SKIP

    Images are (3, H, W) uint8 RGB; flows (2, H, W) float32, pixels; the mask (H, W) uint8; depth (H, W) float32,
    metres. Only what is named is read.

    :param dataset: a dataset, or its folder.
    :param names: which of :data:`NAMES`.
    :param splits: of a folder: these splits alone.
    :raises DatasetError: the folder is no dataset.
    :raises JobError: a name that no pair has.
    """

    def __init__(
        self,
        dataset: FlowDataset | str | Path,
        names: tuple[str, ...] = ("image1", "image2", "facial_flow", "head_flow", "mask"),
        *,
        splits: tuple[str, ...] | None = None,
    ) -> None:
        unknown = sorted(set(names) - set(NAMES))
        if unknown:
            raise JobError(f"a pair has no {unknown[0]!r}", where="names", mend=f"use some of {', '.join(NAMES)}")
        self.dataset = dataset if isinstance(dataset, FlowDataset) else FlowDataset(dataset, splits=splits)
        self.names = names

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        pair = self.dataset[index]
        return {name: _tensor(getattr(pair, name)) for name in self.names}


def _tensor(array: NDArray[Any]) -> Tensor:
    """(H, W, C) becomes (C, H, W); in memory of its own, which can be written to."""
    channels_first = np.moveaxis(array, -1, 0) if array.ndim == 3 else array
    return torch.from_numpy(np.array(channels_first, order="C"))
