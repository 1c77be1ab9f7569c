"""The Blender objects of a render process, made once and updated from sequence to sequence.

Two Blender scenes share the head: ``colour`` (lights, world, materials) and ``truth`` (one sample,
a flat material that carries motion flags). Blender keeps the Cycles session of the one rendered last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from ffngen.blender import devices, lights, materials, passes
from ffngen.blender.frames import T_BLENDER_WORLD, blender_camera_matrix
from ffngen.blender.template import Template, place
from ffngen.geometry.camera import Camera
from ffngen.render.request import MATERIALS, Crop, SequenceRequest, Settings

#: Point attribute: (facial frame moves, head-only frame moves, the two differ), 1 or 0 per vertex.
MOTION_FLAGS = "motion_flags"


@dataclass(frozen=True)
class Exposure:
    """The head while the shutter is open: vertices (V, 3) float32, metres, as the frame's camera sees them.

    :param current: at the frame's moment.
    :param following: one frame later.
    :param previous: one frame earlier.
    """

    current: NDArray[np.float32]
    following: NDArray[np.float32]
    previous: NDArray[np.float32]


class BlenderScene:
    """Everything that Blender holds for one render process."""

    def __init__(self, kind: str, device_index: int) -> None:
        bpy.ops.wm.read_factory_settings(use_empty=True)
        device = devices.select(kind, device_index)
        self.colour = bpy.context.scene
        self.colour.name = "colour"
        self.truth = bpy.data.scenes.new("truth")
        passes.configure_colour(self.colour, device)
        passes.configure_truth(self.truth)
        self.camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        self.camera.parent = bpy.data.objects.new("camera_place", None)
        for scene in (self.colour, self.truth):
            scene.collection.objects.link(self.camera.parent)
            scene.collection.objects.link(self.camera)
            scene.camera = self.camera
        self.materials = materials.make_materials()
        self.background = materials.make_background_plane(self.colour)
        self.world = lights.make_world(self.colour)
        self.lamps: list[Any] = []
        self.head: Any = None
        self._topology: tuple[bytes, ...] = ()
        self._has_depth_of_field = False
        self.template: Template | None = None

    def set_threads(self, threads: int) -> None:
        """How many CPU threads Cycles and the denoiser use."""
        for scene in (self.colour, self.truth):
            if scene.render.threads != threads:
                scene.render.threads = threads

    def load(self, request: SequenceRequest, folder: Path) -> None:
        """Prepare a sequence: topology where it is new, camera, light, materials."""
        self._set_topology(request)
        self.set_camera(request.camera)
        appearance = request.appearance
        materials.update_materials(self.materials, appearance, folder / "atlas.png")
        materials.update_background_plane(
            self.background, request.background, request.background_margin, folder / "background.png"
        )
        self._set_template(request.template)
        if request.template is None:
            self.lamps = lights.update_lights(
                self.colour, self.world, self.lamps, appearance["lighting"], request.environment
            )
        self.colour.cycles.samples = request.settings.samples
        self.colour.cycles.use_denoising = request.settings.denoise
        self.colour.render.use_motion_blur = request.settings.shutter > 0
        self.colour.render.motion_blur_shutter = request.settings.shutter
        materials.show_shadow(self.background, request.settings.shadow)
        self._set_lens(request.settings)

    def render_colour(self, exposure: Exposure, crop: Crop, seed: int, path: Path) -> None:
        """Render the head, premultiplied RGBA in linear light, inside ``crop``, to an EXR file."""
        self._set_vertices(exposure.current, exposure.following, exposure.previous)
        self.colour.cycles.seed = seed
        self.camera.data.dof.use_dof = self._has_depth_of_field
        passes.render(self.colour, crop, path)
        self.camera.data.dof.use_dof = False

    def render_backplate(self, crop: Crop, seed: int, path: Path) -> None:
        """Render a template's background without the head, to an EXR file."""
        assert self.template is not None
        background = self.template.objects["background"]
        self.head.hide_render = background.visible_camera = True
        self.colour.cycles.seed = seed
        self.camera.data.dof.use_dof = self._has_depth_of_field
        passes.render(self.colour, crop, path)
        self.camera.data.dof.use_dof = False
        self.head.hide_render = background.visible_camera = False

    def render_truth(
        self,
        current: NDArray[np.float32],
        facial_next: NDArray[np.float32],
        head_next: NDArray[np.float32],
        crop: Crop,
        path: Path,
    ) -> None:
        """Render depth, motion flags, and both flows in one Vector pass, inside ``crop``.

        Cycles writes the displacement to the previous and to the next frame; the head-only frame is
        put in the previous frame's place.
        """
        self._set_vertices(current, facial_next, head_next)
        passes.render(self.truth, crop, path)

    def set_camera(self, camera: Camera) -> None:
        """Look through a camera; resolution, lens and place are its."""
        data = self.camera.data
        # A matrix of an object's own is kept as angles in float32, which tilt a camera by 1e-7: a pixel's
        # thousandths with a long lens. The parent's inverse is kept as it is.
        self.camera.matrix_parent_inverse = Matrix(blender_camera_matrix(camera.T_world_cam).tolist())
        data.sensor_fit = "HORIZONTAL"
        data.sensor_width = 36.0
        data.lens = float(camera.K[0, 0]) * 36.0 / camera.width
        longer = camera.width  # what a shift is relative to when the sensor is fitted horizontally
        data.shift_x = ((camera.width - 1) / 2 - float(camera.K[0, 2])) / longer
        data.shift_y = (
            (float(camera.K[1, 2]) - (camera.height - 1) / 2) / longer * float(camera.K[0, 0] / camera.K[1, 1])
        )
        data.clip_start = 0.01
        data.clip_end = 1e5
        for scene in (self.colour, self.truth):
            scene.render.resolution_x = camera.width
            scene.render.resolution_y = camera.height
            # fy != fx is what Blender calls a pixel's aspect.
            ratio = float(camera.K[0, 0] / camera.K[1, 1])
            scene.render.pixel_aspect_x = max(1.0, 1.0 / ratio)
            scene.render.pixel_aspect_y = max(1.0, ratio)

    def _set_template(self, path: str | None) -> None:
        """Load the .blend whose lamps, world and background these are, or be rid of it."""
        if self.template is not None and self.template.path != path:
            self.colour.world = self.world
            self.template.remove()
            self.template = None
        if path is not None and self.template is None:
            self.lamps = lights.remove_lights(self.lamps)
            self.template = Template(path)
            place(self.template, self.colour)

    def _set_lens(self, settings: Settings) -> None:
        """Focus on the face, where the lens has a depth of field."""
        data = self.camera.data
        self._has_depth_of_field = settings.aperture > 0
        if self._has_depth_of_field:
            data.dof.focus_distance = settings.focus
            # Blender's focal length is in millimetres.
            data.dof.aperture_fstop = data.lens / 1000 / settings.aperture

    def _set_topology(self, request: SequenceRequest) -> None:
        key = tuple(
            array.tobytes()
            for array in (
                request.faces,
                request.uv_coordinates,
                request.uv_faces,
                request.face_materials,
                request.tints,
            )
        )
        if key == self._topology:
            return
        self._topology = key
        if self.head is not None:
            mesh = self.head.data
            bpy.data.objects.remove(self.head)
            bpy.data.meshes.remove(mesh)
        count, faces = request.facial.shape[1], request.faces
        mesh = bpy.data.meshes.new("head")
        mesh.vertices.add(count)
        mesh.vertices.foreach_set("co", request.facial[0].ravel())
        mesh.loops.add(faces.size)
        mesh.loops.foreach_set("vertex_index", faces.ravel())
        mesh.polygons.add(len(faces))
        mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 3, dtype=np.int32))
        mesh.update(calc_edges=True)
        layer = mesh.uv_layers.new(name="uv")
        layer.data.foreach_set("uv", request.uv_coordinates[request.uv_faces.ravel()].ravel())
        for name in MATERIALS:
            mesh.materials.append(self.materials[name])
        mesh.polygons.foreach_set("material_index", request.face_materials.astype(np.int32))
        tints = mesh.attributes.new(materials.TINT, "FLOAT_VECTOR", "POINT")
        tints.data.foreach_set("vector", request.tints.ravel())
        mesh.attributes.new(MOTION_FLAGS, "FLOAT_VECTOR", "POINT")
        self.head = bpy.data.objects.new("head_mesh", mesh)
        self.head.matrix_world = Matrix(T_BLENDER_WORLD.tolist())
        for scene in (self.colour, self.truth):
            scene.collection.objects.link(self.head)
        self.head.shape_key_add(name="current")
        # The neighbours of frame 1: frame 2 is the next facial frame, frame 0 the head-only frame.
        for name, expression in (("facial_next", "max(frame - 1, 0)"), ("head_next", "max(1 - frame, 0)")):
            key_block = self.head.shape_key_add(name=name)
            driver = key_block.driver_add("value").driver
            driver.type = "SCRIPTED"
            driver.expression = expression

    def _set_vertices(
        self, current: NDArray[np.float32], facial_next: NDArray[np.float32], head_next: NDArray[np.float32]
    ) -> None:
        mesh = self.head.data
        blocks = mesh.shape_keys.key_blocks
        for name, vertices in (("current", current), ("facial_next", facial_next), ("head_next", head_next)):
            blocks[name].data.foreach_set("co", np.ascontiguousarray(vertices, dtype=np.float32).ravel())
        flags = np.stack(
            [
                (facial_next != current).any(axis=1),
                (head_next != current).any(axis=1),
                (head_next != facial_next).any(axis=1),
            ],
            axis=1,
        )
        mesh.attributes[MOTION_FLAGS].data.foreach_set("vector", flags.astype(np.float32).ravel())
        mesh.update()
        mesh.shape_keys.update_tag()
