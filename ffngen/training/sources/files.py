"""A source whose samples are image pairs and flow files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.arrays import read_mask
from ffngen.errors import InputFileError
from ffngen.flow.files import read_flow
from ffngen.flow.values import check_size, known
from ffngen.images import image_size, read_image
from ffngen.training.cache import FlowCache
from ffngen.training.sample import LazySample, Rows, Sample


@dataclass(frozen=True, slots=True)
class PairFiles:
    """The files of one pair, relative to the source's root; None for what the source has not.

    :param invalid: an image that is not black where flow is not valid (Sintel's).
    """

    image1: str
    image2: str
    facial: str
    head: str | None = None
    mask: str | None = None
    invalid: str | None = None


class FileSource:
    """Samples by their files.

    :param name: for tables and logs.
    :param root: the folder that paths start from.
    :param pairs: in a fixed order.
    :param cache: where decoded flow is kept, or None.
    """

    def __init__(self, name: str, root: Path, pairs: Sequence[PairFiles], cache: FlowCache | None = None) -> None:
        if not pairs:
            raise InputFileError("holds no pair of images with a flow", where=root, mend="check the path and the split")
        self.name = name
        self.root = root
        self.pairs = pairs
        self.cache = cache

    @property
    def has_heads(self) -> bool:
        """Whether its samples have head flow and a mask."""
        return self.pairs[0].head is not None

    def digest(self) -> str:
        """SHA-256 of the files' names: they are told apart by name, not read."""
        state = hashlib.sha256()
        for pair in self.pairs:
            state.update(f"{pair}\n".encode())
        return state.hexdigest()

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> LazySample:
        pair = self.pairs[index]
        width, height = image_size(self.root / pair.image1)
        return LazySample(height, width, partial(read_pair, self.root, pair, (height, width), self.cache))


def read_pair(root: Path, pair: PairFiles, size: tuple[int, int], cache: FlowCache | None, rows: Rows) -> Sample:
    """Some rows of a pair.

    :param size: (height, width) that all its files must have.
    :raises InputFileError: a file is missing, damaged, or of another size.
    """
    image1, image2 = (_rows_of(read_image(root / name), root / name, size, rows) for name in (pair.image1, pair.image2))
    read = read_flow if cache is None else cache.read
    flows = [read(root / name, rows.slice, size) for name in (pair.facial, pair.head) if name is not None]
    valid = known(flows[0])
    for flow in flows[1:]:
        valid &= known(flow)
    if pair.invalid is not None:
        valid &= ~_rows_of(read_image(root / pair.invalid), root / pair.invalid, size, rows).any(-1)
    mask = np.ones(valid.shape, dtype=bool)
    if pair.mask is not None:
        mask = _rows_of(read_mask(root / pair.mask), root / pair.mask, size, rows) > 0
    if not valid.all():
        flows = [np.where(valid[..., None], flow, np.float32(0)) for flow in flows]
    return Sample(image1, image2, flows[0], flows[1] if len(flows) > 1 else None, valid, mask)


def _rows_of(array: NDArray[np.uint8], path: Path, size: tuple[int, int], rows: Rows) -> NDArray[np.uint8]:
    check_size(path, array.shape, size)
    return array[rows.slice]
