"""An ffngen dataset as a set of points: its truth is known, so that it tells how exact the protocols themselves are.

Points that the picture does not show have no flow: with ``visible`` they are left away, and so are those at outlines,
where neighbouring pixels move apart and nothing between them is the motion of a point.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.labels.layout import LabelOutput
from ffngen.dataset.labels.read import PairLabels
from ffngen.dataset.layout import Output
from ffngen.dataset.read import FlowDataset, Pair
from ffngen.dataset.regions import ModelFinder
from ffngen.errors import DatasetError
from ffngen.evaluation.evaluate import open_pairs
from ffngen.realworld.landmark_regions import landmark_regions
from ffngen.realworld.points import PairEntry, PairPoints, PointSet
from ffngen.realworld.vertex_regions import VertexRegions, from_model
from ffngen.realworld.visible import shows_one_surface, visible_points

Array64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


def rendered_landmarks(root: Path, *, split: str, visible: bool) -> PointSet:
    """The landmarks of a dataset that has such labels (``ffngen label --add landmarks``).

    :param split: which pairs; ``all`` are all.
    :raises DatasetError: no dataset, no such split, or a sequence has no landmarks.
    """
    found = _open(root, split, lambda pair: partial(_landmarks, pair, visible=visible))
    found.notes = _notes("landmarks", visible)
    return found


def rendered_vertices(
    root: Path, *, split: str, visible: bool, head: str | None = None, family: str | None = None
) -> PointSet:
    """The stored vertices of a dataset.

    :param head: the path of the head model that it was rendered with; the open head where None.
    :param family: the FLAME version, where the file's name does not tell.
    :raises DatasetError: no dataset, or no such split.
    """
    finder = ModelFinder(head, family)
    found = _open(root, split, lambda pair: partial(_vertices, pair, finder, visible=visible))
    found.notes = _notes("vertices", visible)
    first = open_pairs(FlowDataset(root), split, 1)[0]
    regions = _regions(finder, first, first.vertices.facial.shape[1])
    if regions is None:
        found.notes.append(f"all vertices are counted, as regions are not known: {finder.left_out}")
    else:
        found.notes.append(regions.sentence)
        found.facts = {"vertices": int(regions.counted.sum()), "face_vertices": regions.face}
    return found


def _notes(what: str, visible: bool) -> list[str]:
    if visible:
        return [f"only {what} that image 1 shows, and away from outlines: all four pixels around show their surface"]
    return [f"hidden {what} are counted too, whose motion no pixel of image 1 shows; --visible leaves them away"]


def _open(root: Path, split: str, loader: Callable[[Pair], Callable[[], PairPoints]]) -> PointSet:
    entries = []
    for pair in open_pairs(FlowDataset(root), split, None):
        layout = pair.metadata.layout
        images = tuple(root / layout.file(Output.FACIAL_IMAGE, pair.frame + step) for step in (0, 1))
        name = f"{pair.metadata.key}/{pair.frame:04d}"
        entries.append(
            PairEntry(name, pair.metadata.sequence, pair.metadata.identity, (images[0], images[1]), loader(pair))
        )
    return PointSet(entries)


def _landmarks(pair: Pair, *, visible: bool) -> PairPoints:
    before = pair.labels.landmarks
    if not len(before.landmarks):
        where = pair.labels.path(LabelOutput.FACIAL_LANDMARKS, pair.frame)
        raise DatasetError("holds no landmark, as the head model has none", where=where, mend="use vertices")
    after = PairLabels(pair.root, pair.metadata, pair.frame + 1).landmarks
    start = before.landmarks.astype(np.float64)
    counted = np.ones(len(start), dtype=bool)
    if visible:
        counted = before.landmarks_visible & _within_centres(start, pair)
        counted[counted] = shows_one_surface(
            pair.depth, pair.metadata.get_camera(pair.frame), start[counted], before.landmark_depth[counted]
        )
    facial, head = (points.landmarks.astype(np.float64) - start for points in (after, pair.labels.head_landmarks2))
    return _points(pair, start, facial, head, counted, landmark_regions(len(start)))


def _vertices(pair: Pair, finder: ModelFinder, *, visible: bool) -> PairPoints:
    vertices, metadata = pair.vertices, pair.metadata
    camera, later = (metadata.get_camera(frame) for frame in (pair.frame, pair.frame + 1))
    index = int(np.flatnonzero(vertices.frames == pair.frame)[0])
    start = camera.project(vertices.facial[index])[0]
    facial, head = (later.project(v)[0] - start for v in (vertices.facial[index + 1], vertices.head[index]))
    regions = _regions(finder, pair, len(start))
    counted = np.ones(len(start), dtype=bool) if regions is None else regions.counted
    if visible:
        counted = counted & visible_points(vertices.facial[index], vertices.facial[index], vertices.faces, camera)
    return _points(pair, start, facial, head, counted, {} if regions is None else regions.regions)


def _regions(finder: ModelFinder, pair: Pair, vertex_count: int) -> VertexRegions | None:
    model = finder(pair.metadata)
    return None if model is None else from_model(model, vertex_count)


def _within_centres(points: Array64, pair: Pair) -> Bools:
    width, height = pair.metadata.size
    # shows_one_surface needs a pixel on each side.
    result: Bools = ((points >= 0) & (points <= [width - 1, height - 1])).all(axis=1)
    return result


def _points(
    pair: Pair, start: Array64, facial: Array64, head: Array64, counted: Bools, regions: Mapping[str, Bools]
) -> PairPoints:
    motion = {"facial": facial, "head": head, "expression": facial - head}
    return PairPoints(start, motion, dict.fromkeys(motion, counted), regions, pair.metadata.size)
