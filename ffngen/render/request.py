"""What a render process is asked for, and where it puts the answer: one sequence, as plain data.

A request is a folder that the parent writes and the process reads::

    request.json     camera, light, materials, frames, settings
    arrays.npz       vertices of every frame, faces, texture coordinates, material of each face
    atlas.png        the texture of the whole head
    background.png   the picture on the plane behind it
    raw/             written by the process: one EXR file per pass, named by :class:`RawPass`

Conventions: CONVENTIONS.md.
"""

from __future__ import annotations

import io
import json
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.engine import FlowMode
from ffngen.geometry.camera import Camera
from ffngen.geometry.plane import FacingPlane

#: A plane that moves by more pixels during an exposure is shown at so many moments.
_MOST_MOMENTS = 48

#: Materials of the faces of a head and of what it wears, by index.
MATERIALS = ("skin", "eye", "mouth", "teeth", "hair", "frame", "lens", "cloth")

#: Those whose colour is the atlas; the others' is the vertices' own.
TEXTURED = ("skin", "eye", "mouth", "teeth")


class RawPass(Enum):
    """What a render process renders; the value names its files."""

    FACIAL_COLOUR = "facial_colour"
    HEAD_COLOUR = "head_colour"
    TRUTH = "truth"
    BACKPLATE = "backplate"

    def path(self, folder: Path, frame: int) -> Path:
        """The raw file of this pass for the ``frame``-th of its frames (0 is the first facial frame)."""
        return folder / "raw" / f"{self.value}_{frame:05d}.exr"


@dataclass(frozen=True)
class Crop:
    """A rectangle of pixels: columns x0 to x1 - 1, rows y0 to y1 - 1, from the top left."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the rectangle in an (H, W, ...) array."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def is_empty(self) -> bool:
        """Whether it holds no pixel."""
        return self.x1 <= self.x0 or self.y1 <= self.y0


def crop_around(camera: Camera, vertices: NDArray[np.float32], margin: int) -> Crop:
    """The rectangle that the vertices (V, 3) cover in the image, widened by ``margin`` pixels.

    Cycles renders this rectangle alone: outside it the picture is the stationary background. A head
    that reaches behind the camera covers the whole image.
    """
    pixels, depth = camera.project(vertices)
    if depth.min() <= 1e-3:
        return Crop(0, 0, camera.width, camera.height)
    low = np.floor(pixels.min(axis=0)) - margin
    high = np.ceil(pixels.max(axis=0)) + margin + 1
    size = (camera.width, camera.height)
    x0, y0 = (int(np.clip(low[i], 0, size[i])) for i in range(2))
    x1, y1 = (int(np.clip(high[i], 0, size[i])) for i in range(2))
    return Crop(x0, y0, x1, y1)


@dataclass(frozen=True)
class Settings:
    """How colour is rendered.

    :param samples: Cycles samples per pixel.
    :param denoise: whether OpenImageDenoise cleans the picture.
    :param colour_seeds: one Cycles seed for each facial frame, then one for each head-only frame.
    :param aperture: metres, the diameter of the lens's opening; 0 for a pinhole.
    :param focus: metres along the optical axis.
    :param shutter: how long it is open round each frame's moment, as a share of the time from frame to frame.
    :param shadow: whether the background plane shows the head's shadow.
    """

    samples: int
    denoise: bool
    colour_seeds: tuple[int, ...]
    aperture: float = 0.0
    focus: float = 1.0
    shutter: float = 0.0
    shadow: bool = False


@dataclass(frozen=True)
class SplatSettings:
    """How Gaussians make a picture (:mod:`ffngen.splat`).

    :param gaussians: how many lie on the head and what it wears, where there is no avatar.
    :param flow_mode: what they say of the motion of the pixels that they cover.
    :param seed: of where they lie.
    :param avatar: path of a point cloud whose Gaussians are bound to the head's faces; None for none.
    """

    gaussians: int
    flow_mode: FlowMode
    seed: int
    avatar: str | None = None


@dataclass(frozen=True)
class SequenceRequest:
    """One sequence to render.

    :param camera: the camera; where it moves, the view that the background plane faces.
    :param poses: (N, 4, 4) float64: the camera's ``T_world_cam`` in each facial frame, and in the head-only frame of
        its number; None where it stands still.
    :param background_depth: metres along the optical axis of ``camera`` to the stationary background plane.
    :param background_margin: (x, y) pixels by which the plane's picture reaches beyond the view of ``camera``.
    :param facial: (N, V, 3) float32, metres, world: the facial frames.
    :param head: (N-1, V, 3) float32: head-only frames; ``head[i]`` follows ``facial[i]``.
    :param faces: (F, 3) int32.
    :param uv_coordinates: (T, 2) float32, v up.
    :param uv_faces: (F, 3) int32 into ``uv_coordinates``.
    :param face_materials: (F,) uint8, indices into :data:`MATERIALS`.
    :param tints: (V, 3) float32, linear light: the colours of vertices whose material has no texture.
    :param environment: path of the equirectangular EXR that lights the scene.
    :param appearance: lighting and materials, JSON-ready, as ``ffngen.appearance`` describes them.
    :param settings: how colour is rendered.
    :param template: path of the .blend that gives lamps, world and background (:mod:`ffngen.scene.template`); None for
        those of ``appearance``, ``environment`` and ``background.png``.
    :param splat: where Gaussians make the picture; None where Cycles does.
    """

    camera: Camera
    background_depth: float
    facial: NDArray[np.float32]
    head: NDArray[np.float32]
    faces: NDArray[np.int32]
    uv_coordinates: NDArray[np.float32]
    uv_faces: NDArray[np.int32]
    face_materials: NDArray[np.uint8]
    tints: NDArray[np.float32]
    environment: str
    appearance: dict[str, Any]
    settings: Settings
    template: str | None = None
    poses: NDArray[np.float64] | None = None
    background_margin: tuple[int, int] = (0, 0)
    splat: SplatSettings | None = None

    def camera_of(self, index: int) -> Camera:
        """The camera of the ``index``-th facial frame (0 is the first)."""
        return self.camera if self.poses is None else self.camera.moved(self.poses[index])

    def camera_at(self, time: float) -> Camera:
        """The camera between facial frames, and beyond the first and the last as it moves next to them."""
        if self.poses is None:
            return self.camera
        if time in range(len(self.poses)):
            return self.camera_of(int(time))
        index = int(np.clip(np.floor(time), 0, len(self.poses) - 2))
        step = self.camera_of(index).T_cam_world @ self.poses[index + 1]
        part = np.eye(4)
        part[:3, :3] = cv2.Rodrigues(cv2.Rodrigues(step[:3, :3])[0] * (time - index))[0]
        part[:3, 3] = step[:3, 3] * (time - index)
        return self.camera.moved(self.poses[index] @ part)

    def exposure_times(self, index: int) -> list[float]:
        """Moments of a frame's exposure, dense enough that the plane moves by less than a pixel between them."""
        shutter = self.settings.shutter
        first, last = index - shutter / 2, index + shutter / 2
        motion = self.background.flow(self.camera_at(first), self.camera_at(last))
        steps = min(_MOST_MOMENTS, int(np.ceil(np.abs(motion).max())) + 1)
        if shutter == 0 or steps == 1:
            return [float(index)]
        # The middles of equal parts of the exposure.
        return [first + shutter * (step + 0.5) / steps for step in range(steps)]

    @property
    def background(self) -> FacingPlane:
        """The plane behind the head."""
        return FacingPlane(self.camera, self.background_depth)

    def write(self, folder: Path, atlas_png: bytes, background_png: bytes) -> None:
        """Write the request to ``folder``, which must exist; the process finds everything there."""
        (folder / "raw").mkdir(exist_ok=True)
        (folder / "atlas.png").write_bytes(atlas_png)
        (folder / "background.png").write_bytes(background_png)
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        # Where the disk is full, an archive that is written piece by piece complains once more when it is thrown away.
        content = io.BytesIO()
        np.savez(content, **arrays)
        (folder / "arrays.npz").write_bytes(content.getbuffer())
        data = {
            "camera": self.camera.to_json(),
            "poses": None if self.poses is None else self.poses.tolist(),
            "background_margin": self.background_margin,
            "background_depth": self.background_depth,
            "environment": self.environment,
            "template": self.template,
            "appearance": self.appearance,
            "settings": asdict(self.settings),
            "splat": None if self.splat is None else asdict(self.splat),
        }
        (folder / "request.json").write_text(json.dumps(data), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> SequenceRequest:
        """The request that :meth:`write` wrote to ``folder``."""
        data = json.loads((folder / "request.json").read_text(encoding="utf-8"))
        settings = data["settings"]
        with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
            return cls(
                camera=Camera.from_json(data["camera"]),
                poses=None if data["poses"] is None else np.array(data["poses"], dtype=np.float64),
                background_margin=tuple(data["background_margin"]),
                background_depth=data["background_depth"],
                environment=data["environment"],
                template=data["template"],
                appearance=data["appearance"],
                settings=Settings(**{**settings, "colour_seeds": tuple(settings["colour_seeds"])}),
                splat=None if data["splat"] is None else SplatSettings(**data["splat"]),
                **{name: arrays[name] for name in _ARRAYS},
            )


_ARRAYS = ("facial", "head", "faces", "uv_coordinates", "uv_faces", "face_materials", "tints")
