"""An evaluation as one record, and as files.

| file | what |
| --- | --- |
| ``report.json`` | everything |
| ``tables.md``, ``tables.tex`` | the tables |
| ``worst/ESTIMATOR/01.png`` | the worst pairs, the worst first |
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ffngen.atomic import write_atomic
from ffngen.errors import DatasetError
from ffngen.estimators.estimator import Estimator
from ffngen.evaluation.evaluate import Evaluation
from ffngen.evaluation.pictures import draw_pair
from ffngen.evaluation.summary import summarise
from ffngen.evaluation.tables import tables
from ffngen.images import encode_png
from ffngen.tables import Table, join

Item = TypeVar("Item")


@dataclass(frozen=True)
class Report:
    """What an evaluation found.

    :param record: JSON-ready.
    :param tables: of :func:`ffngen.evaluation.tables.tables`.
    """

    record: dict[str, Any]
    tables: list[Table]


def make_report(
    evaluation: Evaluation, estimators: Sequence[Estimator], *, dataset: Path, split: str, official: bool
) -> Report:
    """The report of an evaluation.

    :param official: with the published code's figure beside ours.
    """
    summary = summarise(evaluation)
    record = {
        "kind": "evaluation",
        "dataset": str(dataset),
        "split": split,
        "pairs": evaluation.pairs,
        "estimators": {estimator.name: estimator.details for estimator in estimators},
        "notes": evaluation.notes,
        "results": summary,
    }
    return Report(record, tables(summary, official=official))


def prepare_folder(out: Path) -> None:
    """Make the folder of a report, before hours are spent on what goes into it; raises :class:`DatasetError`."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatasetError(f"cannot be used: {error.strerror}", where=out, mend="give another --out") from error


def write_report(out: Path, report: Report, evaluation: Evaluation) -> None:
    """Write a report's files into a folder that is there."""
    write_atomic(out / "report.json", (json.dumps(report.record, indent=1) + "\n").encode())
    write_atomic(out / "tables.md", join([table.markdown() for table in report.tables]).encode())
    write_atomic(out / "tables.tex", join([table.latex() for table in report.tables]).encode())
    write_worst(out, evaluation.worst, draw_pair)


def write_worst(out: Path, worst: Mapping[str, Sequence[Item]], draw: Callable[[Item, str], NDArray[np.uint8]]) -> None:
    """Write the pictures of each estimator's worst pairs, and remove those of an earlier report.

    :param draw: a pair and the estimator's name to (H, W, 3) uint8 RGB.
    """
    written = set()
    for name, items in worst.items():
        folder = out / "worst" / name.replace("/", "_").replace(":", "_")
        folder.mkdir(parents=True, exist_ok=True)
        for place, item in enumerate(items, 1):
            path = folder / f"{place:02d}.png"
            write_atomic(path, encode_png(draw(item, name)))
            written.add(path)
    remove_others(out.glob("worst/*/*.png"), written)


def remove_others(found: Iterable[Path], written: Collection[Path]) -> None:
    """Remove files that an earlier report left, as nothing in this one tells of them."""
    for path in found:
        if path not in written:
            path.unlink(missing_ok=True)
