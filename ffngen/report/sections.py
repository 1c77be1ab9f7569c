"""What the page says of each kind of results: tables, and curves to draw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from ffngen.errors import InputFileError
from ffngen.evaluation.evaluate import FLOWS
from ffngen.evaluation.summary import SUM
from ffngen.evaluation.tables import tables as evaluation_tables
from ffngen.realworld.published import TABLE3, published_table
from ffngen.realworld.summary import point_tables
from ffngen.recognition.tables import short_tables
from ffngen.report.runs import Run
from ffngen.tables import Table


@dataclass(frozen=True)
class Line:
    """One method's line of a plot, or its points.

    :param name: for the legend.
    :param x: words for a category axis, numbers for a number axis.
    :param y: as many values.
    :param low, high: the intervals' ends, or None.
    """

    name: str
    x: tuple[Any, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] | None = None
    high: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Plot:
    """A plot of several lines."""

    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Section:
    """A part of the page.

    :param title: its heading.
    :param notes: paragraphs below it.
    :param tables: in order.
    :param plots: one picture together; none where empty.
    :param runs: whose pictures belong to it.
    """

    title: str
    notes: tuple[str, ...]
    tables: tuple[Table, ...]
    plots: tuple[Plot, ...] = ()
    runs: tuple[Run, ...] = field(default=())


def make_sections(runs: Sequence[Run]) -> list[Section]:
    """All sections: Table 2's kind, Table 3's, Table 4's, and the sweep over simulated sets.

    :raises InputFileError: a report lacks what its kind has.
    """
    sections = []
    # What is not measured on the same pairs does not stand in one table.
    for group in _grouped(runs, ("evaluation",), lambda record: _fields(record, "dataset", "split", "pairs")):
        sections.append(_checked(_evaluation, group))
    points = ("kind", "dataset", "path", "pairs", "options")
    for group in _grouped(runs, ("landmarks", "vertices"), lambda record: _fields(record, *points)):
        sections.append(_checked(_points, group))
    for run in (run for run in runs if run.kind == "recognition"):
        sections.append(_checked(_recognition, [run]))
    simulated = [run for run in runs if run.record.get("simulation")]
    for group in _grouped(simulated, ("recognition",), _apart_from_ratio):
        if len(group) > 1:
            sections.append(_checked(_sweep, group))
    return sections


def _grouped(
    runs: Sequence[Run], kinds: Sequence[str], key: Callable[[dict[str, Any]], tuple[str, ...]]
) -> list[list[Run]]:
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        if run.kind in kinds:
            groups.setdefault(key(run.record), []).append(run)
    return list(groups.values())


def _fields(record: dict[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(str(record.get(name)) for name in names)


def _apart_from_ratio(record: dict[str, Any]) -> tuple[str, ...]:
    """What the runs of a sweep have in common: people, expressions, images, and how they are recognised."""
    simulation = record["simulation"]
    own = ("ratio", "head_flow_px", "expression_flow_px")
    common = {name: simulation[name] for name in simulation if name not in own} if isinstance(simulation, dict) else {}
    return str(sorted(common.items())), *_fields(record, "labels", "classifier", "protocol", "seeds", "crop")


def _checked(make: Any, group: list[Run]) -> Section:
    """A report that was changed by hand, or is an older version's, is a fault of its file."""
    try:
        section: Section = make(group)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        where = ", ".join(str(run.folder) for run in group)
        what = f"a report is not as its command writes it ({type(error).__name__}: {str(error)[:80]})"
        raise InputFileError(what, where=where, mend="run the command again") from error
    return section


def _merged(group: Sequence[Run], results: str) -> dict[str, Any]:
    """The methods of several runs in one table; a name that two runs have is told apart by the run's."""
    names = [name for run in group for name in run.record[results]]
    merged: dict[str, Any] = {}
    for run in group:
        for name, figures in run.record[results].items():
            if names.count(name) == 1 or merged.get(name, figures) == figures:
                merged[name] = figures
                continue
            told_apart = f"{name} ({run.name})"
            # Runs in folders of one name have different paths.
            merged[told_apart if told_apart not in merged else f"{name} ({run.folder})"] = figures
    return merged


def _notes(group: Sequence[Run]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(note) for run in group for note in run.record.get("notes", ())))


def _evaluation(group: list[Run]) -> Section:
    record = group[0].record
    summary = _merged(group, "results")
    plots = []
    for flow in FLOWS:
        lines = []
        for name, flows in summary.items():
            scales = {key: value for key, value in flows.get(flow, {}).get("scale", {}).items() if key != SUM}
            if scales:
                lines.append(Line(name, tuple(scales), tuple(float(value["epe"]) for value in scales.values())))
        if lines:
            plots.append(Plot(f"{flow} flow", "motion scale", "EPE, px", tuple(lines)))
    title = f"Flow on {record['dataset']}, split {record['split']} (as Table 2)"
    pairs = f"{record.get('pairs', '?')} pairs; every pair counts alike, inside the head's mask"
    return Section(title, (pairs, *_notes(group)), tuple(evaluation_tables(summary)), tuple(plots), tuple(group))


def _points(group: list[Run]) -> Section:
    record = group[0].record
    kind = record["kind"]
    summary = _merged(group, "results")
    tables = point_tables(summary, dict.fromkeys(FLOWS, f"at {kind}"))
    published = record.get("published")
    if published is not None and published["row"] in TABLE3:
        tables.append(published_table(published["row"]))
    what = f"{record.get('pairs', '?')} pairs of {record.get('subjects', '?')} subjects in {record['path']}"
    title = f"Flow at {kind} of {record['dataset']} (as Table 3)"
    return Section(title, (what, *_notes(group)), tuple(tables), (), tuple(group))


def _recognition(group: list[Run]) -> Section:
    (run,) = group
    record = run.record
    tables = short_tables(record)
    simulation = record.get("simulation")
    notes = [f"run {run.folder}"]
    if simulation:
        notes.append(
            f"a simulated set: heads move faces {simulation['ratio']:g} times as far as expressions do, from onset to "
            f"apex {simulation['head_flow_px']:.3f} and {simulation['expression_flow_px']:.3f} px on the head's pixels"
        )
    title = f"Micro-expressions of {record['dataset']}, {record['labels']}: {run.name} (as Table 4)"
    return Section(title, tuple(notes), tuple(tables), (), (run,))


def _sweep(group: list[Run]) -> Section:
    """How recognition depends on how far heads move."""
    ordered = sorted(group, key=lambda run: float(run.record["simulation"]["ratio"]))
    ratios = [float(run.record["simulation"]["ratio"]) for run in ordered]
    if not all(isfinite(ratio) for ratio in ratios):
        raise ValueError("a ratio that is not finite")
    models = list(dict.fromkeys(name for run in ordered for name in run.record["models"]))
    rows, lines = [], []
    for name in models:
        scores = [run.record["models"].get(name, {}).get("scores", {}).get("uf1") for run in ordered]
        cells = ["" if s is None else f"{s['value']:.3f} [{s['low']:.3f}, {s['high']:.3f}]" for s in scores]
        rows.append((name, *cells))
        known = [(ratio, s) for ratio, s in zip(ratios, scores, strict=True) if s is not None]
        lines.append(
            Line(
                name,
                tuple(ratio for ratio, _ in known),
                *(tuple(float(s[end]) for _, s in known) for end in ("value", "low", "high")),
            )
        )
    table = Table(
        "UF1 [95% over subjects] by the ratio of head motion to expression motion",
        ("", *(f"{ratio:g}" for ratio in ratios)),
        tuple(rows),
    )
    plot = Plot("micro-expression recognition", "head motion / expression motion", "UF1", tuple(lines))
    note = "The same people and expressions; only how far their heads turn meanwhile differs."
    return Section("When does decomposition pay?", (note,), (table,), (plot,))
