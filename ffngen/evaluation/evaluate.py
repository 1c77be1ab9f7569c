"""Errors of estimators on every pair of a dataset."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.read import FlowDataset, Pair, spread_evenly
from ffngen.errors import DatasetError, FfngenError
from ffngen.estimators.estimator import Estimate, Estimator
from ffngen.evaluation.areas import AreaFinder
from ffngen.flow.values import Flow, known
from ffngen.metrics.flow_errors import FlowErrors, endpoint_error, flow_errors

FLOWS = ("facial", "head", "expression")

#: The whole head: the mask, where motion is known.
HEAD = "head mask"


@dataclass(frozen=True)
class Record:
    """The errors of one estimator on one flow of one pair, over one area.

    :param n_frames: the n of the motion scale 1/n; 0 for motion that a tracker saw.
    :param official: the published code's figure, for the facial and head flow over the whole head: the error of all
        pixels over the number of pixels in the mask; else None.
    """

    estimator: str
    sequence: str
    emotion: str
    n_frames: int
    frame: int
    flow: str
    area: str
    errors: FlowErrors
    official: float | None = None


@dataclass(frozen=True)
class Pictured:
    """A pair to be looked at: one estimator's error, and what is needed to draw it."""

    error: float
    pair: Pair
    estimate: Estimate


@dataclass
class Evaluation:
    """What was measured.

    :param records: of every estimator, pair, flow and area.
    :param worst: estimator -> its pairs with the largest facial error, the worst first.
    :param pairs: how many pairs there were.
    :param notes: what a reader of the tables must know.
    """

    records: list[Record] = field(default_factory=list)
    worst: dict[str, list[Pictured]] = field(default_factory=dict)
    pairs: int = 0
    notes: list[str] = field(default_factory=list)


def open_pairs(dataset: FlowDataset, split: str, limit: int | None) -> list[Pair]:
    """The pairs of a split; with a limit so many, spread evenly.

    :raises DatasetError: the split is empty.
    """
    keys = [key for key in dataset.sequences if split in ("all", key.split)]
    pairs = [pair for key in keys for pair in dataset.pairs(key)]
    if not pairs:
        there = ", ".join(sorted({key.split for key in dataset.sequences})) or "no sequence at all"
        raise DatasetError(
            f"has no sequence in the split {split}; it has {there}", where=dataset.root, mend="use --split"
        )
    return pairs if limit is None else [pairs[i] for i in spread_evenly(len(pairs), limit)]


def evaluate(
    pairs: Sequence[Pair],
    estimators: Sequence[Estimator],
    *,
    areas: AreaFinder | None = None,
    keep_worst: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Run every estimator on every pair.

    :param areas: also tell errors by region and visibility.
    :param keep_worst: keep so many of each estimator's worst pairs for pictures.
    :raises FfngenError: a file of a pair is at fault, or an estimator's flow is not of the image's size.
    """
    result = Evaluation(pairs=len(pairs))
    heaps: dict[str, list[tuple[float, int, Pictured]]] = {e.name: [] for e in estimators}
    for number, pair in enumerate(pairs):
        image1, image2 = pair.image1, pair.image2
        true, where = _truth(pair, image1.shape, image2.shape)
        found = None if areas is None else areas.areas(pair)
        for estimator in estimators:
            estimate = estimator(image1, image2)
            for flow in FLOWS:
                result.records += _records(pair, estimator.name, flow, getattr(estimate, flow), true, where, found)
            if keep_worst:
                error = float(endpoint_error(estimate.facial, true["facial"])[where].mean()) if where.any() else 0.0
                heap = heaps[estimator.name]
                heapq.heappush(heap, (error, number, Pictured(error, pair, estimate)))
                if len(heap) > keep_worst:
                    heapq.heappop(heap)
        progress(number + 1, len(pairs))
    result.worst = {name: [item for _, _, item in sorted(heap, reverse=True)] for name, heap in heaps.items()}
    if areas is not None and areas.left_out is not None:
        result.notes.append(areas.left_out)
    return result


def _truth(
    pair: Pair, shape: tuple[int, ...], next_shape: tuple[int, ...]
) -> tuple[dict[str, Flow], NDArray[np.bool_]]:
    facial, head, mask = pair.facial_flow, pair.head_flow, pair.mask
    shapes = {"next image": next_shape, "facial flow": facial.shape, "head flow": head.shape, "mask": mask.shape}
    for name, found in shapes.items():
        if found[:2] != shape[:2]:
            what = f"frame {pair.frame}: the {name} is {found[:2]}, the image {shape[:2]}"
            raise DatasetError(what, where=pair.metadata.sequence, mend="check the dataset with ffngen verify")
    true = {"facial": facial, "head": head, "expression": facial - head}
    return true, (mask > 0) & known(facial) & known(head)


def _records(
    pair: Pair,
    estimator: str,
    flow: str,
    estimate: Flow | None,
    true: dict[str, Flow],
    where: NDArray[np.bool_],
    areas: object,
) -> Iterator[Record]:
    if estimate is None:
        return
    if estimate.shape != true[flow].shape:
        raise FfngenError(f"gave a flow of {estimate.shape} for an image of {true[flow].shape[:2]}", where=estimator)
    metadata = pair.metadata
    parts = {HEAD: where}
    if isinstance(areas, dict):
        parts |= {name: area & where for name, area in areas[flow].items()}
    for area, pixels in parts.items():
        errors = flow_errors(estimate, true[flow], pixels)
        if errors is None:
            continue
        official = None
        if area == HEAD:
            everywhere = known(true[flow])
            official = float(
                endpoint_error(estimate, true[flow])[everywhere].sum() / max(int((pair.mask > 0).sum()), 1)
            )
        yield Record(
            estimator,
            metadata.key.sequence,
            metadata.emotion,
            metadata.n_frames if metadata.motion_scale else 0,
            pair.frame,
            flow,
            area,
            errors,
            official,
        )
