"""Reading a dataset: pairs of images with their flows, each file opened when it is asked for.

>>> from ffngen.dataset import FlowDataset
>>> data = FlowDataset("dataset", splits=("train",))            # doctest: +SKIP
>>> pair = data[0]                                              # doctest: +SKIP
>>> pair.image1, pair.image2, pair.facial_flow, pair.head_flow  # doctest: +SKIP

The base install is enough: neither Blender nor PyTorch is imported. :class:`ffngen.training.torch_pairs.TorchPairs`
gives the same pairs as tensors, for a ``torch.utils.data.DataLoader``.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import sha256_file
from ffngen.dataset.arrays import SequenceVertices, read_mask, read_vertices
from ffngen.dataset.labels.read import PairLabels
from ffngen.dataset.layout import (
    MANIFEST_FILE,
    Output,
    Record,
    SequenceKey,
    complete_sequences,
    metadata_folder,
    require_dataset,
)
from ffngen.dataset.manifest import read_manifest
from ffngen.dataset.metadata import SequenceMetadata, read_sequence
from ffngen.flow.exr import read_depth_exr
from ffngen.flow.files import read_flow
from ffngen.flow.values import Flow
from ffngen.images import read_image


@dataclass(frozen=True)
class Pair:
    """Frames t and t+1 of a sequence; each property reads its file.

    :param root: the dataset's folder.
    :param metadata: the sequence.
    :param frame: t.
    """

    root: Path
    metadata: SequenceMetadata
    frame: int

    def _path(self, output: Output, frame: int) -> Path:
        return self.root / self.metadata.layout.file(output, frame)

    @property
    def image1(self) -> NDArray[np.uint8]:
        """I^f_t: (H, W, 3) uint8 RGB."""
        return read_image(self._path(Output.FACIAL_IMAGE, self.frame))

    @property
    def image2(self) -> NDArray[np.uint8]:
        """I^f_{t+1}: (H, W, 3) uint8 RGB."""
        return read_image(self._path(Output.FACIAL_IMAGE, self.frame + 1))

    @property
    def head_image2(self) -> NDArray[np.uint8]:
        """I^h_{t+1}, the head-only image: (H, W, 3) uint8 RGB."""
        return read_image(self._path(Output.HEAD_IMAGE, self.frame + 1))

    @property
    def facial_flow(self) -> Flow:
        """F^f_t, from ``image1`` to ``image2``: (H, W, 2) float32, pixels."""
        return read_flow(self._path(Output.FACIAL_FLOW, self.frame))

    @property
    def head_flow(self) -> Flow:
        """F^h_t, from ``image1`` to ``head_image2``: (H, W, 2) float32, pixels."""
        return read_flow(self._path(Output.HEAD_FLOW, self.frame))

    @property
    def expression_flow(self) -> Flow:
        """F^e_t = F^f_t - F^h_t: (H, W, 2) float32, pixels."""
        return self.facial_flow - self.head_flow

    @property
    def mask(self) -> NDArray[np.uint8]:
        """(H, W) uint8 of frame t, 1 on the head."""
        return read_mask(self._path(Output.MASK, self.frame))

    @property
    def depth(self) -> NDArray[np.float32]:
        """(H, W) float32 of frame t, metres along the optical axis."""
        return read_depth_exr(self._path(Output.DEPTH, self.frame))

    @property
    def labels(self) -> PairLabels:
        """Labels beyond these, where they were made (``ffngen label``)."""
        return PairLabels(self.root, self.metadata, self.frame)

    @property
    def vertices(self) -> SequenceVertices:
        """The geometry of the whole sequence."""
        return read_vertices(self.root / self.metadata.layout.record(Record.VERTICES))


class FlowDataset:
    """All image pairs of a dataset, in the order of its sequences: ``len(data)``, ``data[i]``, iteration.

    The manifest is the index where there is one; otherwise the metadata files are. Opening reads the index alone, an
    index costs its sequence's metadata, which is remembered, and a :class:`Pair`'s properties read their files anew
    each time. All may be used from many threads at once, and a data set or a pair may be pickled to other processes,
    which then need the same folder under the same path.

    :param root: the dataset's folder.
    :param splits: keep these splits only.
    :param keep: keep the sequences for which it is true.
    :raises DatasetError: the folder is no dataset.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        splits: tuple[str, ...] | None = None,
        keep: Callable[[SequenceKey], bool] | None = None,
    ) -> None:
        self.root = Path(root)
        require_dataset(self.root)
        self.sequences: list[SequenceKey] = []
        counts = []
        for key, pairs in self._index():
            if (splits is None or key.split in splits) and (keep is None or keep(key)):
                self.sequences.append(key)
                counts.append(pairs)
        self._ends = list(accumulate(counts))
        self._remember()

    def _remember(self) -> None:
        """Remember what was read last; of use to this process alone."""
        self._metadata = lru_cache(maxsize=256)(partial(read_sequence, self.root))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_metadata"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._remember()

    def _index(self) -> Iterator[tuple[SequenceKey, int]]:
        if (self.root / MANIFEST_FILE).is_file():
            for row in read_manifest(self.root):
                yield row.key, row.pairs
        else:
            for key in complete_sequences(self.root):
                yield key, len(read_sequence(self.root, key).layout.pair_frames)

    def digest(self) -> str:
        """SHA-256 of the manifest, which holds what each sequence is; of their metadata where there is none."""
        manifest = self.root / MANIFEST_FILE
        if manifest.is_file():
            return sha256_file(manifest)
        state = hashlib.sha256()
        for key in self.sequences:
            state.update(f"{key} {sha256_file(self.root / metadata_folder(key) / Record.METADATA.value)}\n".encode())
        return state.hexdigest()

    def metadata(self, key: SequenceKey) -> SequenceMetadata:
        """One sequence's metadata; raises :class:`DatasetError` when it is damaged."""
        return self._metadata(key)

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> Pair:
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        place = bisect_right(self._ends, index)
        start = self._ends[place - 1] if place else 0
        metadata = self._metadata(self.sequences[place])
        return Pair(self.root, metadata, metadata.layout.pair_frames[index - start])

    def pairs(self, key: SequenceKey) -> list[Pair]:
        """The pairs of one sequence."""
        metadata = self._metadata(key)
        return [Pair(self.root, metadata, frame) for frame in metadata.layout.pair_frames]


def spread_evenly(count: int, limit: int) -> list[int]:
    """At most ``limit`` of the indices 0 to ``count - 1``, the first and the last among them."""
    return list(range(count)) if count <= limit else [int(i) for i in np.linspace(0, count - 1, limit).round()]
