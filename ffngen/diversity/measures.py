"""What is measured of one sequence, as plain values that a cache can keep."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ffngen.diversity.flow_lengths import BINS, FlowLengths

Triple = tuple[float, float, float]


class _Values(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Lengths(_Values):
    """A :class:`FlowLengths`, without its empty bins."""

    counts: dict[Annotated[int, Field(ge=0, lt=BINS)], Annotated[int, Field(ge=0)]]
    total: Annotated[float, Field(ge=0)]
    longest: Annotated[float, Field(ge=0)]

    @classmethod
    def of(cls, lengths: FlowLengths) -> Lengths:
        """The values of a histogram."""
        counts = {int(i): int(lengths.counts[i]) for i in np.flatnonzero(lengths.counts)}
        return cls(counts=counts, total=lengths.total, longest=lengths.longest)

    def histogram(self) -> FlowLengths:
        """The histogram."""
        lengths = FlowLengths(total=self.total, longest=self.longest)
        for place, count in self.counts.items():
            lengths.counts[place] = count
        return lengths


class FrameMeasures(_Values):
    """One facial frame; None for what could not be measured.

    :param frame: its number.
    :param found: which of dlib's detectors finds the face (:class:`ffngen.diversity.dlib_faces.DlibFaces`), or ``no``.
    :param landmark_errors: (68,) distances of its landmarks from ours, over the distance of the outer eye corners.
    :param identity: the face-recognition embedding.
    :param expression: the expression network's feature.
    :param skin: the median linear sRGB of the skin's pixels.
    :param pose: yaw, pitch, roll in degrees (:func:`ffngen.diversity.head_pose.seen_angles`).
    :param light: from the right, from above, brightness (:class:`ffngen.diversity.light.SeenLight`).
    """

    frame: int
    found: Literal["hog", "cnn", "no"] | None
    landmark_errors: tuple[float, ...] | None
    identity: tuple[float, ...] | None
    expression: tuple[float, ...] | None
    skin: Triple | None
    pose: Triple | None
    light: Triple | None


class SequenceMeasures(_Values):
    """One sequence.

    :param sequence: split, emotion and name.
    :param n_frames: the n of the motion scale 1/n; 0 for motion that a tracker saw.
    :param parameters: the expression coefficients and the jaw's rotation that it moves towards.
    :param hdri: which surroundings light it, where the scene says so.
    :param albedo: the linear sRGB of its texture's skin, where it is known.
    :param flow: flow (facial, head, expression) -> area (``head`` for all of it, or a region) -> lengths.
    """

    sequence: str
    emotion: str
    identity: str
    n_frames: int
    parameters: tuple[float, ...]
    hdri: str | None
    albedo: Triple | None
    flow: dict[str, dict[str, Lengths]]
    frames: tuple[FrameMeasures, ...]
