"""An evaluation at points as one record, and as files.

| file | what |
| --- | --- |
| ``pairs.csv`` | every pair's error, by method, flow and region |
| ``tables.md``, ``tables.tex`` | the tables |
| ``worst/METHOD/01.png`` | the worst pairs, the worst first |
| ``report.json`` | everything but the pairs; written last |
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ffngen.atomic import write_atomic
from ffngen.evaluation.report import Report, write_worst
from ffngen.realworld.evaluate import Pictured
from ffngen.realworld.methods import Method
from ffngen.realworld.pair_errors import PairErrors
from ffngen.realworld.pictures import draw_points
from ffngen.realworld.points import FLOWS, PointSet
from ffngen.realworld.published import DIFFERENCES, TABLE3, published_table
from ffngen.realworld.summary import point_tables, summarise_points

Kind = Literal["landmarks", "vertices"]

_HEAD_NOTE = (
    "real images tell nothing of head flow by itself: it is compared at the bridge of the nose and the eyes' corners "
    "alone, where nearly all motion is the head's"
)


def make_point_report(
    kind: Kind,
    points: PointSet,
    errors: Sequence[PairErrors],
    methods: Sequence[Method],
    *,
    dataset: str,
    path: Path,
    options: Mapping[str, str],
    published: str | None,
    truth: bool,
) -> Report:
    """The report of an evaluation.

    :param dataset: which set, as the command line calls it.
    :param options: what else decides which points are measured, as the command line calls it.
    :param published: the row of the paper's Table 3 that stands beside it, or None.
    :param truth: whether head flow has a truth of its own; without one it is compared at steady landmarks.
    """
    summary = summarise_points(errors)
    titles = dict.fromkeys(FLOWS, f"at {kind}")
    notes = list(points.notes)
    if not truth:
        titles["head"] = "at the bridge of the nose and the eyes' corners"
    tables = point_tables(summary, titles)
    if not truth and any(table.title.startswith("head") for table in tables):
        notes.append(_HEAD_NOTE)
    outside = sum(one.outside for one in errors if (one.method, one.flow) == (methods[0].name, FLOWS[0]))
    if outside:
        notes.append(f"{outside} {kind} lie outside their image 1 and are not measured")
    if published is not None:
        tables.append(published_table(published))
        notes.append(f"beside the paper's figures: {DIFFERENCES[published]}")
    record: dict[str, Any] = {
        "kind": kind,
        "dataset": dataset,
        "path": str(path),
        "options": dict(options),
        "pairs": len(points.pairs),
        "subjects": len({pair.subject for pair in points.pairs}),
        **points.facts,
        "outside": outside,
        "left_out": points.left_out,
        "notes": notes,
        "estimators": {method.name: method.details for method in methods},
        "results": summary,
        "published": None if published is None else {"row": published, "epe": TABLE3[published]},
    }
    return Report(record, tables)


def write_point_report(
    out: Path, report: Report, errors: Sequence[PairErrors], worst: Mapping[str, Sequence[Pictured]]
) -> None:
    """Write a report's files into a folder that is there."""
    write_atomic(out / "pairs.csv", _pairs_csv(errors).encode())
    write_atomic(out / "tables.md", "\n\n".join(table.markdown() for table in report.tables).encode() + b"\n")
    write_atomic(out / "tables.tex", "\n\n".join(table.latex() for table in report.tables).encode() + b"\n")
    write_worst(out, worst, draw_points)
    write_atomic(out / "report.json", (json.dumps(report.record, indent=1) + "\n").encode())


def _pairs_csv(errors: Sequence[PairErrors]) -> str:
    regions = list(dict.fromkeys(name for one in errors for name in one.regions))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    heading = ("method", "flow", "subject", "sequence", "pair", "epe", "motion", "points", "without_flow")
    writer.writerow((*heading, *(f"epe_{name}" for name in regions)))
    for one in errors:
        means = [one.regions.get(name) for name in regions]
        cells = ["" if value is None else f"{value:.6g}" for value in (one.epe, one.motion, *means)]
        names = (one.method, one.flow, one.subject, one.sequence, one.pair)
        writer.writerow((*names, *cells[:2], one.points, one.without_flow, *cells[2:]))
    return text.getvalue()
