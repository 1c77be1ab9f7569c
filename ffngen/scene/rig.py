"""Several cameras that see the same moments: a capture rig, or the cameras of a user's file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError, JobError
from ffngen.geometry.camera import Camera
from ffngen.params.transforms import camera_of, number_of, read_frames
from ffngen.scene.framing import Framing

#: Cameras of a file beyond which it is no rig.
MOST_CAMERAS = 1000

#: Azimuth and elevation of each camera, degrees, as :class:`ffngen.scene.framing.Framing` counts them. NeRSemble's
#: (Kirschstein et al., 2023) has 16 cameras that span 93 degrees across and 32 up and down; where each of them stands
#: between is ours: two rows of five with one of six, half a step aside, between them.
_STEPS = np.linspace(-1, 1, 11)
RIGS: dict[str, tuple[tuple[float, float], ...]] = {
    "nersemble": (
        *((46.5 * step, 16.0) for step in _STEPS[1::2].tolist()),
        *((46.5 * step, 0.0) for step in _STEPS[0::2].tolist()),
        *((46.5 * step, -16.0) for step in _STEPS[1::2].tolist()),
    )
}


def is_rig_file(rig: str) -> bool:
    """Whether a rig is a file of cameras, and not one of :data:`RIGS`."""
    return rig.endswith(".json")


def rig_size(rig: str) -> int:
    """How many cameras there are.

    :param rig: one of :data:`RIGS`, or the path of a transforms.json.
    :raises JobError: no rig is named so.
    :raises InputFileError: as :func:`file_cameras`.
    """
    if is_rig_file(rig):
        return len(file_cameras(Path(rig)))
    if rig not in RIGS:
        mend = f"use one of {', '.join(RIGS)}, or the path of a transforms.json"
        raise JobError(f"no rig is named {rig[:40]!r}", where="rig", mend=mend)
    return len(RIGS[rig])


def rig_camera(rig: str, view: int, front: Camera, target: NDArray[np.float64]) -> Camera:
    """A camera of a named rig: like the one in front, turned about what it looks at.

    :param rig: one of :data:`RIGS`.
    :param view: its number.
    :param front: the camera in front of the face.
    :param target: (3,) metres, world: the middle of the head.
    """
    azimuth, elevation = np.radians(RIGS[rig][view])
    R = Framing(fill=1, max_width_fill=1, offset=(0, 0), yaw=azimuth, elevation=elevation).R_world_cam
    T = np.eye(4)
    T[:3, :3] = R
    T[:3, 3] = target - R @ front.to_camera(target[None])[0]
    return front.moved(T)


@lru_cache(maxsize=4)
def file_cameras(path: Path) -> tuple[Camera, ...]:
    """The cameras of a transforms.json of VHAP's and GaussianAvatars' kind, by ``camera_index`` or in their order.

    Frames of other moments show the cameras again; each counts once.

    :raises InputFileError: as :func:`ffngen.params.transforms.read_frames`, or there are too many.
    """
    found: dict[object, Camera] = {}
    for frame in read_frames(path):
        camera = camera_of(frame, path, opengl=True)
        name = number_of(frame, "camera_index")
        if name is None:
            name = frame.get("camera_id") if isinstance(frame.get("camera_id"), str) else None
        key: object = name if name is not None else (camera.T_world_cam.tobytes(), camera.K.tobytes())
        found.setdefault(key, camera)
        if len(found) > MOST_CAMERAS:
            raise InputFileError(f"has more than {MOST_CAMERAS} cameras", where=path, mend="give a rig's cameras alone")
    if all(isinstance(key, int) for key in found):
        return tuple(found[key] for key in sorted(found))  # type: ignore[type-var]
    return tuple(found.values())
