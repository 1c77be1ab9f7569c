"""One picture that shows a sequence's labels: a few of its pairs, a column for each label."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.contact_sheet import draw_grid, longest, shown_frames
from ffngen.dataset.labels.compute import HIDDEN, OUTSIDE, Points
from ffngen.dataset.labels.layout import LabelKind
from ffngen.dataset.labels.read import PairLabels
from ffngen.dataset.labels.regions import palette
from ffngen.dataset.layout import Output
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.flow.color import flow_to_rgb
from ffngen.flow.values import Flow
from ffngen.images import read_image

Rgb = NDArray[np.uint8]
LabelPicture = Callable[[PairLabels], Rgb]

_OCCLUSION_COLOURS = {HIDDEN: (235, 60, 60), OUTSIDE: (70, 130, 255)}


def draw_labels(
    root: Path, metadata: SequenceMetadata, kinds: tuple[LabelKind, ...], pairs: list[tuple[int, int]]
) -> Rgb:
    """Draw the labels of some kinds, whose files are in place: (H, W, 3) uint8 RGB.

    :param pairs: the distant pairs.

    Backward flows share one scale. Occlusion is red where a point is hidden and blue where it has left the picture;
    visible landmarks are green, hidden ones red; normals are (x, -y, -z), so that a surface that faces the camera is
    blue; the change of depth is red towards the camera, blue away from it.
    """
    frames = shown_frames(metadata.layout.pair_frames)
    labels = [PairLabels(root, metadata, frame) for frame in frames]
    columns = {"image t": (None, _image)} | label_pictures(kinds, labels, pairs)
    rows = [(f"t = {one.frame}", [picture(one) for _, picture in columns.values()]) for one in labels]
    title = f"{metadata.identity}   {metadata.emotion}   n = {metadata.n_frames}   labels"
    return draw_grid(title, list(columns), [scale for scale, _ in columns.values()], rows)


def label_pictures(
    kinds: tuple[LabelKind, ...], labels: list[PairLabels], pairs: list[tuple[int, int]]
) -> dict[str, tuple[float | None, LabelPicture]]:
    """Name -> the flow that has the fullest colour, pixels, where it is one, and what draws the label of a pair.

    Scales are common to all of ``labels``; ``pairs`` are the distant ones.
    """
    pictures: dict[str, tuple[float | None, LabelPicture]] = {}
    for kind in kinds:
        pictures |= _pictures(kind, labels, pairs)
    return pictures


def _pictures(
    kind: LabelKind, labels: list[PairLabels], pairs: list[tuple[int, int]]
) -> dict[str, tuple[float | None, LabelPicture]]:
    match kind:
        case LabelKind.BACKWARD:
            scale = max(max(longest(one.facial_backward), longest(one.head_backward)) for one in labels)
            return {
                "backward facial": (scale, lambda one: flow_to_rgb(one.facial_backward, scale)),
                "backward head": (scale, lambda one: flow_to_rgb(one.head_backward, scale)),
            }
        case LabelKind.OCCLUSION:
            return {
                "occlusion": (None, lambda one: _occlusion(one, one.facial_occlusion)),
                "head occlusion": (None, lambda one: _occlusion(one, one.head_occlusion)),
                "backward occlusion": (None, lambda one: _occlusion(one, one.facial_occlusion_backward)),
            }
        case LabelKind.SCENE_FLOW:
            change = max(float(np.abs(one.facial_scene_flow[..., 2]).max()) for one in labels)
            return {"change of depth": (None, lambda one: _signed(one.facial_scene_flow[..., 2], change))}
        case LabelKind.NORMALS:
            return {"normals": (None, _normals)}
        case LabelKind.SEGMENTATION:
            return {"regions": (None, lambda one: palette()[one.segmentation])}
        case LabelKind.UV:
            return {"uv": (None, _uv)}
        case LabelKind.LANDMARKS:
            return {"landmarks": (None, lambda one: _points(_image(one), one.landmarks))}
        case LabelKind.COVERAGE:
            return {"coverage": (None, lambda one: np.repeat(one.coverage[..., None], 3, axis=-1))}
        case LabelKind.PAIRS:
            return _distant(labels, pairs)


def _distant(labels: list[PairLabels], pairs: list[tuple[int, int]]) -> dict[str, tuple[float | None, LabelPicture]]:
    """The most distant pair that begins at each row's frame; nothing moves where there is none."""
    later = dict(pairs)  # sorted, so the last of each frame's is the most distant

    def flow(one: PairLabels) -> Flow:
        if one.frame in later:
            return one.flow_to(later[one.frame])
        width, height = one.metadata.size
        return np.zeros((height, width, 2), np.float32)

    scale = max(longest(flow(one)) for one in labels)
    return {"distant flow": (scale, lambda one: flow_to_rgb(flow(one), scale))}


def _image(one: PairLabels) -> Rgb:
    return read_image(one.root / one.metadata.layout.file(Output.FACIAL_IMAGE, one.frame))


def _occlusion(one: PairLabels, occlusion: NDArray[np.uint8]) -> Rgb:
    grey = _image(one).mean(axis=-1, keepdims=True) * 0.4
    picture = np.repeat(grey, 3, axis=-1).astype(np.uint8)
    for value, colour in _OCCLUSION_COLOURS.items():
        picture[occlusion == value] = colour
    return picture


def _signed(values: NDArray[np.float32], largest: float) -> Rgb:
    share = np.clip(values / max(largest, 1e-12), -1, 1)[..., None]
    red, blue = np.array([200, 30, 30]), np.array([30, 60, 220])
    return np.asarray(np.round(255 + np.where(share < 0, share * (255 - red), -share * (255 - blue))), dtype=np.uint8)


def _normals(one: PairLabels) -> Rgb:
    shown = np.nan_to_num((one.normals * [1, -1, -1] + 1) / 2)
    return np.asarray(np.round(255 * shown), dtype=np.uint8)


def _uv(one: PairLabels) -> Rgb:
    uv = np.nan_to_num(one.uv)
    return np.asarray(np.round(255 * np.dstack([uv, np.zeros(uv.shape[:2])])), dtype=np.uint8)


def _points(image: Rgb, points: Points) -> Rgb:
    picture = image.copy()
    radius = max(round(max(image.shape) / 160), 1)
    for (u, v), visible in zip(points.landmarks, points.landmarks_visible, strict=True):
        colour = (40, 230, 80) if visible else (235, 60, 60)
        # In sixteenths of a pixel.
        cv2.circle(picture, (round(16 * float(u)), round(16 * float(v))), 16 * radius, colour, -1, cv2.LINE_AA, 4)
    return picture
