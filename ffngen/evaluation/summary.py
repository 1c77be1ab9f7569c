"""Means of records: every pair counts alike, as in the paper's Table 2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ffngen.dataset.regions import REGIONS
from ffngen.evaluation.areas import OCCLUDED, VISIBLE
from ffngen.evaluation.evaluate import FLOWS, HEAD, Evaluation, Record
from ffngen.metrics.flow_errors import ERROR_NAMES

#: Group -> mean errors.
Means = dict[str, dict[str, float]]

SUM = "Sum"


def summarise(evaluation: Evaluation) -> dict[str, Any]:
    """Estimator -> flow -> grouping -> group -> means of the errors, JSON-ready.

    Groupings: ``scale`` (1/20 to 1/5, and Sum), ``emotion``, ``region``, ``visibility``.
    """
    table: dict[str, Any] = {}
    for name in dict.fromkeys(record.estimator for record in evaluation.records):
        of_name = [record for record in evaluation.records if record.estimator == name]
        table[name] = {}
        for flow in FLOWS:
            chosen = [record for record in of_name if record.flow == flow]
            if chosen:
                table[name][flow] = _groupings(chosen)
    return table


def _groupings(records: Sequence[Record]) -> dict[str, Means]:
    whole = [record for record in records if record.area == HEAD]
    return {
        "scale": _grouped(whole, lambda r: scale_name(r.n_frames), _scale_order(whole)) | {SUM: _means(whole)},
        "emotion": _grouped(whole, lambda r: r.emotion),
        "region": _grouped([r for r in records if r.area in REGIONS], lambda r: r.area, REGIONS),
        "visibility": _grouped([r for r in records if r.area in (VISIBLE, OCCLUDED)], lambda r: r.area),
    }


def scale_name(n_frames: int) -> str:
    """The motion scale, as the paper writes it; 0 stands for motion that a tracker saw."""
    return f"1/{n_frames}" if n_frames else "tracked"


def _scale_order(records: Sequence[Record]) -> list[str]:
    """Small motion first, as in the paper."""
    return [scale_name(n) for n in sorted({record.n_frames for record in records}, reverse=True)]


def _grouped(records: Sequence[Record], key: Callable[[Record], str], order: Sequence[str] | None = None) -> Means:
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return {name: _means(groups[name]) for name in (order or sorted(groups)) if name in groups}


def _means(records: Sequence[Record]) -> dict[str, float]:
    means = {
        name: float(np.mean([getattr(record.errors, name) for record in records]))
        for name in ERROR_NAMES
        if name != "pixels"
    }
    means["pairs"] = len(records)
    official = [record.official for record in records if record.official is not None]
    if official:
        means["official"] = float(np.mean(official))
    return means
