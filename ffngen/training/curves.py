"""Loss and error over the steps, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ffngen.atomic import write_atomic

_PANELS = (("facial", "facial flow"), ("head", "head flow"), ("expression", "expression flow"))
_WINDOW = 10


def draw_curves(path: Path, entries: list[dict[str, Any]], title: str) -> None:
    """Draw the log of a run: the loss, and the end-point error of each flow in training and validation.

    :param path: a .png file.
    :param entries: of :func:`ffngen.training.log.read_log`.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    training, validation = ([e for e in entries if e.get("kind") == kind] for kind in ("training", "validation"))
    panels = [(name, text) for name, text in _PANELS if any(name in e for e in entries)]
    figure = Figure(figsize=(4.2 * (len(panels) + 1), 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    axes = figure.subplots(1, len(panels) + 1, squeeze=False)[0]
    _curve(axes[0], training, "loss", "training")
    axes[0].set_title("loss")
    for axis, (name, text) in zip(axes[1:], panels, strict=True):
        _curve(axis, training, name, "training crops")
        points = [(e["step"], e[name]) for e in validation if name in e]
        if points:
            axis.plot(*zip(*points, strict=True), "o-", color="C1", markersize=3, label="validation")
        axis.set_title(f"{text}, end-point error (px)")
    for axis in axes:
        axis.set_xlabel("step")
        # An error of 0 has no place on a logarithm's axis.
        axis.set_yscale("log" if all((line.get_ydata() > 0).all() for line in axis.lines) else "linear")
        axis.grid(alpha=0.3)
        if axis.get_legend_handles_labels()[0]:
            axis.legend()
    write_atomic(path, lambda temporary: figure.savefig(temporary, dpi=110))


def _curve(axis: Any, entries: list[dict[str, Any]], name: str, label: str) -> None:
    points = [(e["step"], e[name]) for e in entries if name in e]
    if not points:
        return
    steps, values = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    axis.plot(steps, values, color="C0", alpha=0.25, linewidth=0.8)
    width = min(_WINDOW, len(values))
    smooth = np.convolve(values, np.ones(width) / width, mode="valid")
    axis.plot(steps[width - 1 :], smooth, color="C0", label=label)
