"""Do the labels of a captured avatar say what its other files and the head's mesh say?

Its Gaussians need not lie on the mesh, so that rays at the mesh bound medians and shares alone. What is beside the head
is exact, and the masks say where that is: the surroundings are hidden where the other frame's mask is. Flow leads from
the head to the head, and back to where it came from. No mask of a head-only frame is kept; where its backward flow was
made, the head is where that is another than the surroundings'. The worst frame of each is judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ffngen.dataset.arrays import SequenceVertices, read_mask
from ffngen.dataset.check_splats import SplatCheck
from ffngen.dataset.check_truth import DEPTH_P99, FLOW_MAX
from ffngen.dataset.labels.compute import HIDDEN, OUTSIDE, VISIBLE
from ffngen.dataset.labels.layout import LABELS_FILE, OF_AVATARS, LabelKind
from ffngen.dataset.labels.read import PairLabels
from ffngen.dataset.labels.record import LabelsRecord, label_layout
from ffngen.dataset.labels.shots import Shot, Shots
from ffngen.dataset.layout import Output
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.raycast import cast_plane
from ffngen.dataset.report import Failure, Fault, Figure, LabelTruth, judge, unreadable
from ffngen.errors import DatasetError, InputFileError
from ffngen.flow.exr import read_depth_exr
from ffngen.flow.files import read_flow
from ffngen.flow.values import Flow, check_size
from ffngen.flow.warp import backward_warp

Bools = NDArray[np.bool_]

#: What is asked of the worst frame: the figure's fault, its name and its bound.
_BESIDE = Fault.OUTSIDE_FLOW, "share", 0.0
_CYCLE = Fault.FORWARD_BACKWARD, "median px"
#: Of flow that is affine, and of other modes, which do not turn with Gaussians; for motion up to so many pixels.
_AFFINE_CYCLE, _OTHER_CYCLE, _MOTION = 0.2, 0.5, 20.0
_ON_HEAD = Fault.OCCLUSION, "share on the head", 0.1
_AROUND = Fault.HIDDEN, "share beside the head", 0.2
_CHANGE = Fault.SCENE_FLOW, "median m", 2e-3
_DEPTH_BESIDE = Fault.SCENE_FLOW, "share beside the head", 0.0
_LANDING, _LANDING_SHARE = "share that leads beside the head", 0.1
#: Of fewer pixels, a frame is not judged.
_FEWEST = 10
#: Pixels: flow from so near to the outline is asked where it leads.
_RIM = 3
#: Pixels: nearer to the picture's edge, blends and rays may disagree on what has left it.
_EDGE = 1.0


@dataclass(frozen=True)
class _View:
    """A frame as rays see it at the mesh, and where the avatar is seen; None where nothing tells."""

    shot: Shot
    mask: Bools | None


def check_captured(
    root: Path, metadata: SequenceMetadata, record: LabelsRecord, vertices: SequenceVertices
) -> tuple[LabelTruth, list[Failure]]:
    """Compare the labels of a captured avatar's sequence, as :func:`ffngen.dataset.labels.check.check_labels` does."""
    check = _Check(root, metadata, record, vertices)
    # What a damaged file holds may be no number.
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        check.run()
    figures, sequence = check.figures(), str(metadata.key)
    return LabelTruth(sequence, figures), [*check.failures, *judge(sequence, figures)]


class _Check:
    def __init__(
        self, root: Path, metadata: SequenceMetadata, record: LabelsRecord, vertices: SequenceVertices
    ) -> None:
        self._root, self._metadata, self._kinds = root, metadata, record.kinds
        self._distant = label_layout(metadata, record.gaps).distant_pairs if LabelKind.PAIRS in record.kinds else []
        self._shots, self._splats = Shots(vertices, metadata), SplatCheck.of(metadata, vertices)
        self._found: dict[tuple[Fault, str, float], list[tuple[float, int]]] = {}
        self.failures: list[Failure] = []

    def run(self) -> None:
        """Compare everything."""
        others = [kind.value for kind in self._kinds if kind not in OF_AVATARS]
        if others:
            where = str(label_layout(self._metadata).record(LABELS_FILE))
            what = f"captured avatars have no {', '.join(others)}"
            self.failures.append(Failure(Fault.LABEL_RECORD, where, what))
        frames = self._metadata.layout.pair_frames
        for check, pairs in ((self._check_pair, [(t, t + 1) for t in frames]), (self._check_distant, self._distant)):
            for a, b in pairs:
                try:
                    check(PairLabels(self._root, self._metadata, a), self._facial(a), self._facial(b), b)
                except (InputFileError, DatasetError) as error:
                    self.failures.append(unreadable(self._root, error))

    def figures(self) -> list[Figure]:
        """The worst frame of each."""
        faults = [Fault.BACKWARD_FLOW] * (LabelKind.BACKWARD in self._kinds) + [Fault.PAIR_FLOW] * bool(self._distant)
        medians = [figure for fault in faults for figure in self._splats.figures_of(fault)]
        return medians + [
            Figure(fault, what, max(value for value, _ in found), bound, sum(count for _, count in found))
            for (fault, what, bound), found in self._found.items()
        ]

    def _add(self, figure: tuple[Fault, str, float], errors: NDArray[Any]) -> None:
        """Add a frame's errors, or whether each of its pixels is wrong."""
        if errors.size >= _FEWEST:
            values = np.where(np.isnan(errors), np.inf, errors)
            value = np.median(values) if "median" in figure[1] else values.mean()
            self._found.setdefault(figure, []).append((float(value), errors.size))

    @property
    def _size(self) -> tuple[int, int]:
        width, height = self._metadata.size
        return height, width

    def _facial(self, t: int) -> _View:
        path = self._root / self._metadata.layout.file(Output.MASK, t)
        mask = read_mask(path)
        check_size(path, mask.shape, self._size)
        return _View(self._shots.of(("facial", t)), mask != 0)

    def _check_pair(self, labels: PairLabels, first: _View, second: _View, later: int) -> None:
        head = _View(self._shots.of(("head", later)), None)
        if LabelKind.BACKWARD in self._kinds:
            back = labels.head_backward
            head = _View(head.shot, self._is_own(back, head.shot, first.shot))
            for view, flow, output in (
                (second, labels.facial_backward, Output.FACIAL_FLOW),
                (head, back, Output.HEAD_FLOW),
            ):
                self._flow(Fault.BACKWARD_FLOW, view, first, flow)
                path = self._root / self._metadata.layout.file(output, labels.frame)
                self._cycle(first.shot, view.shot, read_flow(path, size=self._size), flow)
        if LabelKind.OCCLUSION in self._kinds:
            self._occlusion(first, second, labels.facial_occlusion)
            self._occlusion(first, head, labels.head_occlusion)
            self._occlusion(second, first, labels.facial_occlusion_backward)
            self._occlusion(head, first, labels.head_occlusion_backward)
        if LabelKind.SCENE_FLOW in self._kinds:
            self._scene_flow(first, second.shot, labels.facial_depth_next, labels.frame)
            self._scene_flow(first, head.shot, labels.head_depth_next, labels.frame)

    def _check_distant(self, labels: PairLabels, first: _View, second: _View, later: int) -> None:
        self._flow(Fault.PAIR_FLOW, first, second, labels.flow_to(later))
        self._occlusion(first, second, labels.occlusion_to(later))

    def _is_own(self, flow: Flow, first: Shot, second: Shot) -> Bools:
        """(H, W) bool: where flow is another than that of the surroundings."""
        missed = np.hypot(*np.moveaxis(flow - first.plane_flow(second), -1, 0))
        still = first.cast.camera == second.cast.camera
        return np.asarray(~(missed <= (0 if still else FLOW_MAX + self._metadata.flow_format.rounding(flow))))

    def _inside(self, first: Shot, second: Shot) -> Bools:
        """(H, W) bool: where a frame shows the mesh, further from its silhouettes than Gaussians reach."""
        return np.asarray(first.cast.hit & ~self._splats.widened(first.cast.silhouette((second.target,))))

    def _flow(self, fault: Fault, first: _View, second: _View, flow: Flow) -> None:
        assert first.mask is not None and second.mask is not None
        truth, inside = first.shot.flow_to(second.shot), self._inside(first.shot, second.shot)
        errors = np.hypot(*np.moveaxis(flow - truth, -1, 0)) - self._metadata.flow_format.rounding(flow)
        self._splats.add(fault, np.maximum(errors[inside], 0), np.hypot(*truth[inside].T))
        self._add(_BESIDE, self._is_own(flow, first.shot, second.shot)[~first.mask])
        rim = first.mask & ~ndimage.binary_erosion(first.mask, iterations=_RIM, border_value=1)
        place, margin = self._landing(flow)
        beside = ~ndimage.binary_dilation(second.mask, np.ones((3, 3)))
        self._add((fault, _LANDING, _LANDING_SHARE), beside[place][rim & (margin >= 0)])

    def _landing(self, flow: NDArray[Any]) -> tuple[tuple[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]:
        """The pixels that flow leads to, rows and columns, and how far within the picture; negative beside it."""
        height, width = self._size
        v, u = np.mgrid[:height, :width]
        x, y = u + flow[..., 0].astype(np.float64), v + flow[..., 1].astype(np.float64)
        margin = np.minimum(np.minimum(x + 0.5, width - 0.5 - x), np.minimum(y + 0.5, height - 0.5 - y))
        margin = np.where(np.isnan(margin), -np.inf, margin)
        rows, columns = (
            np.rint(np.where(margin >= 0, axis, 0)).clip(0, last - 1).astype(np.intp)
            for axis, last in ((y, height), (x, width))
        )
        return (rows, columns), margin

    def _cycle(self, first: Shot, second: Shot, forward: Flow, backward: Flow) -> None:
        """Go to the next frame and back where the mesh is seen in both."""
        seen = first.cast.visible_in(second.cast, second.vertices) & self._inside(first, second)
        back, within = backward_warp(backward, forward)
        around, _ = backward_warp(self._inside(second, first).astype(np.float64), forward)
        chosen = seen & within & (around > 0.9999)
        missed, motion = np.hypot(*(forward + back)[chosen].T), np.hypot(*forward[chosen].T)
        bound = _AFFINE_CYCLE if self._metadata.splat.get("flow_mode") == "affine" else _OTHER_CYCLE
        if missed.size:
            self._add((*_CYCLE, bound), missed / max(1.0, float(np.median(motion)) / _MOTION))

    def _occlusion(self, first: _View, second: _View, occlusion: NDArray[np.uint8]) -> None:
        one, other = first.shot, second.shot
        flow = one.flow_to(other)
        _, margin = self._landing(flow)
        expected = np.where(one.cast.visible_in(other.cast, other.vertices), VISIBLE, HIDDEN)
        expected[margin < 0] = OUTSIDE
        edges = self._splats.widened(other.cast.silhouette((one.target,)))
        near_edge = backward_warp(edges.astype(np.float64), flow)[0] > 0
        inside = self._inside(one, other) & ~near_edge & (np.abs(margin) > _EDGE)
        self._add(_ON_HEAD, (occlusion != expected)[inside if first.mask is None else inside & first.mask])
        self._add_around(first, second, occlusion)

    def _add_around(self, first: _View, second: _View, occlusion: NDArray[np.uint8]) -> None:
        """Compare where a frame shows the surroundings, and they are or should be hidden."""
        one, other = first.shot, second.shot
        plane = one.plane_flow(other)
        _, margin = self._landing(plane)
        known = first.mask is not None and second.mask is not None
        there = second.mask if known else self._inside(other, one)
        # Between pixels, the surroundings are hidden where all pixels around show the head.
        around, within = backward_warp(np.asarray(there, dtype=np.float64), plane)
        covered = around > 0.9999
        if known:
            sure = ~np.asarray(first.mask) & ((within & (covered | (around == 0))) | (margin < -_EDGE))
        else:  # at least the mesh hides them
            sure = covered & ~self._splats.widened(one.cast.hit)
        expected = np.where(margin < 0, OUTSIDE, np.where(covered, HIDDEN, VISIBLE))
        self._add(_AROUND, (occlusion != expected)[sure & ((expected == HIDDEN) | (occlusion == HIDDEN))])

    def _scene_flow(self, first: _View, second: Shot, depth_next: NDArray[np.float32], t: int) -> None:
        """Compare by how much depth changes, as Gaussians may lie before the mesh; and the depth of what is behind."""
        one = first.shot
        path = self._root / self._metadata.layout.file(Output.DEPTH, t)
        depth = read_depth_exr(path)
        check_size(path, depth.shape, self._size)
        inside = self._inside(one, second) & np.asarray(first.mask)
        corners = second.cast.camera.to_camera(second.vertices)[one.cast.faces[one.cast.triangle[inside]]]
        after = np.einsum("pc,pc->p", one.cast.barycentric[inside], corners[..., 2])
        change = (depth_next - depth.astype(np.float64))[inside]
        self._add(_CHANGE, np.abs(change - (after - one.cast.depth[inside])))
        plane = cast_plane(self._metadata.background, one.cast.camera, second.cast.camera).depth_after
        self._add(_DEPTH_BESIDE, ~(np.abs(depth_next - plane) <= DEPTH_P99)[~np.asarray(first.mask)])
