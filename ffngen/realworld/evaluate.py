"""Errors of flow at the points of every pair of a set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import FfngenError, InputFileError
from ffngen.estimators.estimator import Estimate, Rgb
from ffngen.images import read_image
from ffngen.metrics.point_errors import inside_picture, point_errors
from ffngen.realworld.journal import Journal
from ffngen.realworld.methods import Method
from ffngen.realworld.pair_errors import PairErrors
from ffngen.realworld.points import FLOWS, PairEntry, PairPoints, PointSet


@dataclass(frozen=True, eq=False)
class Pictured:
    """A pair to be looked at: what is needed to draw it."""

    error: float
    pair: PairEntry
    images: tuple[Rgb, Rgb]
    points: PairPoints
    estimate: Estimate


def evaluate_points(
    points: PointSet,
    methods: Sequence[Method],
    *,
    journal: Journal | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[PairErrors]:
    """Run every method on every pair.

    Points outside image 1 have no flow and are not measured; a point whose motion leads out of image 2 is.

    :param journal: holds what need not be measured again, and is told what was.
    :returns: the errors of every pair, method and flow.
    :raises FfngenError: a file of a pair is at fault, the images of a pair differ in size, or a flow has another one.
    """
    result: list[PairErrors] = []
    for number, pair in enumerate(points.pairs):
        known = {method.name: None if journal is None else journal.get(method.name, pair.name) for method in methods}
        if any(errors is None for errors in known.values()):
            found = pair.load()
            images = _images(pair, found)
            for method in methods:
                if known[method.name] is None:
                    errors = _pair_errors(method.name, pair, found, method.estimate(pair, *images), images[0])
                    known[method.name] = errors
                    if journal is not None and method.is_kept:
                        journal.add(method.name, pair.name, errors)
        result += [one for errors in known.values() for one in errors or []]
        progress(number + 1, len(points.pairs))
    return result


def worst_pairs(
    points: PointSet, methods: Sequence[Method], errors: Sequence[PairErrors], count: int
) -> dict[str, list[Pictured]]:
    """Each method's pairs with the largest facial error, the worst first; their flow is estimated once more."""
    pairs = {pair.name: pair for pair in points.pairs}
    result: dict[str, list[Pictured]] = {}
    for method in methods:
        measured = [(one.epe, one.pair) for one in errors if (one.method, one.flow) == (method.name, FLOWS[0])]
        worst = sorted(((epe, name) for epe, name in measured if epe is not None), reverse=True)[:count]
        result[method.name] = []
        for epe, name in worst:
            found = pairs[name].load()
            images = _images(pairs[name], found)
            estimate = method.estimate(pairs[name], *images)
            result[method.name].append(Pictured(epe, pairs[name], images, found, estimate))
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


def _pair_errors(method: str, pair: PairEntry, points: PairPoints, estimate: Estimate, image: Rgb) -> list[PairErrors]:
    """The errors of each flow that both the points and the method know."""
    height, width = image.shape[:2]
    within = inside_picture(points.start, width, height)
    result = []
    for flow, motion in points.motion.items():
        found: NDArray[np.float32] | None = getattr(estimate, flow)
        if found is None:
            continue
        if found.shape[:2] != (height, width):
            raise FfngenError(f"gave a flow of {found.shape} for an image of {(height, width)}", where=method)
        error, valid = point_errors(found, points.start, motion)
        asked = points.counted[flow] & within
        used = asked & valid
        length = np.hypot(motion[:, 0], motion[:, 1])
        regions = {name: error[used & members] for name, members in points.regions.items()}
        errors = PairErrors(
            method=method,
            flow=flow,
            pair=pair.name,
            sequence=pair.sequence,
            subject=pair.subject,
            epe=float(error[used].mean()) if used.any() else None,
            motion=float(length[used].mean()) if used.any() else 0.0,
            points=int(used.sum()),
            without_flow=int((asked & ~valid).sum()),
            outside=int((points.counted[flow] & ~within).sum()),
            regions={name: float(values.mean()) for name, values in regions.items() if len(values)},
        )
        result.append(errors)
    return result
