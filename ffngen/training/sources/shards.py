"""WebDataset shards that ``ffngen convert`` wrote, as a source."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from ffngen.atomic import sha256_file
from ffngen.dataset.shards import FACIAL, HEAD, IMAGE1, IMAGE2, INDEX_FILE, ShardIndex, ShardPair, ShardRow, checked_row
from ffngen.flow.values import check_size, known
from ffngen.training.sample import LazySample, Rows, Sample


class ShardSource:
    """The pairs of one split; each is one reading of its shard.

    :raises DatasetError: the folder holds no shards, or none of this split.
    """

    has_heads = True

    def __init__(self, root: Path, split: str) -> None:
        self.name = root.name or str(root)
        self.root = root
        self.index = ShardIndex(root, split)

    def digest(self) -> str:
        """SHA-256 of the index, which holds every pair's name, place and size."""
        return sha256_file(self.root / INDEX_FILE)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, index: int) -> LazySample:
        row = checked_row(self.index[index])
        return LazySample(row.height, row.width, partial(_read, self.root, row))


def _read(root: Path, row: ShardRow, rows: Rows) -> Sample:
    pair = ShardPair.read(root, row)
    size = (row.height, row.width)
    images = []
    for name in (IMAGE1, IMAGE2):
        image = pair.image(name)
        check_size(pair.where, image.shape, size)
        images.append(image[rows.slice])
    facial, head = (pair.flow(name, rows.slice, size) for name in (FACIAL, HEAD))
    valid = known(facial) & known(head)
    if not valid.all():
        facial, head = (np.where(valid[..., None], flow, np.float32(0)) for flow in (facial, head))
    return Sample(images[0], images[1], facial, head, valid, pair.mask(size)[rows.slice])
