"""Do labels say what the stored geometry and the camera say? By ray casting, apart from how they were made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.arrays import read_vertices
from ffngen.dataset.check_truth import FLOW_MAX, MAX_SUSPECTS
from ffngen.dataset.labels.check_captured import check_captured
from ffngen.dataset.labels.check_frame import check_frame, check_points, check_points_on_uv, check_regions
from ffngen.dataset.labels.compute import HIDDEN, OUTSIDE, VISIBLE
from ffngen.dataset.labels.layout import SURFACE_FILE, LabelKind
from ffngen.dataset.labels.read import PairLabels
from ffngen.dataset.labels.record import LabelsRecord, label_layout, read_labels
from ffngen.dataset.labels.shots import Shot, Shots
from ffngen.dataset.labels.surface import Surface, read_surface
from ffngen.dataset.labels.tally import Tally
from ffngen.dataset.layout import Output, Record
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.raycast import cast_plane
from ffngen.dataset.report import Failure, Fault, LabelTruth, judge, unreadable
from ffngen.errors import DatasetError, FfngenError, InputFileError
from ffngen.flow.files import read_flow
from ffngen.flow.values import Flow
from ffngen.flow.warp import backward_warp

Bools = NDArray[np.bool_]


def check_labels(root: Path, metadata: SequenceMetadata) -> tuple[LabelTruth | None, list[Failure]]:
    """Recompute every label of a sequence and compare.

    Files that cannot be read are failures; the other labels are still compared.

    :returns: the figures (None where there are no labels, or no geometry to compare with), and the failures.
    :raises MissingPackageError: embreex or trimesh is not installed.
    """
    try:
        record = read_labels(root, metadata)
        if record is None:
            return None, []
        vertices = read_vertices(root / metadata.layout.record(Record.VERTICES))
    except FfngenError:
        return None, []  # reported by check_label_sizes and by check_truth
    if vertices.frames.tolist() != list(metadata.layout.facial_frames):
        return None, []  # reported by check_truth
    if metadata.is_captured:
        return check_captured(root, metadata, record, vertices)
    check = _Check(root, metadata, record, Shots(vertices, metadata))
    # What a damaged file holds may be no number.
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        check.run(len(vertices.faces))
    figures = check.tally.figures(blended=metadata.engine == "splat")
    sequence = str(metadata.key)
    return LabelTruth(sequence, figures), [*check.failures, *judge(sequence, figures)]


class _Check:
    def __init__(self, root: Path, metadata: SequenceMetadata, record: LabelsRecord, shots: Shots) -> None:
        self._root, self._metadata, self._shots = root, metadata, shots
        self._kinds, self._layout = record.kinds, label_layout(metadata, record.gaps)
        self.tally = Tally()
        self.failures: list[Failure] = []

    def run(self, face_count: int) -> None:
        """Compare everything."""
        surface = None
        if any(kind.needs_surface for kind in self._kinds):
            try:
                surface = read_surface(self._root / self._layout.record(SURFACE_FILE), face_count)
            except InputFileError as error:
                self.failures.append(unreadable(self._root, error))
        frames = self._metadata.layout.facial_frames
        for t in frames:
            labels = PairLabels(self._root, self._metadata, t)
            for kind in self._kinds:
                if kind.needs_surface and surface is None:
                    continue
                try:
                    self._check(kind, t, labels, surface)
                except (InputFileError, DatasetError) as error:
                    self.failures.append(unreadable(self._root, error))
        if LabelKind.PAIRS in self._kinds:
            for a, b in self._layout.distant_pairs:
                try:
                    self._check_distant(PairLabels(self._root, self._metadata, a), b)
                except (InputFileError, DatasetError) as error:
                    self.failures.append(unreadable(self._root, error))

    def _check(self, kind: LabelKind, t: int, labels: PairLabels, surface: Surface | None) -> None:
        """Compare one kind of labels of frame t and of the pair (t, t+1)."""
        cast = self._shots.of(("facial", t)).cast
        check_frame(kind, cast, self._shots.of(("facial", t)).vertices, labels, surface, self.tally)
        if kind is LabelKind.LANDMARKS and LabelKind.UV in self._kinds and surface is not None:
            check_points_on_uv(cast, labels.landmarks, labels.uv, surface, self.tally)
        if t not in self._metadata.layout.pair_frames:
            return
        first, second, head = map(self._shots.of, (("facial", t), ("facial", t + 1), ("head", t + 1)))
        match kind:
            case LabelKind.BACKWARD:
                self._flow(Fault.BACKWARD_FLOW, second, first, labels.facial_backward)
                self._flow(Fault.BACKWARD_FLOW, head, first, labels.head_backward)
                self._cycle(first, second, self._forward(Output.FACIAL_FLOW, t), labels.facial_backward)
                self._cycle(first, head, self._forward(Output.HEAD_FLOW, t), labels.head_backward)
            case LabelKind.OCCLUSION:
                self._occlusion(first, second, labels.facial_occlusion)
                self._occlusion(first, head, labels.head_occlusion)
                self._occlusion(second, first, labels.facial_occlusion_backward)
                self._occlusion(head, first, labels.head_occlusion_backward)
            case LabelKind.SCENE_FLOW:
                self._scene_flow(first, second, labels.facial_depth_next, labels.facial_scene_flow)
                self._scene_flow(first, head, labels.head_depth_next, labels.head_scene_flow)
            case LabelKind.SEGMENTATION if surface is not None:
                check_regions(head.cast, labels.head_segmentation2, surface, self.tally)
            case LabelKind.LANDMARKS if surface is not None:
                check_points(head.cast, head.vertices, labels.head_landmarks2, surface, self.tally)

    def _check_distant(self, labels: PairLabels, later: int) -> None:
        first, second = self._shots.of(("facial", labels.frame)), self._shots.of(("facial", later))
        self._flow(Fault.PAIR_FLOW, first, second, labels.flow_to(later))
        self._occlusion(first, second, labels.occlusion_to(later))

    def _forward(self, output: Output, t: int) -> Flow:
        width, height = self._metadata.size
        path = self._root / self._metadata.layout.file(output, t)
        return read_flow(path, size=(height, width))

    def _flow(self, fault: Fault, first: Shot, second: Shot, flow: Flow) -> None:
        """Compare a flow with that of the rays, away from silhouettes."""
        cast = first.cast
        silhouette = cast.silhouette((second.target,))
        missed = flow - first.flow_to(second)
        errors = np.hypot(missed[..., 0], missed[..., 1])
        # What the files' format rounds away was not there to be right or wrong.
        errors = np.maximum(errors - self._metadata.flow_format.rounding(flow), 0)
        suspect = cast.hit & ~silhouette & ~(errors <= FLOW_MAX)
        if suspect.sum() <= MAX_SUSPECTS * cast.hit.sum():
            silhouette |= cast.near_edge(suspect, (second.target,))
        self.tally.add(fault, errors[(cast.hit | (errors > 0)) & ~silhouette])

    def _cycle(self, first: Shot, second: Shot, forward: Flow, backward: Flow) -> None:
        """Go to the next frame and back, where the point is visible there and all pixels around it show its surface."""
        seen = first.cast.visible_in(second.cast, second.vertices) & ~first.cast.silhouette((second.target,))
        whole = second.cast.hit & ~second.cast.silhouette((first.target,))
        back, within = backward_warp(backward, forward)
        around, _ = backward_warp(whole.astype(np.float64), forward)
        there_and_back = (forward + back)[seen & within & (around > 0.9999)]
        self.tally.add(Fault.FORWARD_BACKWARD, np.hypot(there_and_back[:, 0], there_and_back[:, 1]))

    def _occlusion(self, first: Shot, second: Shot, occlusion: NDArray[np.uint8]) -> None:
        """Compare an occlusion map where either frame shows the head, away from silhouettes; and what is hidden."""
        cast, target = first.cast, second.cast
        rows, columns = np.mgrid[: cast.camera.height, : cast.camera.width]
        flow = first.flow_to(second)
        u, v = columns + flow[..., 0], rows + flow[..., 1]
        # Where the surroundings are seen in the other frame, the head may stand now.
        beside = ~cast.hit
        covered, outline = beside & target.hit, target.silhouette((first.target,))
        if target.camera != cast.camera:
            rays = np.stack([u, v, np.ones_like(u)], axis=-1)[beside] @ np.linalg.inv(target.camera.K).T
            covered[beside] = np.isfinite(target.depth_along(rays))
            outline = backward_warp(outline, flow)[0] > 0
        expected = np.where(covered, HIDDEN, VISIBLE)
        expected[cast.hit & ~cast.visible_in(target, second.vertices)] = HIDDEN
        expected[(u < -0.5) | (v < -0.5) | (u > cast.camera.width - 0.5) | (v > cast.camera.height - 0.5)] = OUTSIDE
        # Behind the head's outline in the other frame, a pixel of the surroundings is covered in part.
        edge = cast.silhouette((second.target,)) | (beside & outline)
        wrong = occlusion != expected
        self.tally.add(Fault.OCCLUSION, wrong[(cast.hit | covered) & ~edge])
        # Most of what is hidden lies within a pixel of an edge: there, some may be wrong.
        self.tally.add(Fault.HIDDEN, wrong[(expected != VISIBLE) | (occlusion != VISIBLE)])

    def _scene_flow(self, first: Shot, second: Shot, depth_next: NDArray[Any], motion: NDArray[Any]) -> None:
        """Compare where points go in space, by depth, flow and camera, with the triangles' own motion."""
        cast = first.cast
        inside = cast.hit & ~cast.silhouette((second.target,))
        faces, weights = cast.faces[cast.triangle[inside]], cast.barycentric[inside]
        before, after = (
            np.einsum("pc,pcx->px", weights, shot.cast.camera.to_camera(shot.vertices)[faces])
            for shot in (first, second)
        )
        self.tally.add(Fault.SCENE_FLOW, depth_next[inside] - after[:, 2])
        self.tally.add(Fault.SCENE_FLOW, np.linalg.norm(motion[inside] - (after - before), axis=1))
        beside = ~cast.hit & ~cast.silhouette((second.target,))
        plane = cast_plane(self._metadata.background, cast.camera, second.cast.camera)
        self.tally.add(Fault.SCENE_FLOW, (depth_next - plane.depth_after)[beside])
