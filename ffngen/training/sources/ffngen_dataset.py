"""ffngen's own datasets as a source."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from ffngen.dataset.layout import Output, SequenceLayout
from ffngen.dataset.read import FlowDataset
from ffngen.errors import DatasetError
from ffngen.training.cache import FlowCache
from ffngen.training.sources.files import FileSource, PairFiles


class FfngenSource(FileSource):
    """The pairs of a dataset's splits.

    :raises DatasetError: the folder is no dataset, or has no sequence in these splits.
    """

    def __init__(self, root: Path, splits: tuple[str, ...], cache: FlowCache | None = None) -> None:
        dataset = FlowDataset(root, splits=splits)
        layouts = [dataset.metadata(key).layout for key in dataset.sequences]
        pairs = [pair_files(layout, frame) for layout in layouts for frame in layout.pair_frames]
        if not pairs:
            raise DatasetError(no_split(root, splits), where=root, mend="render more identities, or name another split")
        super().__init__(root.name or str(root), root, pairs, cache)
        self._content = dataset.digest()

    def digest(self) -> str:
        """SHA-256 of what each sequence is, and of the pairs that were chosen."""
        return hashlib.sha256(f"{self._content}{super().digest()}".encode()).hexdigest()


def pair_files(layout: SequenceLayout, frame: int) -> PairFiles:
    """The files of frames t and t+1 of a sequence."""

    def path(output: Output, number: int) -> str:
        return str(layout.file(output, number))

    return PairFiles(
        image1=path(Output.FACIAL_IMAGE, frame),
        image2=path(Output.FACIAL_IMAGE, frame + 1),
        facial=path(Output.FACIAL_FLOW, frame),
        head=path(Output.HEAD_FLOW, frame),
        mask=path(Output.MASK, frame),
    )


def no_split(root: Path, splits: Sequence[str]) -> str:
    """What to say of a dataset without sequences in some splits."""
    there = sorted({key.split for key in FlowDataset(root).sequences})
    return f"has no sequence in {' or '.join(splits)}; it has {', '.join(there) if there else 'none at all'}"
