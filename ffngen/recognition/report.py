"""A recognition run as one record, and as files.

| file | what |
| --- | --- |
| ``report.json`` | everything, with ``"kind": "recognition"``; written last |
| ``tables.md``, ``tables.tex`` | the tables; the first also lists rows that were changed or left out |
| ``predictions.csv`` | each sample's true and predicted class, by model and seed |
| ``confusion/MODEL.png`` | confusion matrices |
| ``flows/``, ``folds/`` | what a run that was stopped goes on from |
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ffngen.atomic import write_atomic
from ffngen.evaluation.report import remove_others
from ffngen.recognition.classifier import ClassifierSettings
from ffngen.recognition.features import Features
from ffngen.recognition.fit import OPTIMISTIC, Protocol
from ffngen.recognition.pictures import draw_confusion, picture_name
from ffngen.recognition.protocol import MOST_FREQUENT
from ffngen.recognition.summary import Judged, differences, summarise
from ffngen.recognition.tables import all_tables
from ffngen.tables import join


def make_record(
    samples: dict[str, Any],
    judged: Sequence[Judged],
    settings: ClassifierSettings,
    *,
    protocol: Protocol,
    seeds: int,
    crop: str,
) -> dict[str, Any]:
    """The whole record, JSON-ready, of :func:`ffngen.recognition.describe.describe_samples` and what was measured."""
    return {
        **samples,
        "protocol": f"leave one subject out, epoch: {protocol}",
        "optimistic": OPTIMISTIC if protocol is Protocol.PUBLISHED else "",
        "seeds": seeds,
        "crop": crop,
        "classifier": asdict(settings),
        "models": {one.outcome.name: summarise(one, list(samples["classes"])) for one in judged},
        "differences": differences([one for one in judged if one.outcome.name != MOST_FREQUENT]),
    }


def write_report(out: Path, record: dict[str, Any], judged: Sequence[Judged], features: Features) -> None:
    """Write a report's files into a folder that is there."""
    tables = all_tables(record)
    lines = "\n".join(f"- {remark['text']}" for remark in record["remarks"])
    listed = [f"**rows that are not as they should be**\n\n{lines}"] if lines else []
    write_atomic(out / "tables.md", join([table.markdown() for table in tables] + listed).encode())
    write_atomic(out / "tables.tex", join([table.latex() for table in tables]).encode())
    write_atomic(out / "predictions.csv", _predictions(record, judged, features).encode())
    folder = out / "confusion"
    folder.mkdir(exist_ok=True)
    names = list(record["classes"])
    written = set()
    for one in judged:
        title = one.outcome.name + (f"\n({record['optimistic']})" if record["optimistic"] else "")
        picture = draw_confusion(one.confusion, names, title)
        written.add(folder / picture_name(one.outcome.name))
        write_atomic(folder / picture_name(one.outcome.name), picture)
    remove_others(folder.glob("*.png"), written)
    write_atomic(out / "report.json", (json.dumps(record, indent=1) + "\n").encode())


def _predictions(record: dict[str, Any], judged: Sequence[Judged], features: Features) -> str:
    names = list(record["classes"])
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(("sample", "true", "model", "seed", "predicted"))
    for one in judged:
        for seed, predicted in enumerate(one.outcome.predicted):
            for key, true, found in zip(features.keys, features.labels, predicted, strict=True):
                writer.writerow((key, names[true], one.outcome.name, seed, names[found]))
    return content.getvalue()
