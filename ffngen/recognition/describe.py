"""What is measured on, as a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ffngen.recognition.labels import LabelMap
from ffngen.recognition.sample import SampleSet

KIND = "recognition"


def describe_samples(
    found: SampleSet, labels: LabelMap, numbers: Sequence[int], people: Sequence[str], left_out: dict[str, int]
) -> dict[str, Any]:
    """What is measured on, JSON-ready."""
    datasets = [person.partition("/")[0] for person in people]
    return {
        "kind": KIND,
        "dataset": found.name,
        "labels": labels.name,
        "rows": found.rows,
        "samples": len(numbers),
        "subjects": len(set(people)),
        "classes": {name: list(numbers).count(i) for i, name in enumerate(labels.classes)},
        "datasets": {name: datasets.count(name) for name in sorted(set(datasets))},
        "left_out_by_label": left_out,
        "remarks": [{**asdict(remark), "source": str(remark.source), "text": str(remark)} for remark in found.remarks],
    }
