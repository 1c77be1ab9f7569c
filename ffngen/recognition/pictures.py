"""Confusion matrices as pictures."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: A cell darker than that has light digits.
_DARK = 0.55


def picture_name(name: str) -> str:
    """The file name of a model's picture."""
    return f"{re.sub(r'[^A-Za-z0-9.-]+', '_', name).strip('_')}.png"


def draw_confusion(confusion: NDArray[np.float64], class_names: Sequence[str], title: str) -> bytes:
    """A PNG file of a confusion matrix (C, C): counts, and shares of each true class, which shade the cells."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(class_names)
    totals = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, totals, out=np.zeros_like(confusion), where=totals > 0)
    side = 2.2 + 0.95 * count
    figure = Figure(figsize=(side + 0.6, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(count):
        for column in range(count):
            share = shares[row, column]
            text = f"{share:.0%}\n{confusion[row, column]:.3g}"
            colour = "white" if share > _DARK else "black"
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(count), class_names, rotation=30, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(
        range(count), [f"{name} ({totals[i, 0]:.0f})" for i, name in enumerate(class_names)], parse_math=False
    )
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (samples)")
    axes.set_title(title, fontsize=10, parse_math=False)  # a name may hold dollar signs
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120, format="png", metadata={"Software": None})
    return buffer.getvalue()
