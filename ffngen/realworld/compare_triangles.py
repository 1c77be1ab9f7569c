"""How far flow of triangulated landmarks is from the exact flow of a rendered dataset, within the landmarks' hull."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ffngen.dataset.labels.read import PairLabels
from ffngen.dataset.read import Pair
from ffngen.flow.color import error_map, flow_to_rgb
from ffngen.flow.values import Flow, known
from ffngen.metrics.flow_errors import FlowErrors, endpoint_error, flow_errors
from ffngen.metrics.subject_bootstrap import subject_interval
from ffngen.realworld.triangles import triangle_flow
from ffngen.tables import Table

Rgb = NDArray[np.uint8]

_INK, _BACKGROUND, _TITLE = (236, 236, 240), (24, 24, 27), 26


@dataclass(frozen=True, eq=False)
class Compared:
    """The labels of one pair.

    :param pair: which.
    :param errors: of the labels, over pixels of the head within the hull; None where there are none.
    :param covered: the share of the head's pixels that the labels give a motion for.
    """

    pair: Pair
    errors: FlowErrors | None
    covered: float


@dataclass
class Comparison:
    """All pairs, by how the landmarks were disturbed.

    :param noise: standard deviation of the error that each landmark's place was given in both frames, pixels.
    """

    noise: float
    compared: list[Compared] = field(default_factory=list)


def compare_triangles(
    pairs: Sequence[Pair],
    noises: Sequence[float],
    *,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Comparison]:
    """Make the labels of every pair from its own landmarks and compare them with its facial flow.

    All 68 landmarks are used, hidden ones too, as a detector gives them all.

    :param noises: what is added to landmarks: normal errors of these standard deviations, pixels; 0 for exact ones.
    :raises DatasetError: a sequence has no landmarks (``ffngen label --add landmarks``).
    """
    results = [Comparison(noise) for noise in noises]
    for number, pair in enumerate(pairs):
        head = (pair.mask > 0) & known(pair.facial_flow)
        for result in results:
            flow, valid = _labels(pair, result.noise, np.random.default_rng([seed, number]))
            errors = flow_errors(flow, pair.facial_flow, valid & head)
            covered = float((valid & head).sum() / max(head.sum(), 1))
            result.compared.append(Compared(pair, errors, covered))
        progress(number + 1, len(pairs))
    return results


def _labels(pair: Pair, noise: float, rng: np.random.Generator) -> tuple[Flow, NDArray[np.bool_]]:
    later = PairLabels(pair.root, pair.metadata, pair.frame + 1)
    places = [labels.landmarks.landmarks.astype(np.float64) for labels in (pair.labels, later)]
    before, after = (one + noise * rng.normal(size=one.shape) for one in places)
    return triangle_flow(before, after, pair.metadata.size)


def comparison_figures(results: Sequence[Comparison]) -> list[dict[str, Any]]:
    """A row for each noise, below that of no motion; JSON-ready.

    ``epe`` is the mean over pairs, pixels, ``interval`` its 95% interval over subjects, ``px1`` and ``px3`` the shares
    of pixels off by more than 1 and 3 px, ``covered`` the share of the head that has labels; null where none has any.
    """
    rows = [_row("no motion", results[0], lambda errors: {"epe": errors.magnitude})]
    for result in results:
        name = "triangles" if result.noise == 0 else f"triangles, landmarks off by {result.noise:g} px"
        rows.append(_row(name, result, lambda e: {"epe": e.epe, "px1": e.px1, "px3": e.px3}))
    return rows


def _row(name: str, result: Comparison, figures: Callable[[FlowErrors], dict[str, float]]) -> dict[str, Any]:
    measured = [(one.pair.metadata.identity, figures(one.errors)) for one in result.compared if one.errors is not None]
    row: dict[str, Any] = {"method": name, "epe": None, "interval": None, "px1": None, "px3": None}
    if measured:
        row |= {key: float(np.mean([values[key] for _, values in measured])) for key in measured[0][1]}
        row["interval"] = subject_interval([values["epe"] for _, values in measured], [who for who, _ in measured])
    return {**row, "covered": float(np.mean([one.covered for one in result.compared]))}


def comparison_table(figures: Sequence[dict[str, Any]]) -> Table:
    """The figures as a table."""
    rows = []
    for row in figures:
        ends = row["interval"]
        epe, px1, px3 = (
            "" if row[key] is None else form.format(row[key])
            for key, form in (("epe", "{:.3f}"), ("px1", "{:.1%}"), ("px3", "{:.1%}"))
        )
        interval = "" if ends is None else f"{ends[0]:.3f} to {ends[1]:.3f}"
        rows.append((row["method"], epe, interval, px1, px3, f"{row['covered']:.1%}"))
    header = ("", "EPE px", "95% of subjects", "> 1 px", "> 3 px", "of the head")
    return Table("facial flow within the landmarks' hull, on the head", header, tuple(rows))


def draw_comparison(pair: Pair) -> Rgb:
    """Image t, the exact flow, the labels on the same scale, and their error.

    :returns: (H, W, 3) uint8 RGB.
    """
    flow, valid = _labels(pair, 0.0, np.random.default_rng(0))
    true = pair.facial_flow
    inside = valid & (pair.mask > 0) & known(true)
    scale = float(np.linalg.norm(true[pair.mask > 0], axis=-1).max(initial=1e-6))
    error = np.where(inside, endpoint_error(np.where(valid[..., None], flow, 0), true), 0)
    white = float(np.percentile(error[inside], 99)) if inside.any() else 1.0
    pictures = (pair.image1, flow_to_rgb(true, scale), flow_to_rgb(flow, scale), error_map(error, white))
    texts = (
        f"image t, {pair.metadata.sequence}",
        f"exact flow, radius {scale:.2g} px",
        "flow of triangles; black: none",
        f"error, mean {error[inside].mean() if inside.any() else 0:.2f}, white {white:.2g} px",
    )
    height, width = true.shape[:2]
    sheet = Image.new("RGB", (4 * width, height + _TITLE), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    for column, (picture, text) in enumerate(zip(pictures, texts, strict=True)):
        sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (column * width, _TITLE))
        draw.text((column * width + 4, _TITLE / 2), text, _INK, ImageFont.load_default(13), anchor="lm")
    return np.array(sheet)
