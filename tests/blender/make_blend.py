"""Run in a process of its own: build a scene of the user's, and say where Blender itself sees points round its head.

python make_blend.py OUT.blend SEEN.npz OPTIONS.json

Options: ``leave_out`` (names), ``fit``, ``shift``, ``size`` (width, height), ``turn_background`` (degrees),
``orthographic``, ``head_scale``, ``trap`` (a file that code in the .blend would write), ``blocker``.
"""

from __future__ import annotations

import json
import sys

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Euler, Matrix, Vector

#: Where the head stands: nowhere special.
HEAD = Matrix.Translation((3.0, -2.0, 1.6)) @ Euler((0.1, -0.2, 2.5)).to_matrix().to_4x4()


def add(name: str, data: object, place: Matrix) -> object:
    thing = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(thing)
    thing.matrix_world = HEAD @ place
    return thing


def emission(name: str, color: tuple[float, float, float]) -> object:
    material = bpy.data.materials.new(name)
    if not material.node_tree:
        material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    shine, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    shine.inputs["Color"].default_value = (*color, 1)
    material.node_tree.links.new(shine.outputs["Emission"], output.inputs["Surface"])
    return material


def square(name: str, side: float, color: tuple[float, float, float]) -> object:
    mesh = bpy.data.meshes.new(name)
    h = side / 2
    mesh.from_pydata([(-h, -h, 0), (h, -h, 0), (h, h, 0), (-h, h, 0)], [], [(0, 1, 2, 3)])
    mesh.materials.append(emission(name, color))
    return mesh


def main(out: str, seen: str, options: dict[str, object]) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    width, height = options.get("size", (64, 64))
    scene.render.resolution_x, scene.render.resolution_y = width, height
    # In the head's frame of Blender's axes the face looks along -y: the camera stands there, and looks along +y.
    ahead = Matrix.Translation((0.05, -0.9, 0.03)) @ Euler((np.pi / 2, 0, 0)).to_matrix().to_4x4()
    data = bpy.data.cameras.new("camera")
    data.type = "ORTHO" if options.get("orthographic") else "PERSP"
    data.lens, data.sensor_fit, data.sensor_width, data.sensor_height = 60.0, options.get("fit", "AUTO"), 32.0, 20.0
    data.shift_x, data.shift_y = options.get("shift", (0.0, 0.0))
    camera = add("camera", data, ahead)
    head = add("head", None, Matrix.Identity(4))
    if options.get("head_scale"):
        head.scale = (2.0, 2.0, 2.0)
    turned = Euler((0, np.radians(options.get("turn_background", 0.0)), 0)).to_matrix().to_4x4()
    add("background", square("wall", 4.0, (0.2, 0.5, 0.8)), ahead @ Matrix.Translation((0, 0, -1.7)) @ turned)
    lamp = bpy.data.lights.new("key", "AREA")
    lamp.energy, lamp.size = 20.0, 0.5
    add("key_light", lamp, Matrix.Translation((0.5, -1.0, 0.5)) @ Euler((1.0, 0, 0.5)).to_matrix().to_4x4())
    if options.get("blocker"):
        add("blocker", square("blocker", 0.5, (1.0, 0.0, 0.0)), ahead @ Matrix.Translation((0, 0, -0.4)))
    if options.get("trap"):
        code = f"open({options['trap']!r}, 'w').write('ran')"
        text = bpy.data.texts.new("trap.py")
        text.from_string(f"import bpy\n{code}\n")
        text.use_module = True
        driver = bpy.data.objects["blocker"].driver_add("scale", 0).driver
        # The namespace of drivers has no open, and a module that has os.
        driver.type, driver.expression = "SCRIPTED", f"bpy.path._os.mkdir({options['trap']!r}) or 1.0"
    for name in options.get("leave_out", ()):
        bpy.data.objects.remove(bpy.data.objects[name])
    bpy.context.view_layer.update()
    points = np.random.default_rng(0).uniform(-0.1, 0.1, (20, 3))
    pixels = []
    for point in points:
        # The head's frame of ffngen: (x, y, z) there is (x, -z, y) in Blender's.
        place = HEAD @ Vector((point[0], -point[2], point[1]))
        x, y, _ = world_to_camera_view(scene, camera, place) if "camera" in bpy.data.objects else (0, 0, 0)
        # From the lower left corner of the picture, as shares of its size.
        pixels.append((x * width - 0.5, (1 - y) * height - 0.5))
    np.savez(seen, points=points, pixels=np.array(pixels))
    bpy.ops.wm.save_as_mainfile(filepath=out, compress=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
