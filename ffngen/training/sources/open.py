"""Any source, by its kind and its path."""

from __future__ import annotations

from pathlib import Path

from ffngen.dataset.layout import DATASET_FILE, SHARDS_FILE, SPLITS
from ffngen.errors import InputFileError, JobError
from ffngen.training.cache import FlowCache
from ffngen.training.config import SourceConfig
from ffngen.training.sample import Source
from ffngen.training.sources.ffngen_dataset import FfngenSource
from ffngen.training.sources.files import FileSource
from ffngen.training.sources.public import LAYOUTS
from ffngen.training.sources.shards import ShardSource


def open_source(config: SourceConfig, cache: FlowCache | None = None) -> Source:
    """The source of a config.

    :param cache: where decoded flow is kept, or None.
    :raises InputFileError, DatasetError: the folder is missing, is not of that kind, or has nothing in the split.
    """
    root = Path(config.path)
    if config.split not in SPLITS:
        raise JobError(f"unknown split {config.split[:40]!r}", where="sources", mend=f"use one of {', '.join(SPLITS)}")
    if not root.exists():
        raise InputFileError("no such folder", where=root)
    if config.kind == "ffngen":
        if (root / SHARDS_FILE).is_file():
            return ShardSource(root, config.split)
        if not (root / DATASET_FILE).is_file() and (root / "image" / "facial").is_dir():
            mend = "for the published FacialFlowNet say kind: ffn"
            raise InputFileError(f"not an ffngen dataset: it has no {DATASET_FILE}", where=root, mend=mend)
        return FfngenSource(root, (config.split,), cache)
    pairs = list(LAYOUTS[config.kind](root, config.split))
    return FileSource(root.name or str(root), root, pairs, cache)
