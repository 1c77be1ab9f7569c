"""One face's parameters, and where a tracker saw it: the target of a motion, or a frame of one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import HeadModelError
from ffngen.geometry.camera import Camera
from ffngen.head.edition import FAMILIES

#: Axis-angle triples of a pose vector, in order (FLAME's joints).
JOINTS = ("global", "neck", "jaw", "left_eye", "right_eye")


@dataclass(frozen=True, eq=False)
class ParameterSet:
    """The parameters of one face with its expression.

    :param betas: (B,) float64, identity coefficients in standard deviations.
    :param expression: (E,) float64, expression coefficients of the model's own basis.
    :param pose: (15,) float64, radians, axis-angle of global, neck, jaw, left eye, right eye. All turn about the
        model's joints, the global one about the root joint.
    :param family: one of :data:`ffngen.head.edition.FAMILIES`.
    :param identity: who it is; sets of one person share it, and a dataset is split by it.
    :param emotion: a label, one of :data:`ffngen.job.EMOTIONS` or the user's own word.
    :param source: where the set came from, for the record (a path, or the sampler and its seed).
    :param translation: (3,) float64, metres, added to the posed vertices.
    :param eyelids: (2,) float64, how far the left and the right lid are closed by the trackers' eyelid blendshapes.
    :param eyelid_turn: (3,) float64, radians, axis-angle: how the eyelids' displacement is turned, where the head has
        taken over a camera's motion.
    :param static_offset: (V, 3) float32, metres, added to the identity's neutral face, or None. Sets of one person
        share one array.
    :param dynamic_offset: (V, 3) float32, metres, added to this frame's face before it is posed, or None.
    :param texture: (K,) float64, coefficients of a linear model of FLAME's texture, in standard deviations
        (:mod:`ffngen.appearance.albedo`), or None where the tracker has none.
    :param camera: the camera that saw it, in the world of the posed vertices, or None where the tracker has none.
    :param track: the video that it is a frame of; sets of one track are frames of one motion. None for a photo.
    :param frame: its number in the track.
    :param fps: frames per second of the track, or None where the tracker does not say.
    :param image: the picture that it was tracked in, or None.
    """

    betas: NDArray[np.float64]
    expression: NDArray[np.float64]
    pose: NDArray[np.float64]
    family: str
    identity: str
    emotion: str
    source: str
    translation: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    eyelids: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    eyelid_turn: NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    static_offset: NDArray[np.float32] | None = None
    dynamic_offset: NDArray[np.float32] | None = None
    texture: NDArray[np.float64] | None = None
    camera: Camera | None = None
    track: str | None = None
    frame: int | None = None
    fps: float | None = None
    image: str | None = None

    def __post_init__(self) -> None:
        for name in ("betas", "expression", "pose", "translation", "eyelids", "eyelid_turn"):
            value = np.array(getattr(self, name), dtype=np.float64)
            if value.ndim != 1:
                raise HeadModelError(f"{name} must be one vector, not of shape {value.shape}", where=self.source)
            self._keep(name, value)
        if self.texture is not None:
            texture = np.array(self.texture, dtype=np.float64)
            if texture.ndim != 1:
                raise HeadModelError(f"texture must be one vector, not of shape {texture.shape}", where=self.source)
            self._keep("texture", texture)
        for name in ("static_offset", "dynamic_offset"):
            offset = getattr(self, name)
            if offset is not None:
                offset = np.asarray(offset, dtype=np.float32)
                if offset.ndim != 2 or offset.shape[1] != 3:
                    raise HeadModelError(f"{name} must be (V, 3), not {offset.shape}", where=self.source)
                self._keep(name, offset)
        for name, size in (("pose", 15), ("translation", 3), ("eyelids", 2), ("eyelid_turn", 3)):
            if len(getattr(self, name)) != size:
                what = f"{name} must hold {size} numbers, not {len(getattr(self, name))}"
                raise HeadModelError(what, where=self.source)
        if self.family not in FAMILIES:
            raise HeadModelError(
                f"unknown model family {self.family!r}",
                where=self.source,
                mend=f"use one of {', '.join(FAMILIES)}",
            )
        if (self.track is None) != (self.frame is None):
            raise HeadModelError("a frame has a number and a track, or neither", where=self.source)
        if self.fps is not None and not 0 < self.fps < 1e5:
            raise HeadModelError(f"{self.fps:g} frames per second", where=self.source, mend="state a rate above 0")

    def _keep(self, name: str, value: NDArray[Any]) -> None:
        if not np.isfinite(value).all():
            raise HeadModelError(f"{name} holds a value that is not finite", where=self.source)
        value.setflags(write=False)
        object.__setattr__(self, name, value)
