"""The surroundings (an equirectangular picture) and the area lights."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ffngen.blender.frames import to_blender
from ffngen.blender.nodes import empty_node_tree


def make_world(scene: Any) -> Any:
    """A world lit by an equirectangular picture that turns about the vertical."""
    world = bpy.data.worlds.new("surroundings")
    scene.world = world
    tree = empty_node_tree(world)
    output = tree.nodes.new("ShaderNodeOutputWorld")
    background = tree.nodes.new("ShaderNodeBackground")
    background.name = "background"
    texture = tree.nodes.new("ShaderNodeTexEnvironment")
    texture.name = "picture"
    mapping = tree.nodes.new("ShaderNodeMapping")
    mapping.name = "mapping"
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(coordinates.outputs["Generated"], mapping.inputs["Vector"])
    tree.links.new(mapping.outputs["Vector"], texture.inputs["Vector"])
    tree.links.new(texture.outputs["Color"], background.inputs["Color"])
    tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    return world


def remove_lights(lamps: list[Any]) -> list[Any]:
    """Take lamps out of this process; returns what is left of them."""
    for lamp in lamps:
        data = lamp.data
        bpy.data.objects.remove(lamp)
        bpy.data.lights.remove(data)
    return []


def update_lights(scene: Any, world: Any, lamps: list[Any], lighting: dict[str, Any], environment: str) -> list[Any]:
    """Light the scene as ``lighting`` says (``ffngen.appearance.lighting``), in place of ``lamps``."""
    nodes = world.node_tree.nodes
    nodes["picture"].image = bpy.data.images.load(environment, check_existing=True)
    nodes["mapping"].inputs["Rotation"].default_value = (0.0, 0.0, lighting["rotation"])
    nodes["background"].inputs["Strength"].default_value = lighting["strength"]
    made = remove_lights(lamps)
    for index, light in enumerate(lighting["area_lights"]):
        name = f"light_{index + 1}" if index else "key_light"
        data = bpy.data.lights.new(name, "AREA")
        data.shape = "DISK" if light["height"] is None else "RECTANGLE"
        data.size = light["size"]
        data.size_y = light["height"] or light["size"]
        data.energy = light["power"]
        data.color = light["color"]
        lamp = bpy.data.objects.new(name, data)
        position = to_blender(np.array(light["position"]))
        target = to_blender(np.array(light["target"]))
        lamp.location = position.tolist()
        lamp.rotation_euler = Vector((target - position).tolist()).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(lamp)
        made.append(lamp)
    return made
