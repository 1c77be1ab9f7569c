"""Plots side by side, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from ffngen.extras import require
from ffngen.report.sections import Plot


def draw_plots(plots: Sequence[Plot]) -> bytes:
    """A PNG file of plots in a row, with one legend.

    :raises MissingPackageError: matplotlib is not installed.
    """
    require("train", "matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(5.2 * len(plots), 7.0), 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    handles: dict[str, Any] = {}
    for axes, plot in zip(figure.subplots(1, len(plots), squeeze=False)[0], plots, strict=True):
        handles |= _draw(axes, plot)
    columns = min(len(handles), 3 * len(plots))
    legend = figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=columns, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a name may hold dollar signs
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw(axes: Any, plot: Plot) -> dict[str, Any]:
    """Draw a plot; returns each line's name and what stands for it in a legend."""
    handles: dict[str, Any] = {}
    count = len(plot.lines)
    numbers = all(isinstance(x, float) for line in plot.lines for x in line.x)
    if numbers:
        # Ratios from 0 on: even steps by powers.
        axes.set_xscale("symlog", base=2, linthresh=0.5)
        ticks = sorted({x for line in plot.lines for x in line.x})
        axes.set_xticks(ticks, [f"{x:g}" for x in ticks])
    for number, line in enumerate(plot.lines):
        # Moved apart a little, so that intervals do not hide each other.
        apart = 1 + 0.03 * (number - (count - 1) / 2)
        x = [value * apart for value in line.x] if numbers else line.x
        bars = None
        if line.low is not None and line.high is not None:
            below = [y - low for y, low in zip(line.y, line.low, strict=True)]
            above = [high - y for y, high in zip(line.y, line.high, strict=True)]
            bars = [[max(value, 0) for value in values] for values in (below, above)]
        handles[line.name] = axes.errorbar(x, line.y, yerr=bars, marker="o", markersize=4, capsize=2, linewidth=1.2)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.set_title(plot.title, fontsize=10)
    axes.grid(alpha=0.3)
    return handles
