"""The diversity of a dataset: sequences measured one after the other, and what they come to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffngen.atomic import read_bounded
from ffngen.dataset.layout import Record, SequenceKey, metadata_folder, require_dataset
from ffngen.dataset.metadata import read_sequence
from ffngen.dataset.read import Pair
from ffngen.diversity.cache import MeasureCache
from ffngen.diversity.gather import Gathered
from ffngen.diversity.measure import Tools, measure_sequence
from ffngen.diversity.measures import SequenceMeasures
from ffngen.diversity.sample import choose_sequences, dataset_rows
from ffngen.diversity.summary import summarise
from ffngen.errors import DatasetError

_MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Stats:
    """What was found.

    :param record: JSON-ready.
    :param gathered: what the pictures of a page are drawn from.
    """

    record: dict[str, Any]
    gathered: Gathered


def measure_dataset(
    root: Path,
    tools: Tools,
    *,
    split: str,
    limit: int,
    cache: Path | None,
    notes: list[str],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Stats:
    """Measure a dataset.

    :param limit: at most so many sequences are opened (:func:`ffngen.diversity.sample.choose_sequences`).
    :param cache: the file that keeps what was measured, or None.
    :param notes: what the reader must know already.
    :param progress: told (sequences done, sequences to do).
    :raises DatasetError: no dataset, an empty split, or a damaged file; the cache cannot be used.
    """
    require_dataset(root)
    rows = dataset_rows(root, split)
    chosen = choose_sequences(rows, limit)
    gathered = Gathered(by_network=tools.expression is not None)
    digest = sorted({row.model_digest for row in rows})
    with MeasureCache(cache, _settings(tools)) as store:
        for number, key in enumerate(chosen, start=1):
            gathered.add(_measured(store, tools, root, key))
            progress(number, len(chosen))
    if tools.models.left_out is not None:
        why = tools.models.left_out
        notes = [*notes, f"regions, skin, pose, light and our landmarks are left out: {why}"]
    record = {
        "dataset": str(root),
        "split": split,
        "sequences": len(rows),
        "measured": {"sequences": gathered.sequences, "images": gathered.frames},
        "head_models": digest,
        "tools": {
            "detector": None if tools.faces is None else tools.faces.name,
            "identity": None if (used := tools.identity or tools.faces) is None else used.name,
            "expression": None if tools.expression is None else tools.expression.name,
        },
        "notes": notes,
        **summarise(rows, gathered, dlib_vectors=tools.identity is None),
    }
    return Stats(record, gathered)


def _measured(store: MeasureCache, tools: Tools, root: Path, key: SequenceKey) -> SequenceMeasures:
    path = root / metadata_folder(key) / Record.METADATA.value
    metadata = read_sequence(root, key)
    if not metadata.layout.pair_frames:
        raise DatasetError("has no pair of images", where=path)
    name = store.key(read_bounded(path, _MOST_BYTES), tools.models(metadata))
    known = store.get(name)
    if known is not None:
        return known
    measures = measure_sequence(tools, Pair(root, metadata, metadata.layout.pair_frames[0]))
    store.put(name, measures)
    return measures


def _settings(tools: Tools) -> dict[str, Any]:
    return {
        "faces": None if tools.faces is None else tools.faces.name,
        "identity": None if tools.identity is None else tools.identity.name,
        "expression": None if tools.expression is None else tools.expression.name,
        "frames": tools.frames,
    }
