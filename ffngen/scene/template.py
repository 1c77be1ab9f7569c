"""Scenes that were built in Blender: what a .blend must hold, and what ffngen takes from it.

======================  ================================================================================
object                  what it is
======================  ================================================================================
``head``                any object: where the head stands. Its origin is the head's (between the ears, see
                        ``ffngen head info``), its -y is where the face looks, z is up. It is not rendered,
                        and neither are its children.
``camera``              a perspective camera; its lens, shift, place and depth of field are used.
``background``          what is seen behind the head: flat, facing the camera, and filling the picture.
``key_light``           a lamp. All other lamps and the world light the scene as well.
======================  ================================================================================

Other objects throw shadows and reflect light, and the camera does not see them, as nothing may hide the head.
Scripts in the file are never run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ffngen.errors import InputFileError
from ffngen.geometry.camera import Camera

#: The objects that must be there.
NAMES = ("head", "camera", "background", "key_light")

#: How far the background may be turned from the camera, degrees.
MOST_TURN = 0.5


@dataclass(frozen=True)
class SceneTemplate:
    """What is taken from a .blend; lengths in metres, places relative to its ``head``.

    :param path: the file.
    :param sha256: of its content.
    :param seen: what the render process saw in it (:func:`ffngen.blender.template.inspect`).
    """

    path: Path
    sha256: str
    seen: Mapping[str, Any]

    @property
    def background_depth(self) -> float:
        """Along the camera's axis."""
        return float(self.seen["background"]["depth"])

    @property
    def lens(self) -> tuple[float, float]:
        """The opening's diameter, 0 without depth of field, and the distance that is in focus."""
        return float(self.seen["camera"]["aperture"]), float(self.seen["camera"]["focus"])

    def camera(self, width: int, height: int) -> Camera:
        """The camera for images of a size; the lens fits their width or height as Blender would fit it."""
        seen = self.seen["camera"]
        fit = seen["fit"]
        along_width = width >= height if fit == "AUTO" else fit == "HORIZONTAL"
        pixels = width if along_width else height
        sensor = seen["sensor_height"] if fit == "VERTICAL" else seen["sensor_width"]
        focal = seen["lens"] / sensor * pixels
        cx = (width - 1) / 2 - seen["shift_x"] * pixels
        cy = (height - 1) / 2 + seen["shift_y"] * pixels
        K = np.array([[focal, 0, cx], [0, focal, cy], [0, 0, 1]])
        return Camera(K, np.array(seen["T_world_cam"]), width, height)


def checked_template(path: Path, sha256: str, seen: Mapping[str, Any]) -> SceneTemplate:
    """The template of a file; raises :class:`InputFileError` with all its faults in one line."""
    kinds = seen["kinds"]
    faults = [f"it has no object {name!r}" for name in NAMES if name not in kinds]
    for name, kind in (("camera", "CAMERA"), ("key_light", "LIGHT"), ("background", "MESH")):
        if name in kinds and kinds[name] != kind:
            faults.append(f"{name!r} is a {kinds[name].lower()}, not a {kind.lower()}")
    if "head" in kinds and seen["head_scale"] > 1e-3:
        faults.append("'head' is scaled or sheared: apply its scale")
    camera, background = seen.get("camera"), seen.get("background")
    if camera is not None and camera["type"] != "PERSP":
        faults.append("'camera' is not a perspective camera")
    if background is not None:
        if background["turn_degrees"] > MOST_TURN:
            faults.append(f"'background' is turned {background['turn_degrees']:.1f} degrees from facing the camera")
        if background["thickness"] > 1e-3 * max(background["depth"], 0.0):
            faults.append("'background' is not flat, or not before the camera")
    if faults:
        raise InputFileError(
            "; ".join(faults), where=path, mend="see 'Scenes' in the README for what a .blend must hold"
        )
    return SceneTemplate(path, sha256, seen)
