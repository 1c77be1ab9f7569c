"""An avatar on a posed head before a camera: what is seen of it, and how that moves to other poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from ffngen.engine import FlowMode
from ffngen.geometry.camera import Camera
from ffngen.splat.avatar import Avatar
from ffngen.splat.binding import Gaussians, pose, triangle_motion
from ffngen.splat.fast import blend
from ffngen.splat.flow import RayDepth, SplatMotion, ray_depth, splat_motion
from ffngen.splat.image import SplatImage, image_of
from ffngen.splat.projection import Splats, project


@dataclass(frozen=True, eq=False)
class PosedAvatar:
    """One frame; what follows from it is computed once, when it is asked for.

    :param vertices: (V, 3), metres, world.
    :param faces: (F, 3): the head's.
    """

    avatar: Avatar
    vertices: NDArray[Any]
    faces: NDArray[Any]
    camera: Camera

    @cached_property
    def gaussians(self) -> Gaussians:
        """All Gaussians; raises :class:`FfngenError` where the avatar is another head's."""
        return pose(self.avatar, self.vertices, self.faces)

    @cached_property
    def splats(self) -> Splats:
        """Those that the camera may see."""
        return project(self.gaussians, self.camera)

    @cached_property
    def rays(self) -> RayDepth:
        """Where pixels' rays meet them."""
        return ray_depth(self.splats)

    def motion_to(self, other: PosedAvatar, mode: FlowMode) -> SplatMotion:
        """What the splats say of their motion to another frame of the same avatar."""
        corners = self.faces[self.avatar.triangles]
        motion = triangle_motion(self.vertices, other.vertices, corners)
        return splat_motion(mode, self.splats, other.gaussians, motion, other.camera)

    def image(self, others: Sequence[PosedAvatar] = (), mode: FlowMode = "affine") -> SplatImage:
        """The picture, with flow to other frames of the same avatar."""
        motions = [self.motion_to(other, mode) for other in others]
        return image_of(blend(self.splats, self.rays, motions), normalised=mode != "mean-sum")
