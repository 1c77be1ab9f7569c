"""One face's parameters: the target that a sequence moves towards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import HeadModelError
from ffngen.head.edition import FAMILIES

#: Axis-angle triples of a pose vector, in order (FLAME's joints).
JOINTS = ("global", "neck", "jaw", "left_eye", "right_eye")


@dataclass(frozen=True)
class ParameterSet:
    """The parameters of one face with its expression.

    :param betas: (B,) float64, identity coefficients in standard deviations.
    :param expression: (E,) float64, expression coefficients of the model's own basis.
    :param pose: (15,) float64, radians, axis-angle of global, neck, jaw, left eye, right eye.
    :param family: one of :data:`ffngen.head.edition.FAMILIES`.
    :param identity: who it is; sets of one person share it, and a dataset is split by it.
    :param emotion: a label, one of :data:`ffngen.job.EMOTIONS` or the user's own word.
    :param source: where the set came from, for the record (a path, or the sampler and its seed).
    """

    betas: NDArray[np.float64]
    expression: NDArray[np.float64]
    pose: NDArray[np.float64]
    family: str
    identity: str
    emotion: str
    source: str

    def __post_init__(self) -> None:
        for name in ("betas", "expression", "pose"):
            value = np.array(getattr(self, name), dtype=np.float64)
            if value.ndim != 1:
                raise HeadModelError(f"{name} must be one vector, not of shape {value.shape}", where=self.source)
            if not np.isfinite(value).all():
                raise HeadModelError(f"{name} holds a value that is not finite", where=self.source)
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        if self.pose.shape != (15,):
            raise HeadModelError(f"pose must hold 15 numbers, not {self.pose.size}", where=self.source)
        if self.family not in FAMILIES:
            raise HeadModelError(
                f"unknown model family {self.family!r}",
                where=self.source,
                mend=f"use one of {', '.join(FAMILIES)}",
            )
