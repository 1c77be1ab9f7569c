"""The pictures of a page, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb
from ffngen.dataset.read import spread_evenly
from ffngen.diversity.flow_lengths import EDGES
from ffngen.diversity.gather import ALL, Gathered
from ffngen.diversity.identities import similarities
from ffngen.diversity.measure import FLOWS, WHOLE
from ffngen.diversity.skin_tone import CLASSES, typology_angle
from ffngen.extras import require

#: t-SNE of more points takes minutes.
_MOST_POINTS = 2000
#: t-SNE of fewer shows nothing.
_LEAST_POINTS = 5
#: What skin tones were measured on.
_KINDS = {"rendered": "rendered", "albedo": "texture"}
#: Of as many pictures the skin's colours are drawn.
_MOST_STRIPES = 256


@dataclass(frozen=True)
class Picture:
    """A picture of the page.

    :param section: the section of the record that it belongs to.
    :param png: the file.
    :param caption: what it shows.
    """

    section: str
    png: bytes
    caption: str


def draw_pictures(record: dict[str, Any], gathered: Gathered) -> list[Picture]:
    """Every picture that there is something to draw for.

    :raises MissingPackageError: matplotlib or scikit-learn is not installed.
    """
    require("stats", "matplotlib", "sklearn")
    pictures = []
    if record["identity"] is not None:
        caption = "Cosine similarity of face-recognition vectors, of pairs of images."
        pictures.append(Picture("identity", _draw(1, lambda axes: _similarities(axes[0], gathered)), caption))
    chosen = spread_evenly(len(gathered.vectors), _MOST_POINTS)
    points = None if not chosen else embed_2d(np.stack([gathered.vectors[i] for i in chosen]), cosine=True)
    if points is not None:
        caption = (
            "t-SNE of the same vectors, one point per sequence in the colour of the person's skin; a line joins the "
            "sequences of one person, which differ in light, background and camera."
        )
        pictures.append(
            Picture("identity", _draw(1, lambda axes: _identity_map(axes[0], gathered, chosen, points), 6), caption)
        )
    features = spread_evenly(len(gathered.features), _MOST_POINTS)
    places = None if not features else embed_2d(_padded([gathered.features[i] for i in features]))
    if places is not None:
        labels = np.array([gathered.emotions[i] for i in features])
        what = "an expression network's features" if gathered.by_network else "the expression parameters"
        caption = f"t-SNE of {what}, one point per sequence, by emotion; compare the paper's Figure 5."
        pictures.append(
            Picture("expressions", _draw(1, lambda axes: _expression_map(axes[0], labels, places), 6), caption)
        )
    if gathered.landmark_errors:
        caption = "Median distance of each of dlib's landmarks from ours, in distances of the outer eye corners."
        pictures.append(Picture("detector", _draw(1, lambda axes: _landmarks(axes[0], record), 9), caption))
    if gathered.skins:
        caption = "Skin tone: the share of each class, and the skins' colours in order of their angle."
        pictures.append(Picture("skin_tone", _draw(2, lambda axes: _skin(axes, record, gathered)), caption))
    if gathered.poses:
        caption = "How the head is turned, as the camera sees it."
        pictures.append(Picture("pose", _draw(2, lambda axes: _poses(axes, gathered)), caption))
    if gathered.lights:
        caption = "How much brighter skin is that faces to the right or upwards, over its mean; and how bright skin is."
        pictures.append(Picture("light", _draw(2, lambda axes: _lights(axes, gathered)), caption))
    caption = "How far pixels of the head move, by motion scale: share of pixels per doubling of the length."
    pictures.append(Picture("flow", _draw(3, lambda axes: _flows(axes, gathered, by_area=False)), caption))
    if any(area != WHOLE for _, _, area in gathered.lengths):
        caption = "The same by region, all motion scales together."
        pictures.append(Picture("flow", _draw(3, lambda axes: _flows(axes, gathered, by_area=True)), caption))
    return pictures


def _draw(count: int, fill: Callable[[Any], None], width: float = 4.4) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * count, 4.6 if count == 1 else 3.4), layout="constrained")
    FigureCanvasAgg(figure)
    fill(figure.subplots(1, count, squeeze=False)[0])
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _similarities(axis: Any, gathered: Gathered) -> None:
    same, between = similarities(np.stack(gathered.vectors), gathered.people)
    bins = np.linspace(min(between.min(), same.min(initial=1)), 1, 60)
    axis.hist(between, bins, density=True, alpha=0.6, label="different people")
    if len(same):
        axis.hist(same, bins, density=True, alpha=0.6, label="the same person, another light")
    axis.set_xlabel("cosine similarity")
    axis.set_ylabel("density")
    axis.legend()


def _identity_map(axis: Any, gathered: Gathered, chosen: list[int], points: NDArray[np.float64]) -> None:
    tones = [gathered.people_tones[i] or (0.2, 0.2, 0.2) for i in chosen]
    of_person: dict[str, list[int]] = {}
    for place, i in enumerate(chosen):
        of_person.setdefault(gathered.people[i], []).append(place)
    for places in of_person.values():
        axis.plot(points[places, 0], points[places, 1], color="0.75", linewidth=0.6, zorder=1)
    colours = linear_to_srgb(np.array(tones, dtype=np.float32)) / 255
    axis.scatter(points[:, 0], points[:, 1], s=14, c=colours, edgecolors="0.3", linewidths=0.3, zorder=2)
    _no_ticks(axis)


def _expression_map(axis: Any, labels: NDArray[np.str_], points: NDArray[np.float64]) -> None:
    for number, name in enumerate(sorted(set(labels.tolist()))):
        of_name = labels == name
        axis.scatter(points[of_name, 0], points[of_name, 1], s=9, color=f"C{number % 10}", label=name)
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
    _no_ticks(axis)


def embed_2d(vectors: NDArray[Any], *, cosine: bool = False) -> NDArray[np.float64] | None:
    """t-SNE of vectors (N, D) as (N, 2) (van der Maaten and Hinton 2008); the same every time.

    :param cosine: compare directions alone.
    :returns: None where fewer than five vectors differ.
    """
    from sklearn.manifold import TSNE

    wide = np.asarray(vectors, dtype=np.float64)
    if cosine:
        wide = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12)
    # Equal ones get one place; nothing but equal ones would end the process.
    different, which = np.unique(wide, axis=0, return_inverse=True)
    if len(different) < _LEAST_POINTS:
        return None
    perplexity = min(30.0, (len(different) - 1) / 3)
    placed: NDArray[np.float64] = TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(different)
    spread: NDArray[np.float64] = placed[which.ravel()]
    return spread


def _padded(vectors: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Vectors as (N, D); parameters that a set does not have are 0."""
    longest = max(len(vector) for vector in vectors)
    return np.stack([np.pad(vector, (0, longest - len(vector))) for vector in vectors])


def _landmarks(axis: Any, record: dict[str, Any]) -> None:
    errors = np.array(record["detector"]["landmark_error_by_point"]) * 100
    parts = (("jaw", 0, 17), ("brows", 17, 27), ("nose", 27, 36), ("eyes", 36, 48), ("mouth", 48, 68))
    for name, first, end in parts:
        axis.bar(np.arange(first, end), errors[first:end], label=name)
    axis.set_xlabel("landmark (iBUG's order)")
    axis.set_ylabel("% of the eyes' distance")
    axis.legend(ncols=5, loc="upper right")


def _skin(axes: Any, record: dict[str, Any], gathered: Gathered) -> None:
    kinds = record["skin_tone"]
    width = 0.8 / len(kinds)
    for number, (kind, found) in enumerate(kinds.items()):
        shares = [found["classes"][tone] / found["count"] * 100 for tone in CLASSES]
        axes[0].bar(np.arange(len(CLASSES)) + number * width, shares, width, label=_KINDS[kind])
    axes[0].set_xticks(np.arange(len(CLASSES)) + 0.2, [tone.replace(" ", "\n") for tone in CLASSES], fontsize=8)
    axes[0].set_ylabel("%")
    axes[0].legend()
    rows = [gathered.skins, list(gathered.albedos.values())] if gathered.albedos else [gathered.skins]
    for place, colours in enumerate(rows):
        linear = np.array(colours, dtype=np.float32)
        linear = linear[np.argsort(-typology_angle(linear))][spread_evenly(len(linear), _MOST_STRIPES)]
        axes[1].imshow(linear_to_srgb(linear)[None], aspect="auto", extent=(0, 1, -place - 0.9, -place))
    axes[1].set_xlim(0, 1)
    axes[1].set_ylim(-len(rows), 0.05)
    axes[1].set_yticks([-place - 0.45 for place in range(len(rows))], ["rendered", "texture"][: len(rows)])
    axes[1].set_xticks([])


def _poses(axes: Any, gathered: Gathered) -> None:
    poses = np.array(gathered.poses)
    for column, name in enumerate(("yaw", "pitch", "roll")):
        axes[0].hist(poses[:, column], 40, histtype="step", label=name)
    axes[0].set_xlabel("degrees")
    axes[0].set_ylabel("images")
    axes[0].legend()
    axes[1].scatter(poses[:, 0], poses[:, 1], s=5, alpha=0.5)
    axes[1].set_xlabel("yaw, to the subject's left")
    axes[1].set_ylabel("pitch, downwards")


def _lights(axes: Any, gathered: Gathered) -> None:
    lights = np.array(gathered.lights)
    axes[0].scatter(lights[:, 0], lights[:, 1], s=8, alpha=0.6)
    axes[0].axhline(0, color="0.8", zorder=0)
    axes[0].axvline(0, color="0.8", zorder=0)
    axes[0].set_xlabel("brighter towards the picture's right")
    axes[0].set_ylabel("brighter upwards")
    axes[1].hist(lights[:, 2], 40)
    axes[1].set_xlabel("brightness of the skin, linear (1 is white)")
    axes[1].set_ylabel("images")


def _flows(axes: Any, gathered: Gathered, *, by_area: bool) -> None:
    centres = np.sqrt(EDGES[:-1] * EDGES[1:])
    for axis, flow in zip(axes, FLOWS, strict=True):
        for (of_flow, scale, area), lengths in gathered.lengths.items():
            wanted = scale == ALL and area != WHOLE if by_area else scale != ALL and area == WHOLE
            if of_flow == flow and wanted and lengths.pixels:
                # Per doubling, smoothed over half of one.
                share = np.convolve(lengths.counts[1:-1] / lengths.pixels, np.full(4, 2.0), mode="same") * 100
                axis.plot(centres, share, label=area if by_area else scale)
        axis.set_xscale("log")
        axis.set_xlim(0.005, 100)
        axis.set_title(f"{flow} flow")
        axis.set_xlabel("pixels")
        if axis.get_legend_handles_labels()[0]:
            axis.legend(fontsize=8)
    axes[0].set_ylabel("% of pixels per doubling")


def _no_ticks(axis: Any) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
