"""Tables of a summary."""

from __future__ import annotations

from typing import Any

from ffngen.evaluation.evaluate import FLOWS
from ffngen.evaluation.summary import SUM
from ffngen.tables import Table

#: Column title -> the error's name and how it is written.
_MEASURES = (
    ("EPE px", "epe", "{:.3f}"),
    ("> 1 px", "px1", "{:.1%}"),
    ("> 3 px", "px3", "{:.1%}"),
    ("> 5 px", "px5", "{:.1%}"),
    ("Fl-all", "fl_all", "{:.1%}"),
    ("WAUC", "wauc", "{:.1%}"),
)


def tables(summary: dict[str, Any], *, official: bool = False) -> list[Table]:
    """All tables of a summary.

    :param official: besides the end-point error the published code's figure, which divides the error of all pixels
        by the number of pixels in the mask.
    """
    made = [_by(summary, flow, "scale", f"{flow} flow, EPE in pixels by motion scale") for flow in FLOWS]
    made += [_measures(summary, flow) for flow in FLOWS]
    if official:
        made += [
            _by(
                summary,
                flow,
                "scale",
                f"{flow} flow, error of all pixels over pixels in the mask (published code)",
                "official",
            )
            for flow in FLOWS
        ]
    for grouping, text in (("region", "by region"), ("emotion", "by emotion"), ("visibility", "by visibility")):
        made += [_by(summary, flow, grouping, f"{flow} flow, EPE in pixels {text}") for flow in FLOWS]
    return [table for table in made if table.rows and len(table.header) > 1]


def _by(summary: dict[str, Any], flow: str, grouping: str, title: str, measure: str = "epe") -> Table:
    columns = list(dict.fromkeys(g for flows in summary.values() if flow in flows for g in flows[flow][grouping]))
    if SUM in columns:
        columns = [*(c for c in columns if c != SUM), SUM]
    rows = []
    for name, flows in summary.items():
        if flow in flows:
            cells = [flows[flow][grouping].get(column, {}).get(measure) for column in columns]
            rows.append((name, *("" if cell is None else f"{cell:.3f}" for cell in cells)))
    return Table(title, ("", *columns), tuple(rows))


def _measures(summary: dict[str, Any], flow: str) -> Table:
    rows = []
    for name, flows in summary.items():
        if flow in flows:
            means = flows[flow]["scale"][SUM]
            rows.append((name, *(form.format(means[key]) for _, key, form in _MEASURES)))
    header = ("", *(title for title, _, _ in _MEASURES))
    return Table(f"{flow} flow, all pairs", header, tuple(rows))
