"""Errors of flow at the points of every pair of a set."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import FfngenError, InputFileError
from ffngen.estimators.estimator import Estimate, Rgb
from ffngen.images import read_image
from ffngen.metrics.point_errors import inside_picture, point_errors
from ffngen.realworld.methods import Method
from ffngen.realworld.points import PairEntry, PairPoints, PointSet


@dataclass(frozen=True)
class PairErrors:
    """The error of one method's flow at the points of one pair.

    :param method: whose flow it is.
    :param flow: ``facial``, ``head`` or ``expression``.
    :param pair: which pair.
    :param epe: the mean end-point error, pixels: equation 6. None where no point could be measured.
    :param motion: the mean length of the true motion at the same points, pixels.
    :param points: how many there were.
    :param without_flow: how many more the method gave no flow for.
    :param regions: name -> mean error and number of points.
    """

    method: str
    flow: str
    pair: PairEntry
    epe: float | None
    motion: float
    points: int
    without_flow: int
    regions: Mapping[str, tuple[float, int]]


@dataclass(frozen=True, eq=False)
class Pictured:
    """A pair to be looked at: what is needed to draw it."""

    error: float
    pair: PairEntry
    images: tuple[Rgb, Rgb]
    points: PairPoints
    estimate: Estimate


@dataclass
class PointEvaluation:
    """What was measured.

    :param errors: of every method, flow and pair.
    :param outside: points that lay outside image 1, over all pairs.
    :param worst: method -> its pairs with the largest facial error, the worst first.
    """

    errors: list[PairErrors] = field(default_factory=list)
    outside: int = 0
    worst: dict[str, list[Pictured]] = field(default_factory=dict)


def evaluate_points(
    points: PointSet,
    methods: Sequence[Method],
    *,
    keep_worst: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PointEvaluation:
    """Run every method on every pair.

    Points outside image 1 have no flow and are not measured; a point whose motion leads out of image 2 is.

    :param keep_worst: keep so many of each method's worst pairs for pictures.
    :raises FfngenError: a file of a pair is at fault, the images of a pair differ in size, or a flow has another one.
    """
    result = PointEvaluation()
    heaps: dict[str, list[tuple[float, int, Pictured]]] = {method.name: [] for method in methods}
    for number, pair in enumerate(points.pairs):
        found = pair.load()
        images = _images(pair, found)
        height, width = images[0].shape[:2]
        within = inside_picture(found.start, width, height)
        result.outside += int((found.counted["facial"] & ~within).sum())
        for method in methods:
            estimate = method.estimate(pair, *images)
            errors = [
                _errors(method.name, flow, pair, getattr(estimate, flow), found, within, (height, width))
                for flow in found.motion
                if getattr(estimate, flow) is not None
            ]
            result.errors += errors
            error = errors[0].epe
            if keep_worst and error is not None:
                heap = heaps[method.name]
                heapq.heappush(heap, (error, -number, Pictured(error, pair, images, found, estimate)))
                if len(heap) > keep_worst:
                    heapq.heappop(heap)
        progress(number + 1, len(points.pairs))
    result.worst = {name: [item for _, _, item in sorted(heap, reverse=True)] for name, heap in heaps.items()}
    return result


def _images(pair: PairEntry, points: PairPoints) -> tuple[Rgb, Rgb]:
    image1, image2 = (read_image(path) for path in pair.images)
    wanted = image1.shape[1::-1] if points.size is None else points.size
    for path, image in zip(pair.images, (image1, image2), strict=True):
        if image.shape[1::-1] != wanted:
            whose = "the other image of the pair has" if points.size is None else "its camera has"
            what = f"{image.shape[1]} x {image.shape[0]} pixels, {whose} {wanted[0]} x {wanted[1]}"
            raise InputFileError(what, where=path, mend="both images of a pair need one size, that of their points")
    return image1, image2


def _errors(
    method: str,
    flow: str,
    pair: PairEntry,
    estimate: NDArray[np.float32],
    points: PairPoints,
    within: NDArray[np.bool_],
    size: tuple[int, int],
) -> PairErrors:
    if estimate.shape[:2] != size:
        raise FfngenError(f"gave a flow of {estimate.shape} for an image of {size}", where=method)
    asked = points.counted[flow] & within
    error, valid = point_errors(estimate, points.start, points.motion[flow])
    used = asked & valid
    length = np.hypot(points.motion[flow][:, 0], points.motion[flow][:, 1])
    regions = {
        name: (float(error[used & members].mean()), int((used & members).sum()))
        for name, members in points.regions.items()
        if (used & members).any()
    }
    return PairErrors(
        method=method,
        flow=flow,
        pair=pair,
        epe=float(error[used].mean()) if used.any() else None,
        motion=float(length[used].mean()) if used.any() else 0.0,
        points=int(used.sum()),
        without_flow=int((asked & ~valid).sum()),
        regions=regions,
    )
