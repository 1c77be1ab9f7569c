"""What verifying a dataset found, as plain values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import FfngenError


class Fault(StrEnum):
    """The name of each kind of failure."""

    EMPTY = "empty"
    METADATA = "metadata"
    MANIFEST = "manifest"
    MIXED_JOBS = "mixed-jobs"
    SPLIT_LEAK = "split-leak"
    FILE_LIST = "file-list"
    MISSING_FILE = "missing-file"
    STRAY_FILE = "stray-file"
    FILE_SIZE = "file-size"
    DIGEST = "digest"
    UNREADABLE = "unreadable-file"
    IMAGE_SIZE = "image-size"
    GEOMETRY = "geometry"
    FACIAL_FLOW = "facial-flow"
    HEAD_FLOW = "head-flow"
    BACKGROUND_FLOW = "background-flow"
    OUTSIDE_FLOW = "flow-outside-mask"
    SILHOUETTE = "silhouette"
    DEPTH = "depth"
    BACKGROUND_DEPTH = "background-depth"
    MASK = "mask"
    LABEL_RECORD = "label-record"
    BACKWARD_FLOW = "backward-flow"
    FORWARD_BACKWARD = "forward-backward"
    OCCLUSION = "occlusion"
    HIDDEN = "occlusion-hidden"
    SCENE_FLOW = "scene-flow"
    NORMALS = "normals"
    SEGMENTATION = "segmentation"
    UV = "uv"
    LANDMARKS = "landmarks"
    LANDMARK_VISIBILITY = "landmark-visibility"
    LANDMARKS_ON_UV = "landmarks-on-uv"
    COVERAGE = "coverage"
    PAIR_FLOW = "pair-flow"
    IMAGE_MOTION = "image-motion"
    IMAGE_EXCHANGE = "image-exchange"
    IMAGE_BACKGROUND = "image-background"


@dataclass(frozen=True)
class Failure:
    """One failure: its name, the path (from the root) or the value that has it, and one line that explains it."""

    fault: Fault
    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.fault.value}: {self.where}: {self.message}"


def unreadable(root: Path, error: FfngenError) -> Failure:
    """The failure of a file of the dataset in ``root`` that cannot be read."""
    path = Path(error.where or root)
    where = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return Failure(Fault.UNREADABLE, where, error.what)


@dataclass(frozen=True)
class ErrorSummary:
    """Mean, 99th percentile and maximum of an error over ``pixels`` pixels; all 0 where there is no pixel."""

    mean: float
    p99: float
    max: float
    pixels: int


@dataclass
class ErrorPool:
    """Gathers the errors of many frames; a value that is not a number counts as infinite."""

    _parts: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, errors: NDArray[Any]) -> None:
        """Add errors of any shape."""
        self._parts.append(np.where(np.isnan(errors), np.inf, np.abs(errors)).astype(np.float32).ravel())

    def share_above(self, bound: float) -> float:
        """The share of the errors that exceed a bound."""
        errors = self._all()
        return float((errors > bound).mean()) if errors.size else 0.0

    def summary(self) -> ErrorSummary:
        """The errors so far."""
        errors = self._all()
        if errors.size == 0:
            return ErrorSummary(0.0, 0.0, 0.0, 0)
        # The higher neighbour, so that one infinite error does not turn into "not a number" by interpolation.
        p99 = float(np.percentile(errors, 99, method="higher"))
        return ErrorSummary(float(errors.mean(dtype=np.float64)), p99, float(errors.max()), errors.size)

    def _all(self) -> NDArray[np.float32]:
        return np.concatenate(self._parts) if self._parts else np.zeros(0, dtype=np.float32)


@dataclass(frozen=True)
class SequenceImages:
    """How alike a sequence's images are on the head, as mean structural similarity (SSIM) of luma.

    :param facial_ssim: facial image t and facial image t+1 warped back by the facial flow; None where no pair could be
        compared.
    :param head_ssim: facial image t and head-only image t+1 warped back by the head flow.
    :param still_ssim: facial images t and t+1 as they are.
    """

    facial_ssim: float | None
    head_ssim: float | None
    still_ssim: float | None


@dataclass(frozen=True)
class Figure:
    """One figure about a sequence.

    :param fault: what it is a fault of when it exceeds its bound.
    :param what: which figure, and its unit.
    :param value: the figure.
    :param bound: the largest that passes.
    :param count: of how many pixels or points.
    """

    fault: Fault
    what: str
    value: float
    bound: float
    count: int


def judge(sequence: str, figures: list[Figure]) -> list[Failure]:
    """A failure for each figure that exceeds its bound."""
    return [
        Failure(one.fault, sequence, f"{one.what} {one.value:.3g} of {one.count}; the bound is {one.bound:g}")
        for one in figures
        if not one.value <= one.bound
    ]


@dataclass(frozen=True)
class SequenceTruth:
    """One sequence against its stored geometry; flow errors in pixels (end-point errors), depth errors in metres.

    :param facial_flow: inside: on the head, without the silhouette.
    :param head_flow: inside.
    :param facial_silhouette: on the silhouette.
    :param head_silhouette: on the silhouette.
    :param silhouette_fraction: the silhouette's share of the head's pixels.
    :param silhouette_wrong: the share of silhouette pixels whose flow error exceeds the bound for inside pixels.
    :param silhouette_mask_wrong: the pixels where the mask and the rays disagree, as a share of the silhouette's
        number.
    :param depth: inside.
    :param background_depth: beside the head, without the silhouette.
    :param mask_disagreement: pixels, on all frames, where the mask and the rays disagree.
    :param mask_disagreement_inside: those of them that do not lie on the silhouette.
    :param background_flow: outside the mask, against the plane's flow; no pixels where the camera stands still.
    :param outside_wrong: pixels outside the mask whose facial and head flow are not the same, or, where the camera
        stands still, not exactly 0.
    :param figures: of a sequence that Gaussians made, what is asked of it in place of the errors above; else empty.
    """

    sequence: str
    pairs: int
    facial_flow: ErrorSummary
    head_flow: ErrorSummary
    facial_silhouette: ErrorSummary
    head_silhouette: ErrorSummary
    silhouette_fraction: float
    silhouette_wrong: float
    silhouette_mask_wrong: float
    depth: ErrorSummary
    background_depth: ErrorSummary
    mask_disagreement: int
    mask_disagreement_inside: int
    background_flow: ErrorSummary
    outside_wrong: int
    images: SequenceImages
    figures: list[Figure] = field(default_factory=list)


@dataclass(frozen=True)
class LabelTruth:
    """One sequence's labels against its stored geometry."""

    sequence: str
    figures: list[Figure]


@dataclass(frozen=True)
class VerifyReport:
    """All that was found.

    :param root: the dataset's folder.
    :param sequences: how many are complete.
    :param pairs: image pairs in them.
    :param truths: one per sequence whose flow was recomputed.
    :param failures: empty when the dataset is sound.
    :param labels: one per sequence whose labels were recomputed.
    """

    root: str
    sequences: int
    pairs: int
    truths: list[SequenceTruth]
    failures: list[Failure]
    labels: list[LabelTruth] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether there is no failure."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form. Infinite errors are null there, as JSON has no infinity."""
        data: dict[str, Any] = _finite(asdict(self))
        return {"passed": self.passed, **data}


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
