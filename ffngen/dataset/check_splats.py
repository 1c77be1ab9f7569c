"""What is asked of flow, depth and masks that Gaussians made: as good as a blend of Gaussians can be.

A blend is off where a surface bends within a Gaussian's width, and where two surfaces share a pixel. So flow and depth
are judged away from silhouettes by more than Gaussians reach, by each frame's median and by the share of pixels that
are far off; the bounds grow with motion, and with Gaussians wider than a pixel, or for depth than a millimetre.

A captured avatar's Gaussians need not lie on its head's mesh (its hair does not), so of one, only the median is asked,
and a looser one; masks and depth on the head are not compared. Nor can flow modes other than ``affine`` be so exact
where anything turns. What is seen beside the head is exact in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.arrays import SequenceVertices
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.dataset.report import Fault, Figure
from ffngen.splat.surface import FEWEST, MOST, deviations

#: Pixels: the bound on a frame's median end-point error, of Gaussians on the mesh with affine motion, and of a captured
#: avatar's and other flow modes.
FLOW_MEDIAN, LOOSE_MEDIAN = 0.05, 0.5
#: Metres, likewise for depth.
DEPTH_MEDIAN = 5e-4
#: A pixel is far off beyond so many times the bound; so large a share may be.
FAR, FAR_SHARE = 10.0, 0.05
#: Of fewer pixels, a frame is not judged; a sequence without a frame that is has not been verified.
_FEWEST = 100
#: Pixels of motion up to which the bounds hold as they are.
_MOTION = 20.0
#: So many standard deviations from a silhouette, Gaussians reach across it.
_REACH = 3.0
#: The share of the head's pixels where mask and rays may disagree away from silhouettes: gaps between Gaussians.
HOLES = 5e-3


@dataclass
class SplatCheck:
    """Gathers what the frames of one sequence show.

    :param captured: whether the Gaussians are an avatar's that was captured.
    :param width: pixels: the widest Gaussians' standard deviation, or 1 where that is unknown.
    :param millimetres: the same on the head.
    :param flow_median: pixels: the bound on a frame's median end-point error.
    """

    captured: bool
    width: float
    millimetres: float = 1.0
    flow_median: float = LOOSE_MEDIAN
    _medians: dict[Fault, list[float]] = field(default_factory=dict)
    _far: dict[Fault, list[float]] = field(default_factory=dict)
    _pixels: dict[Fault, int] = field(default_factory=dict)

    @classmethod
    def of(cls, metadata: SequenceMetadata, vertices: SequenceVertices) -> SplatCheck:
        """The check of a sequence that Gaussians made."""
        count = metadata.splat.get("gaussians")
        if metadata.is_captured or not isinstance(count, int) or not FEWEST <= count <= MOST:
            return cls(captured=True, width=1.0)
        first = vertices.facial[0]
        camera = metadata.get_camera(int(vertices.frames[0]))
        depths = camera.to_camera(first[vertices.faces].mean(axis=1))[:, 2]
        metres = deviations(first, vertices.faces, count)
        widths = metres * camera.K[0, 0] / np.maximum(depths, 1e-3)
        # Of what is seen; a collar may come close to the camera.
        width = float(np.percentile(widths[depths > 0], 98)) if (depths > 0).any() else 1.0
        return cls(
            captured=False,
            width=float(np.clip(width, 1.0, 100.0)),
            millimetres=float(np.clip(1000 * metres.max(), 1.0, 100.0)),
            flow_median=FLOW_MEDIAN if metadata.splat.get("flow_mode") == "affine" else LOOSE_MEDIAN,
        )

    def widened(self, silhouette: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The pixels that Gaussians of another surface may reach, from those of a silhouette."""
        reach = int(np.ceil(_REACH * self.width))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        return np.asarray(cv2.dilate(silhouette.astype(np.uint8), kernel) != 0)

    def add(self, fault: Fault, errors: NDArray[np.float64], motion: NDArray[np.float64] | None = None) -> None:
        """Add a frame.

        :param fault: what is wrong where these errors are too large.
        :param errors: of the pixels inside: (N,), pixels or metres.
        :param motion: (N,) pixels; None for depth.
        """
        if errors.size < _FEWEST:
            return
        if motion is None:
            errors = errors / self.millimetres
        else:
            errors = errors / (self.width * max(1.0, float(np.median(motion)) / _MOTION))
        errors = np.where(np.isnan(errors), np.inf, errors)
        bound = self._bound(fault)
        self._medians.setdefault(fault, []).append(float(np.median(errors)))
        self._far.setdefault(fault, []).append(float((errors > FAR * bound).mean()))
        self._pixels[fault] = self._pixels.get(fault, 0) + errors.size

    def _bound(self, fault: Fault) -> float:
        if fault is Fault.DEPTH:
            return DEPTH_MEDIAN
        return self.flow_median

    def figures(self, holes: int, head_pixels: int) -> list[Figure]:
        """The worst frame of each.

        :param holes: pixels, away from silhouettes, where mask and rays disagree.
        :param head_pixels: on all frames.
        """
        faults = (Fault.FACIAL_FLOW, Fault.HEAD_FLOW, *(() if self.captured else (Fault.DEPTH,)))
        found = [figure for fault in faults for figure in self.figures_of(fault)]
        if not self.captured:
            found.append(Figure(Fault.MASK, "share wrong", holes / max(head_pixels, 1), HOLES, head_pixels))
        return found

    def figures_of(self, fault: Fault) -> list[Figure]:
        """The worst frame of one."""
        unit = "m" if fault is Fault.DEPTH else "px"
        count = self._pixels.get(fault, 0)
        if not count:
            return [Figure(fault, "share with too few pixels away from edges", 1.0, 0.0, 0)]
        found = [Figure(fault, f"median {unit}", max(self._medians[fault]), self._bound(fault), count)]
        if not self.captured:
            found.append(Figure(fault, "share far off", max(self._far[fault]), FAR_SHARE, count))
        return found
