"""Do flow, depth, mask and images say what the stored geometry and the camera say?"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.arrays import read_mask, read_vertices
from ffngen.dataset.check_images import ImageCheck, PairImages
from ffngen.dataset.check_splats import SplatCheck
from ffngen.dataset.layout import Output, Record
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.raycast import CastFrame, Target, cast_frame, cast_plane
from ffngen.dataset.report import (
    ErrorPool,
    ErrorSummary,
    Failure,
    Fault,
    SequenceImages,
    SequenceTruth,
    judge,
    unreadable,
)
from ffngen.errors import InputFileError
from ffngen.flow.exr import read_depth_exr
from ffngen.flow.files import read_flow
from ffngen.images import read_image

#: Pixels: the bounds on the end-point error of facial and of head flow, inside.
FLOW_P99, FLOW_MAX = 1e-3, 0.05
#: Metres: the bound on the depth error's 99th percentile, on the head inside and on the background.
DEPTH_P99 = 1e-4
#: The share of the silhouette where the flow or the mask may be another than the rays': where the edge runs so
#: close to the pixel's centre that rounding decides which surface is seen.
SILHOUETTE_WRONG = 0.01
#: The share of the head's pixels that may be looked at again for an edge that their neighbours do not show. Where
#: more are off, it is the flow that is wrong.
MAX_SUSPECTS = 1e-3


@dataclass
class _Pools:
    #: Of a sequence that Gaussians made.
    splats: SplatCheck | None = None
    facial: ErrorPool = field(default_factory=ErrorPool)
    head: ErrorPool = field(default_factory=ErrorPool)
    facial_silhouette: ErrorPool = field(default_factory=ErrorPool)
    head_silhouette: ErrorPool = field(default_factory=ErrorPool)
    depth: ErrorPool = field(default_factory=ErrorPool)
    background: ErrorPool = field(default_factory=ErrorPool)
    head_pixels: int = 0
    head_silhouette_pixels: int = 0
    silhouette_pixels: int = 0
    mask_disagreement: int = 0
    mask_disagreement_inside: int = 0
    plane: ErrorPool = field(default_factory=ErrorPool)
    outside_wrong: int = 0


def check_truth(root: Path, metadata: SequenceMetadata) -> tuple[SequenceTruth | None, list[Failure]]:
    """Recompute every flow, depth map and mask of a sequence and compare; look at its images in the light of them.

    Files that cannot be read are failures; the rest of the sequence is still compared.

    :returns: the errors (None where the geometry cannot be read), and the failures.
    :raises MissingPackageError: embreex is not installed.
    """
    path = metadata.layout.record(Record.VERTICES)
    try:
        vertices = read_vertices(root / path)
    except InputFileError as error:
        return None, [Failure(Fault.GEOMETRY, str(path), error.what)]
    if vertices.frames.tolist() != list(metadata.layout.facial_frames):
        return None, [Failure(Fault.GEOMETRY, str(path), "its frames are not those of the metadata")]
    pools, images = _Pools(), ImageCheck(str(metadata.key))
    if metadata.engine == "splat":
        pools.splats = SplatCheck.of(metadata, vertices)
    failures: list[Failure] = []
    following = None
    for index, number in enumerate(vertices.frames.tolist()):
        frame = _Frame(root, metadata, number)
        cast = following or cast_frame(vertices.facial[index], vertices.faces, metadata.get_camera(number))
        checks = [partial(_compare_frame, pools=pools)]
        targets: tuple[Target, ...] = ()
        if index + 1 < len(vertices.frames):
            later = metadata.get_camera(number + 1)
            targets = ((vertices.facial[index + 1], later), (vertices.head[index], later))
            following = cast_frame(vertices.facial[index + 1], vertices.faces, later)
            checks.append(partial(_compare_images, images=images, following=following))
        silhouette = cast.silhouette(targets)
        if pools.splats is not None:
            silhouette = pools.splats.widened(silhouette)
        for check in checks:
            try:
                check(frame, cast, targets, silhouette)
            except InputFileError as error:
                failures.append(unreadable(root, error))
    similarity, found = images.result()
    truth = _truth(metadata, pools, similarity)
    return truth, [*failures, *_judge(truth), *found]


@dataclass(frozen=True)
class _Frame:
    """The files of one frame, each of the camera's size."""

    root: Path
    metadata: SequenceMetadata
    number: int

    def image(self, output: Output, number: int) -> NDArray[np.uint8]:
        """A picture of this frame or the next, (H, W, 3); raises :class:`InputFileError`."""
        return read_image(self.root / self.metadata.layout.file(output, number))

    def read(self, output: Output) -> NDArray[Any]:
        """The array of one output; raises :class:`InputFileError`."""
        path = self.root / self.metadata.layout.file(output, self.number)
        array: NDArray[Any]
        if output is Output.MASK:
            array = read_mask(path)
        elif output is Output.DEPTH:
            array = read_depth_exr(path)
        else:
            array = read_flow(path)
        width, height = self.metadata.size
        if array.shape[:2] != (height, width):
            raise InputFileError(f"{array.shape[1]} x {array.shape[0]} pixels, unlike the camera", where=path)
        return array


def _compare_frame(
    frame: _Frame,
    cast: CastFrame,
    targets: tuple[Target, ...],
    silhouette: NDArray[np.bool_],
    pools: _Pools,
) -> None:
    """Compare mask, depth and flows; pixels that prove to lie at an edge are added to ``silhouette``."""
    hit, mask = cast.hit, frame.read(Output.MASK) != 0
    later = targets[0][1] if targets else cast.camera
    plane = cast_plane(frame.metadata.background, cast.camera, later)
    _look_again(cast, (mask != hit) & ~silhouette, targets, silhouette)
    if targets:
        _compare_flows(frame, cast, targets, silhouette, mask, pools)
        _compare_beside(frame, None if later == cast.camera else plane.flow, ~mask, pools)
    inside, beside = hit & ~silhouette, ~hit & ~silhouette
    if pools.splats is not None and pools.splats.captured:
        inside, beside = inside & mask, beside & ~mask
    pools.head_pixels += int(hit.sum())
    pools.head_silhouette_pixels += int((hit & silhouette).sum())
    pools.silhouette_pixels += int(silhouette.sum())
    pools.mask_disagreement += int((mask != hit).sum())
    pools.mask_disagreement_inside += int(((mask != hit) & ~silhouette).sum())
    depth = frame.read(Output.DEPTH)
    pools.depth.add(depth[inside] - cast.depth[inside])
    if pools.splats is not None:
        pools.splats.add(Fault.DEPTH, np.abs(depth[inside] - cast.depth[inside]))
    pools.background.add(depth[beside] - plane.depth[beside])


def _compare_images(
    frame: _Frame,
    cast: CastFrame,
    targets: tuple[Target, ...],
    silhouette: NDArray[np.bool_],
    *,
    images: ImageCheck,
    following: CastFrame,
) -> None:
    """Compare the images with the rays' own flow, so that a wrong flow file is not taken for a wrong image."""
    outputs = (Output.FACIAL_IMAGE, 0), (Output.FACIAL_IMAGE, 1), (Output.HEAD_IMAGE, 1)
    pictures = [frame.image(output, frame.number + later) for output, later in outputs]
    if any(picture.shape[:2] != cast.hit.shape for picture in pictures):
        return  # reported by check_contents
    image1, image2, head_image2 = pictures
    facial, head = (cast.flow_to(*target) for target in targets)
    seen = cast.visible_in(following, targets[0][0]) & ~silhouette
    head_vertices, later = targets[1]
    head_following = cast_frame(head_vertices, cast.faces, later)
    seen &= cast.visible_in(head_following, head_vertices)
    # Where the camera moves, so does what is beside the head; and a shoulder may come in from below.
    beside = ~(cast.hit | following.hit | head_following.hit | silhouette) & (later == cast.camera)
    images.add(PairImages(image1, image2, head_image2, facial, head, seen, beside), frame.number)


def _compare_flows(
    frame: _Frame,
    cast: CastFrame,
    targets: tuple[Target, ...],
    silhouette: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    pools: _Pools,
) -> None:
    """Compare both flows; pixels that prove to lie at an edge are added to ``silhouette``."""
    facial, head = (frame.read(output) for output in (Output.FACIAL_FLOW, Output.HEAD_FLOW))
    truths = np.stack([cast.flow_to(*target) for target in targets])
    missed = np.stack([facial, head]) - truths
    errors = np.hypot(missed[..., 0], missed[..., 1])
    rounding = frame.metadata.flow_format.rounding
    # What the files' format rounds away was not there to be right or wrong.
    errors = np.maximum(errors - np.stack([rounding(facial), rounding(head)]), 0)
    suspect = cast.hit & ~silhouette & ~(errors <= FLOW_MAX).all(axis=0)
    _look_again(cast, suspect, targets, silhouette)
    inside, edge = cast.hit & ~silhouette, silhouette & (cast.hit | mask)
    for error, pool, edge_pool in zip(
        errors, (pools.facial, pools.head), (pools.facial_silhouette, pools.head_silhouette), strict=True
    ):
        pool.add(error[inside])
        edge_pool.add(error[edge])
    if pools.splats is not None:
        for fault, error, truth in zip((Fault.FACIAL_FLOW, Fault.HEAD_FLOW), errors, truths, strict=True):
            pools.splats.add(fault, error[inside], np.hypot(truth[inside, 0], truth[inside, 1]))


def _compare_beside(frame: _Frame, plane: NDArray[np.float64] | None, beside: NDArray[np.bool_], pools: _Pools) -> None:
    """Compare the flow of the plane behind the head, where the mask says that it is seen.

    :param plane: its flow, (H, W, 2); None where the camera stands still, and the flow is exactly 0.
    """
    facial, head = (frame.read(output) for output in (Output.FACIAL_FLOW, Output.HEAD_FLOW))
    wrong = (facial != head).any(axis=-1)
    if plane is None:
        wrong |= (facial != 0).any(axis=-1)
    else:
        missed = facial - plane
        error = np.hypot(missed[..., 0], missed[..., 1]) - frame.metadata.flow_format.rounding(facial)
        pools.plane.add(np.maximum(error, 0)[beside])
    pools.outside_wrong += int((wrong & beside).sum())


def _look_again(
    cast: CastFrame,
    suspect: NDArray[np.bool_],
    targets: tuple[Target, ...],
    silhouette: NDArray[np.bool_],
) -> None:
    """Add the suspects that prove to lie at an edge to ``silhouette``, unless they are too many to be that."""
    if suspect.sum() <= MAX_SUSPECTS * cast.hit.sum():
        silhouette |= cast.near_edge(suspect, targets)


def _truth(metadata: SequenceMetadata, pools: _Pools, images: SequenceImages) -> SequenceTruth:
    wrong = [pool.share_above(FLOW_MAX) for pool in (pools.facial_silhouette, pools.head_silhouette)]
    return SequenceTruth(
        sequence=str(metadata.key),
        pairs=len(metadata.layout.pair_frames),
        facial_flow=pools.facial.summary(),
        head_flow=pools.head.summary(),
        facial_silhouette=pools.facial_silhouette.summary(),
        head_silhouette=pools.head_silhouette.summary(),
        silhouette_fraction=pools.head_silhouette_pixels / max(pools.head_pixels, 1),
        silhouette_wrong=max(wrong),
        silhouette_mask_wrong=pools.mask_disagreement / max(pools.silhouette_pixels, 1),
        depth=pools.depth.summary(),
        background_depth=pools.background.summary(),
        mask_disagreement=pools.mask_disagreement,
        mask_disagreement_inside=pools.mask_disagreement_inside,
        background_flow=pools.plane.summary(),
        outside_wrong=pools.outside_wrong,
        images=images,
        figures=[] if pools.splats is None else pools.splats.figures(pools.mask_disagreement_inside, pools.head_pixels),
    )


def _judge(truth: SequenceTruth) -> list[Failure]:
    found: list[tuple[Fault, str]] = []
    exact = not truth.figures
    for fault, errors in ((Fault.FACIAL_FLOW, truth.facial_flow), (Fault.HEAD_FLOW, truth.head_flow)):
        if errors.pixels == 0:
            found.append((fault, "no pixel of the head could be compared"))
        elif exact and (errors.p99 > FLOW_P99 or errors.max > FLOW_MAX):
            found.append((fault, f"errors {_figures(errors)} px; the bounds are p99 {FLOW_P99:g}, max {FLOW_MAX:g}"))
    for fault, errors in ((Fault.DEPTH, truth.depth), (Fault.BACKGROUND_DEPTH, truth.background_depth)):
        if (exact or fault is Fault.BACKGROUND_DEPTH) and errors.p99 > DEPTH_P99:
            found.append((fault, f"errors {_figures(errors)} m; the bound is p99 {DEPTH_P99:g}"))
    if exact and truth.silhouette_wrong > SILHOUETTE_WRONG:
        share = f"{truth.silhouette_wrong:.1%} of the silhouette is off by more than {FLOW_MAX:g} px"
        found.append((Fault.SILHOUETTE, f"{share}; the bound is {SILHOUETTE_WRONG:.0%}"))
    if exact and truth.silhouette_mask_wrong > SILHOUETTE_WRONG:
        share = f"{truth.mask_disagreement} wrong pixels, {truth.silhouette_mask_wrong:.1%} of the silhouette's number"
        found.append((Fault.MASK, f"{share}; the bound is {SILHOUETTE_WRONG:.0%}"))
    elif exact and truth.mask_disagreement_inside:
        found.append((Fault.MASK, f"{truth.mask_disagreement_inside} wrong pixels away from the silhouette"))
    if truth.outside_wrong:
        what = "a flow of their own" if truth.background_flow.pixels else "a flow"
        found.append((Fault.OUTSIDE_FLOW, f"{truth.outside_wrong} pixels outside the mask have {what}"))
    beside = truth.background_flow
    if beside.p99 > FLOW_P99 or beside.max > FLOW_MAX:
        bounds = f"the bounds are p99 {FLOW_P99:g}, max {FLOW_MAX:g}"
        found.append((Fault.BACKGROUND_FLOW, f"errors {_figures(beside)} px; {bounds}"))
    return [Failure(fault, truth.sequence, message) for fault, message in found] + judge(truth.sequence, truth.figures)


def _figures(errors: ErrorSummary) -> str:
    return f"mean {errors.mean:.2g}, p99 {errors.p99:.2g}, max {errors.max:.2g}"
