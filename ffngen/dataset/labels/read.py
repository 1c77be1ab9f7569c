"""Reading the labels of a pair, each file opened when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.labels.compute import Points
from ffngen.dataset.labels.files import NORMAL, UV, read_channels, read_grey, read_occlusion, read_points
from ffngen.dataset.labels.layout import KIND_OF, OUTPUTS, LabelKind, LabelOutput
from ffngen.dataset.labels.record import label_layout
from ffngen.dataset.layout import Output
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.errors import DatasetError
from ffngen.flow.exr import read_depth_exr
from ffngen.flow.files import read_flow
from ffngen.flow.values import Flow, check_size
from ffngen.geometry.camera import Camera

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


_READERS: dict[LabelOutput, Callable[[Path], NDArray[Any]]] = {
    **dict.fromkeys((LabelOutput.FACIAL_BACKWARD, LabelOutput.HEAD_BACKWARD, LabelOutput.PAIR_FLOW), read_flow),
    **dict.fromkeys((*OUTPUTS[LabelKind.OCCLUSION], LabelOutput.PAIR_OCCLUSION), read_occlusion),
    **dict.fromkeys(OUTPUTS[LabelKind.SCENE_FLOW], read_depth_exr),
    **dict.fromkeys((*OUTPUTS[LabelKind.SEGMENTATION], LabelOutput.COVERAGE), read_grey),
    LabelOutput.NORMALS: partial(read_channels, names=NORMAL),
    LabelOutput.UV: partial(read_channels, names=UV),
}


@dataclass(frozen=True)
class PairLabels:
    """The labels of frames t and t+1; each property reads its file.

    Each raises :class:`DatasetError` where the label was not made, and :class:`InputFileError` where its file is
    damaged. The head-only frame t+1 is the second frame of ``head`` labels. Occlusion maps hold 0 where the pixel's
    point is visible in the other frame, 1 where it is hidden, 2 where it has left the picture.

    :param root: the dataset's folder.
    :param metadata: the sequence.
    :param frame: t.
    """

    root: Path
    metadata: SequenceMetadata
    frame: int

    def path(self, output: LabelOutput, frame: int, later: int | None = None) -> Path:
        """A label's file; raises :class:`DatasetError` where it is not there."""
        path = self.root / label_layout(self.metadata).file(output, frame, later)
        if not path.exists():
            kind = KIND_OF[output].value
            add = f"--pairs {later - frame}" if later is not None else f"--add {kind}"
            raise DatasetError(f"it has no {kind} labels", where=path, mend=f"ffngen label {self.root} {add}")
        return path

    def _read(self, output: LabelOutput, frame: int, later: int | None = None) -> NDArray[Any]:
        """A label of the camera's size."""
        path = self.path(output, frame, later)
        array = _READERS[output](path)
        check_size(path, array.shape, self._size)
        return array

    @property
    def _size(self) -> tuple[int, int]:
        width, height = self.metadata.size
        return height, width

    @property
    def facial_backward(self) -> Flow:
        """From frame t+1 to frame t: (H, W, 2) float32, pixels, on frame t+1's pixels."""
        return self._read(LabelOutput.FACIAL_BACKWARD, self.frame + 1)

    @property
    def head_backward(self) -> Flow:
        """From the head-only frame t+1 to frame t: (H, W, 2) float32, on the head-only frame's pixels."""
        return self._read(LabelOutput.HEAD_BACKWARD, self.frame + 1)

    @property
    def facial_occlusion(self) -> Bytes:
        """(H, W) uint8: which points of frame t are not seen in frame t+1."""
        return self._read(LabelOutput.FACIAL_OCCLUSION, self.frame)

    @property
    def head_occlusion(self) -> Bytes:
        """(H, W) uint8: which points of frame t are not seen in the head-only frame t+1."""
        return self._read(LabelOutput.HEAD_OCCLUSION, self.frame)

    @property
    def facial_occlusion_backward(self) -> Bytes:
        """(H, W) uint8: which points of frame t+1 are not seen in frame t."""
        return self._read(LabelOutput.FACIAL_OCCLUSION_BACKWARD, self.frame + 1)

    @property
    def head_occlusion_backward(self) -> Bytes:
        """(H, W) uint8: which points of the head-only frame t+1 are not seen in frame t."""
        return self._read(LabelOutput.HEAD_OCCLUSION_BACKWARD, self.frame + 1)

    @property
    def facial_depth_next(self) -> Floats:
        """(H, W) float32, metres: the depth that each pixel's point has in frame t+1."""
        return self._read(LabelOutput.FACIAL_DEPTH_NEXT, self.frame)

    @property
    def head_depth_next(self) -> Floats:
        """(H, W) float32, metres: the depth that each pixel's point has in the head-only frame t+1."""
        return self._read(LabelOutput.HEAD_DEPTH_NEXT, self.frame)

    @property
    def facial_scene_flow(self) -> Floats:
        """(H, W, 3) float32, metres: how each pixel's point moves to frame t+1, each in its own camera."""
        return self._scene_flow(Output.FACIAL_FLOW, self.facial_depth_next)

    @property
    def head_scene_flow(self) -> Floats:
        """(H, W, 3) float32, metres: likewise to the head-only frame t+1."""
        return self._scene_flow(Output.HEAD_FLOW, self.head_depth_next)

    def _scene_flow(self, output: Output, depth_next: Floats) -> Floats:
        layout = self.metadata.layout
        path = self.root / layout.file(Output.DEPTH, self.frame)
        depth = read_depth_exr(path)
        check_size(path, depth.shape, self._size)
        flow = read_flow(self.root / layout.file(output, self.frame), size=self._size)
        return scene_flow(depth, flow, depth_next, self.metadata.get_camera(self.frame))

    @property
    def normals(self) -> Floats:
        """(H, W, 3) float32, unit, camera axes, of frame t; NaN beside the head."""
        return self._read(LabelOutput.NORMALS, self.frame)

    @property
    def segmentation(self) -> Bytes:
        """(H, W) uint8 of frame t: ids of :mod:`ffngen.dataset.labels.regions`, 0 beside the head."""
        return self._read(LabelOutput.FACIAL_SEGMENTATION, self.frame)

    @property
    def head_segmentation2(self) -> Bytes:
        """(H, W) uint8 of the head-only frame t+1."""
        return self._read(LabelOutput.HEAD_SEGMENTATION, self.frame + 1)

    @property
    def uv(self) -> Floats:
        """(H, W, 2) float32 of frame t: texture coordinates, u right, v up; NaN where there are none."""
        return self._read(LabelOutput.UV, self.frame)

    @property
    def landmarks(self) -> Points:
        """The landmarks and vertices of frame t."""
        return read_points(self.path(LabelOutput.FACIAL_LANDMARKS, self.frame))

    @property
    def head_landmarks2(self) -> Points:
        """The landmarks and vertices of the head-only frame t+1."""
        return read_points(self.path(LabelOutput.HEAD_LANDMARKS, self.frame + 1))

    @property
    def coverage(self) -> Bytes:
        """(H, W) uint8 of frame t: the share of each pixel's square that the head covers, 255 for all of it."""
        return self._read(LabelOutput.COVERAGE, self.frame)

    def flow_to(self, later: int) -> Flow:
        """From frame t to a later facial frame: (H, W, 2) float32, pixels."""
        if later == self.frame + 1:
            return read_flow(self.root / self.metadata.layout.file(Output.FACIAL_FLOW, self.frame), size=self._size)
        return self._read(LabelOutput.PAIR_FLOW, self.frame, later)

    def occlusion_to(self, later: int) -> Bytes:
        """(H, W) uint8: which points of frame t are not seen in a later facial frame."""
        if later == self.frame + 1:
            return self.facial_occlusion
        return self._read(LabelOutput.PAIR_OCCLUSION, self.frame, later)


def scene_flow(depth: Floats, flow: Flow, depth_next: Floats, camera: Camera) -> Floats:
    """(H, W, 3) float32, metres: from optical flow and the depths before and after, in each frame's own camera.

    :param depth: (H, W), metres.
    :param flow: (H, W, 2), pixels.
    :param depth_next: (H, W), metres.
    """
    rows, columns = np.mgrid[: camera.height, : camera.width]
    pixels = np.stack([columns, rows, np.ones_like(rows)], axis=-1).astype(np.float64)
    to_rays = np.linalg.inv(camera.K).T
    before = pixels @ to_rays * depth[..., None]
    pixels[..., :2] += flow
    return np.asarray(pixels @ to_rays * depth_next[..., None] - before, dtype=np.float32)


def disparity(depth: Floats, camera: Camera, baseline: float) -> Floats:
    """(H, W) float32, pixels: how far left of its pixel a camera ``baseline`` metres to the right sees a point.

    Of ``pair.depth`` and of ``facial_depth_next``, it gives the two disparities of stereo scene flow (KITTI 2015's
    ``disp_0`` and ``disp_1``); their difference is the change of disparity. ``d = f b / z``, Hartley and Zisserman,
    2nd edition, 11.12.

    :param depth: (H, W), metres.
    """
    return np.asarray(camera.K[0, 0] * baseline / depth, dtype=np.float32)
