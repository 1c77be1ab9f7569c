"""The user's .blend as a scene: looked at, and loaded beside the head.

Files are appended, never opened: Blender runs no script of theirs, and the settings of this process stay its own.
:mod:`ffngen.scene.template` says what a file must hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ffngen.blender.frames import T_BLENDER_WORLD
from ffngen.scene.template import NAMES

_FLIP = np.diag([1.0, -1.0, -1.0, 1.0])
#: Objects that have a shape, and so throw shadows.
_SHAPES = ("MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD")


class Template:
    """The objects of a .blend's scene: of the one, where there are several, that has most of the names.

    :param path: the file.
    :param objects: by their names in the file.
    :param matrices: (4, 4), by the same names: where they are, in the file's own coordinates.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        bpy.context.preferences.filepaths.use_scripts_auto_execute = False
        before = set(_all_data())
        with bpy.data.libraries.load(path, link=False) as (source, target):
            names = list(source.objects)
            target.scenes = list(source.scenes)
            target.objects = list(names)
        found = {name: thing for name, thing in zip(names, target.objects, strict=True) if thing is not None}
        scenes = [scene for scene in target.scenes if scene is not None]
        if not scenes:
            raise ValueError("it has no scene")
        wanted = {found[name] for name in NAMES if name in found}
        self.scene = max(scenes, key=lambda scene: len(wanted & set(scene.objects)))
        self.scene.view_layers[0].update()
        inside = set(self.scene.objects)
        self.objects = {name: thing for name, thing in found.items() if thing in inside}
        self._data = [block for block in _all_data() if block not in before and block not in scenes]
        self._others = [scene for scene in scenes if scene != self.scene]
        self.matrices = {name: np.array(o.matrix_world) for name, o in self.objects.items()}

    def placed(self, name: str) -> NDArray[np.float64]:
        """(4, 4): where an object is when the file's head stands where ffngen's does, in Blender's frame."""
        matrix: NDArray[np.float64] = np.linalg.inv(_rigid(self.matrices["head"])) @ self.matrices[name]
        return matrix

    def remove(self) -> None:
        """Take all of it out of this process."""
        self.remove_scene()
        bpy.data.batch_remove(self._data)
        self._data = []

    def remove_scene(self) -> None:
        """Take the file's scene out of this process; its objects and its world stay."""
        for scene in (*self._others, self.scene):
            if scene is not None:
                bpy.data.scenes.remove(scene)
        self._others, self.scene = [], None


def inspect(path: Path) -> dict[str, Any]:
    """What a .blend holds of what :mod:`ffngen.scene.template` wants, JSON-ready.

    :raises Exception: whatever Blender raises of a file that it cannot read.
    """
    template = Template(str(path))
    objects, matrices = template.objects, template.matrices
    seen: dict[str, Any] = {"kinds": {name: o.type for name, o in objects.items()}}
    if "head" in objects:
        R = matrices["head"][:3, :3]
        seen["head_scale"] = float(np.abs(R.T @ R - np.eye(3)).max())
        if "camera" in objects and objects["camera"].type == "CAMERA":
            seen["camera"] = _camera(template)
            if "background" in objects and objects["background"].type == "MESH":
                seen["background"] = _background(template)
    template.remove()
    return seen


def _all_data() -> list[Any]:
    """Every block of data in this process."""
    collections = [p.identifier for p in bpy.data.bl_rna.properties if p.type == "COLLECTION"]
    return [block for name in collections for block in getattr(bpy.data, name)]


def _rigid(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A transform without its scale."""
    result = matrix.copy()
    result[:3, :3] /= np.linalg.norm(matrix[:3, :3], axis=0)
    return result


def _camera(template: Template) -> dict[str, Any]:
    data = template.objects["camera"].data
    T = np.linalg.inv(T_BLENDER_WORLD) @ _rigid(template.placed("camera")) @ _FLIP
    return {
        "type": data.type,
        "lens": data.lens,
        "fit": data.sensor_fit,
        "sensor_width": data.sensor_width,
        "sensor_height": data.sensor_height,
        "shift_x": data.shift_x,
        "shift_y": data.shift_y,
        "aperture": data.lens / 1000 / data.dof.aperture_fstop if data.dof.use_dof else 0.0,
        "focus": data.dof.focus_distance,
        "T_world_cam": T.tolist(),
    }


def _background(template: Template) -> dict[str, Any]:
    """Depth along the camera's axis, the angle to it, and how thick the mesh is along its normal."""
    thing = template.objects["background"]
    mesh = thing.data
    co = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", co)
    M = template.matrices["background"]
    points = co.reshape(-1, 3).astype(np.float64) @ M[:3, :3].T + M[:3, 3]
    camera = _rigid(template.matrices["camera"])
    axis = -camera[:3, 2]
    depths = (points - camera[:3, 3]) @ axis
    centred = points - points.mean(axis=0)
    # The direction in which the points differ least is the plane's normal.
    _, spread, directions = np.linalg.svd(centred, full_matrices=True)
    turn = float(np.degrees(np.arccos(min(1.0, abs(float(directions[2] @ axis))))))
    thickness = float(np.ptp(centred @ directions[2])) if len(spread) == 3 else 0.0
    return {"depth": float(depths.mean()), "turn_degrees": turn, "thickness": thickness}


def place(template: Template, scene: Any) -> None:
    """Put a template's objects and its world into a scene, round the head."""
    hidden = _below(template.objects["head"])
    for name, thing in template.objects.items():
        matrix = template.placed(name)
        thing.constraints.clear()
        thing.animation_data_clear()
        thing.parent = None
        thing.matrix_world = Matrix(matrix.tolist())
        if thing in hidden or thing.hide_render or thing.type not in (*_SHAPES, "LIGHT"):
            continue
        if thing.type in _SHAPES:
            # Nothing may stand before the head; the background is rendered by itself.
            thing.visible_camera = False
        scene.collection.objects.link(thing)
    if template.scene.world is not None:
        scene.world = template.scene.world
    template.remove_scene()


def _below(thing: Any) -> set[Any]:
    """An object and all its children."""
    return {thing, *thing.children_recursive}
