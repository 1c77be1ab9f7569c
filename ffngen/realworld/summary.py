"""Means of errors at points: every pair counts alike, as in equation 6 and Table 3, with intervals over subjects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ffngen.metrics.subject_bootstrap import subject_interval
from ffngen.realworld.methods import ZERO
from ffngen.realworld.pair_errors import PairErrors
from ffngen.realworld.points import FLOWS
from ffngen.tables import Table


def summarise_points(measured: Sequence[PairErrors]) -> dict[str, Any]:
    """Method -> flow -> figures, JSON-ready.

    ``epe`` and ``motion`` are means over pairs, pixels; ``interval`` is the 95% interval of ``epe`` over subjects, or
    null with one subject; ``regions`` are means over the pairs that have points there; ``without_flow`` counts the
    points that the method gave no flow for, which are left out of its error.
    """
    table: dict[str, Any] = {}
    for method in dict.fromkeys(errors.method for errors in measured):
        of_method = [errors for errors in measured if errors.method == method]
        groups = {flow: [errors for errors in of_method if errors.flow == flow] for flow in FLOWS}
        table[method] = {flow: _figures(group) for flow, group in groups.items() if group}
    return table


def _figures(group: Sequence[PairErrors]) -> dict[str, Any]:
    measured = [errors for errors in group if errors.epe is not None]
    epe = [errors.epe for errors in measured if errors.epe is not None]
    subjects = [errors.subject for errors in measured]
    regions: dict[str, list[float]] = {}
    for errors in measured:
        for name, mean in errors.regions.items():
            regions.setdefault(name, []).append(mean)
    return {
        "epe": float(np.mean(epe)) if epe else None,
        "interval": subject_interval(epe, subjects) if epe else None,
        "motion": float(np.mean([errors.motion for errors in measured])) if epe else None,
        "regions": {name: float(np.mean(means)) for name, means in regions.items()},
        "pairs": len(measured),
        "subjects": len(set(subjects)),
        "points": sum(errors.points for errors in group),
        "without_flow": sum(errors.without_flow for errors in group),
    }


def point_tables(summary: dict[str, Any], titles: dict[str, str]) -> list[Table]:
    """A table for each flow that is measured; of head and expression flow where a method beside zero gives it.

    :param titles: flow -> what it is compared with.
    """
    made = []
    for flow in FLOWS:
        rows = {method: flows[flow] for method, flows in summary.items() if flow in flows}
        if not rows or (flow != "facial" and set(rows) == {ZERO}):
            continue
        regions = list(dict.fromkeys(name for figures in rows.values() for name in figures["regions"]))
        without = any(figures["without_flow"] for figures in rows.values())
        header = ("", "EPE", "95% of subjects", *regions, "motion", "pairs", *(("no flow",) if without else ()))
        body = tuple((method, *_cells(figures, regions, without)) for method, figures in rows.items())
        made.append(Table(f"{flow} flow, EPE in pixels {titles.get(flow, '')}".rstrip(), header, body))
    return made


def _cells(figures: dict[str, Any], regions: Sequence[str], without: bool) -> list[str]:
    interval = figures["interval"]
    cells = [_number(figures["epe"]), "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"]
    cells += [_number(figures["regions"].get(name)) for name in regions]
    cells += [_number(figures["motion"]), str(figures["pairs"])]
    if without:
        missing = figures["without_flow"] / max(figures["without_flow"] + figures["points"], 1)
        cells.append(f"{missing:.1%}")
    return cells


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
