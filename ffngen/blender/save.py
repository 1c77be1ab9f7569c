"""Saving a sequence's scene for a look in Blender's window."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Matrix

from ffngen.blender.materials import show_shadow
from ffngen.render.request import SequenceRequest

if TYPE_CHECKING:
    from ffngen.blender.scene import BlenderScene


def _animate_camera(scene: BlenderScene, request: SequenceRequest) -> None:
    """Key the camera's place in every frame, where it moves."""
    if request.poses is None:
        return
    scene.camera.rotation_mode = "QUATERNION"
    for i in range(len(request.facial)):
        scene.set_camera(request.camera_of(i))
        scene.camera.matrix_basis = scene.camera.matrix_parent_inverse
        scene.camera.keyframe_insert("location", frame=i + 1)
        scene.camera.keyframe_insert("rotation_quaternion", frame=i + 1)


def _show_background(scene: BlenderScene, shown: bool) -> None:
    """Show the plane with its picture, or a template's own background, under the name ``background``."""
    if scene.template is None:
        scene.background.hide_render = not shown
        return
    theirs = scene.template.objects["background"]
    theirs.visible_camera = shown
    # The first name first: two objects cannot have one.
    if shown:
        scene.background.name, theirs.name = "background_plane", "background"
    else:
        theirs.name, scene.background.name = "background_of_template", "background"


def save_blend(scene: BlenderScene, request: SequenceRequest, path: Path) -> None:
    """Save the scene with the whole facial motion as an animated head, textures packed.

    The process's own head keeps its three shape keys; the saved copy has one key per frame, so that
    the timeline plays the sequence at one frame each.
    """
    colour = scene.colour
    head = scene.head
    animated = bpy.data.objects.new("head_sequence", head.data.copy())
    animated.matrix_world = head.matrix_world
    colour.collection.objects.link(animated)
    animated.shape_key_clear()
    animated.shape_key_add(name="basis")
    for i, vertices in enumerate(request.facial):
        block = animated.shape_key_add(name=f"frame_{i + 1:04d}")
        block.data.foreach_set("co", np.ascontiguousarray(vertices, dtype=np.float32).ravel())
        driver = block.driver_add("value").driver
        driver.type = "SCRIPTED"
        driver.expression = f"max(0, 1 - abs(frame - {i + 1}))"
    head.hide_render = head.hide_viewport = True
    # What the scene is known by when it is used as a template: ffngen.scene.template.
    placeholder = bpy.data.objects.new("head", None)
    placeholder.hide_render = True
    colour.collection.objects.link(placeholder)
    for mesh_object in (head, animated):
        mesh_object.parent = placeholder
    shadow = scene.background.is_shadow_catcher
    show_shadow(scene.background, False)
    _show_background(scene, True)
    border, transparent = colour.render.use_border, colour.render.film_transparent
    colour.render.use_border = colour.render.film_transparent = False
    colour.frame_start, colour.frame_end = 1, len(request.facial)
    # For whoever opens it, the camera's place is the camera's own.
    camera = scene.camera
    parent, place = camera.parent, camera.matrix_parent_inverse.copy()
    camera.parent = None
    camera.matrix_basis = place
    _animate_camera(scene, request)
    bpy.ops.file.pack_all()
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, compress=True)
    colour.render.use_border, colour.render.film_transparent = border, transparent
    _show_background(scene, False)
    show_shadow(scene.background, shadow)
    camera.animation_data_clear()
    camera.matrix_basis = Matrix.Identity(4)
    camera.parent = parent
    camera.matrix_parent_inverse = place
    head.hide_render = head.hide_viewport = False
    head.parent = None
    bpy.data.objects.remove(placeholder)
    mesh = animated.data
    bpy.data.objects.remove(animated)
    bpy.data.meshes.remove(mesh)
