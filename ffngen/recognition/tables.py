"""Tables of a report's record."""

from __future__ import annotations

from typing import Any

from ffngen.tables import Table

#: Score -> column title. Pooled macro F1 is what the challenge calls UF1 and MMNet's authors F1.
_TITLES = {"accuracy": "accuracy", "uf1": "F1 = UF1", "uar": "UAR", "f1_weighted": "F1, weighted"}


def short_tables(record: dict[str, Any]) -> list[Table]:
    """What a terminal shows: scores, their spread over seeds, classes, sets, and differences."""
    models: dict[str, Any] = record["models"]
    made = [_scores(record), _spread(record), _by_class(record)]
    if len(record["datasets"]) > 1:
        made.append(_by_dataset(record))
    if record["differences"]:
        made.append(_differences(record))
    return [table for table in made if table.rows] if models else []


def all_tables(record: dict[str, Any]) -> list[Table]:
    """:func:`short_tables`, and every subject."""
    return [*short_tables(record), _by_subject(record)]


def _title(record: dict[str, Any], what: str) -> str:
    note = f" ({record['optimistic']})" if record["optimistic"] else ""
    return f"{what}{note}"


def _scores(record: dict[str, Any]) -> Table:
    what = (
        f"{record['dataset']}, {len(record['classes'])} classes, {record['samples']} samples of {record['subjects']} "
        f"subjects, one left out; {record['classifier']['classifier']}, mean of {record['seeds']} seeds "
        "[95% over subjects]"
    )
    rows = []
    for name, model in record["models"].items():
        rows.append((name, *(_ranged(model["scores"][score]) for score in _TITLES)))
    return Table(_title(record, what), ("", *_TITLES.values()), tuple(rows))


def _ranged(score: dict[str, float]) -> str:
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def _spread(record: dict[str, Any]) -> Table:
    rows = []
    if record["seeds"] > 1:
        for name, model in record["models"].items():
            if len(model["by_seed"]["accuracy"]) > 1:
                rows.append((name, *(f"{model['scores'][score]['seed_deviation']:.3f}" for score in _TITLES)))
    return Table(_title(record, "standard deviation over seeds"), ("", *_TITLES.values()), tuple(rows))


def _by_class(record: dict[str, Any]) -> Table:
    header = ("", *(f"{name} ({count})" for name, count in record["classes"].items()))
    rows = []
    for name, model in record["models"].items():
        cells = [model["by_class"][c] for c in record["classes"]]
        rows.append((name, *(f"{_cell(c['f1'])} / {_cell(c['recall'])}" for c in cells)))
    return Table(_title(record, "F1 / recall by class (samples)"), header, tuple(rows))


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _by_dataset(record: dict[str, Any]) -> Table:
    header = ("", *(f"{name} ({count})" for name, count in record["datasets"].items()))
    rows = []
    for name, model in record["models"].items():
        sets = [model["by_dataset"][dataset] for dataset in record["datasets"]]
        rows.append((name, *(f"{one['uf1']:.3f} / {one['uar']:.3f}" for one in sets)))
    return Table(_title(record, "UF1 / UAR by set (samples)"), header, tuple(rows))


def _differences(record: dict[str, Any]) -> Table:
    rows = [
        (f"{one['of']} - {one['less']}", *(_signed(one["scores"][score]) for score in _TITLES))
        for one in record["differences"]
    ]
    what = "differences [95% over subjects, the same for both]"
    return Table(_title(record, what), ("", *_TITLES.values()), tuple(rows))


def _signed(score: dict[str, float]) -> str:
    return f"{score['value']:+.3f} [{score['low']:+.3f}, {score['high']:+.3f}]"


def _by_subject(record: dict[str, Any]) -> Table:
    models = record["models"]
    subjects: dict[str, Any] = next(iter(models.values()))["by_subject"] if models else {}
    rows = [
        (name, str(one["samples"]), *(f"{model['by_subject'][name]['accuracy']:.3f}" for model in models.values()))
        for name, one in subjects.items()
    ]
    return Table(_title(record, "accuracy by subject"), ("", "samples", *models), tuple(rows))
