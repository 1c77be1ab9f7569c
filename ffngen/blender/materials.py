"""Materials of the head and of the background plane.

All parts of the head share one texture, the atlas; they differ in how they scatter and shine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ffngen.blender.frames import blender_camera_matrix
from ffngen.blender.nodes import empty_node_tree
from ffngen.geometry.plane import FacingPlane
from ffngen.render.request import MATERIALS, TEXTURED

ATLAS_NODE = "atlas"
#: Point attribute: the colour of a vertex of a prop.
TINT = "tint"


@dataclass(frozen=True)
class _Grain:
    """A fine pattern over a prop's own coordinates, across and along.

    :param scale: repetitions across and along the prop.
    :param contrast: of its colour, 0 to 1.
    :param relief: of its bumps, millimetres.
    """

    scale: tuple[float, float]
    contrast: float
    relief: float


#: Roughness, specular level and grain of the materials without a texture. Hair is combed: fine across, long along.
_TINTED: dict[str, tuple[float, float, _Grain | None]] = {
    "hair": (0.55, 0.22, _Grain((260.0, 5.0), 0.75, 0.7)),
    "frame": (0.25, 0.5, None),
    "lens": (0.05, 0.5, None),
    "cloth": (0.85, 0.2, _Grain((420.0, 160.0), 0.35, 0.4)),
}


def _principled(name: str) -> Any:
    material = bpy.data.materials.new(name)
    tree = empty_node_tree(material)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    shader.name = "principled"
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.name = ATLAS_NODE
    texture.extension = "EXTEND"
    tree.links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    tree.links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    return material


def _tinted(name: str) -> Any:
    roughness, specular, grain = _TINTED[name]
    material = bpy.data.materials.new(name)
    tree = empty_node_tree(material)
    new, link = tree.nodes.new, tree.links.new
    output, shader = new("ShaderNodeOutputMaterial"), new("ShaderNodeBsdfPrincipled")
    shader.name = "principled"
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Specular IOR Level"].default_value = specular
    tint = new("ShaderNodeAttribute")
    tint.attribute_name = TINT
    link(tint.outputs["Vector"], shader.inputs["Base Color"])
    link(shader.outputs["BSDF"], output.inputs["Surface"])
    if grain is None:
        return material
    coordinates, scaled = new("ShaderNodeUVMap"), new("ShaderNodeVectorMath")
    scaled.operation = "MULTIPLY"
    scaled.inputs[1].default_value = (*grain.scale, 1.0)
    link(coordinates.outputs["UV"], scaled.inputs[0])
    noise = new("ShaderNodeTexNoise")
    noise.noise_dimensions = "2D"
    noise.inputs["Scale"].default_value = 1.0
    noise.inputs["Detail"].default_value = 3.0
    link(scaled.outputs["Vector"], noise.inputs["Vector"])
    shade = new("ShaderNodeMapRange")
    shade.inputs["To Min"].default_value = 1 - 1.5 * grain.contrast
    shade.inputs["To Max"].default_value = 1 + 1.5 * grain.contrast
    link(noise.outputs[0], shade.inputs["Value"])
    coloured = new("ShaderNodeVectorMath")
    coloured.operation = "SCALE"
    link(tint.outputs["Vector"], coloured.inputs[0])
    link(shade.outputs["Result"], coloured.inputs["Scale"])
    link(coloured.outputs["Vector"], shader.inputs["Base Color"])
    bump = new("ShaderNodeBump")
    bump.inputs["Distance"].default_value = grain.relief / 1000
    link(noise.outputs[0], bump.inputs["Height"])
    link(bump.outputs["Normal"], shader.inputs["Normal"])
    return material


def make_materials() -> dict[str, Any]:
    """The materials of :data:`ffngen.render.request.MATERIALS`, by name."""
    made = {name: _principled(name) if name in TEXTURED else _tinted(name) for name in MATERIALS}
    _add_relief(made["skin"])
    for name, roughness, coat in (("mouth", 0.35, 0.3), ("teeth", 0.2, 0.4)):
        inputs = made[name].node_tree.nodes["principled"].inputs
        inputs["Roughness"].default_value = roughness
        inputs["Coat Weight"].default_value = coat
        inputs["Coat Roughness"].default_value = 0.1
    return made


def _add_relief(material: Any) -> None:
    """Bumps from the atlas's fourth channel."""
    tree = material.node_tree
    bump = tree.nodes.new("ShaderNodeBump")
    bump.name = "relief"
    tree.links.new(tree.nodes[ATLAS_NODE].outputs["Alpha"], bump.inputs["Height"])
    tree.links.new(bump.outputs["Normal"], tree.nodes["principled"].inputs["Normal"])


def update_materials(materials: dict[str, Any], appearance: dict[str, Any], atlas: Path) -> None:
    """Give the materials this sequence's atlas, skin and eyes."""
    image = _replace_image("atlas", atlas)
    # The fourth channel is the skin's relief; a texture without one is smooth.
    image.alpha_mode = "CHANNEL_PACKED"
    for name in TEXTURED:
        materials[name].node_tree.nodes[ATLAS_NODE].image = image
    nodes = materials["skin"].node_tree.nodes
    nodes["relief"].inputs["Distance"].default_value = appearance["relief"]
    skin = nodes["principled"]
    skin.subsurface_method = "BURLEY"
    _set(skin, appearance["skin"])
    _set(materials["eye"].node_tree.nodes["principled"], appearance["eye"])


#: Fields of ``ffngen.appearance``'s materials and the inputs of Blender's principled shader.
_INPUTS = {
    "subsurface_weight": "Subsurface Weight",
    "subsurface_radius": "Subsurface Radius",
    "subsurface_scale": "Subsurface Scale",
    "roughness": "Roughness",
    "specular": "Specular IOR Level",
    "ior": "IOR",
    "coat_weight": "Coat Weight",
    "coat_roughness": "Coat Roughness",
    "coat_ior": "Coat IOR",
}


def _set(shader: Any, fields: dict[str, Any]) -> None:
    for field, value in fields.items():
        shader.inputs[_INPUTS[field]].default_value = value


def _replace_image(name: str, path: Path) -> Any:
    """The image data block of that name, holding the file's pixels; the one before it is dropped."""
    old = bpy.data.images.get(name)
    if old is not None:
        bpy.data.images.remove(old)
    image = bpy.data.images.load(str(path))
    image.name = name
    return image


def make_background_plane(scene: Any) -> Any:
    """The stationary plane behind the head: it shines its picture and lights nothing.

    It is hidden while a sequence renders: colour is traced where the head is, and the picture,
    which the plane shows pixel for pixel, is put behind it exactly (``ffngen.render.composite``).
    A saved .blend shows it.
    """
    mesh = bpy.data.meshes.new("background")
    mesh.from_pydata([(-0.5, -0.5, 0), (0.5, -0.5, 0), (0.5, 0.5, 0), (-0.5, 0.5, 0)], [], [(0, 1, 2, 3)])
    layer = mesh.uv_layers.new(name="uv")
    layer.data.foreach_set("uv", np.array([0, 0, 1, 0, 1, 1, 0, 1], dtype=np.float32))
    plane = bpy.data.objects.new("background", mesh)
    scene.collection.objects.link(plane)
    material = bpy.data.materials.new("background")
    tree = empty_node_tree(material)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    emission = tree.nodes.new("ShaderNodeEmission")
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.name = "picture"
    texture.extension = "EXTEND"
    texture.interpolation = "Closest"
    tree.links.new(texture.outputs["Color"], emission.inputs["Color"])
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    material.cycles.emission_sampling = "NONE"
    mesh.materials.append(material)
    mesh.materials.append(_principled("wall"))
    for ray in ("diffuse", "glossy", "transmission", "shadow", "volume_scatter"):
        setattr(plane, f"visible_{ray}", False)
    plane.hide_render = True
    return plane


def show_shadow(plane: Any, shown: bool) -> None:
    """Let the plane show what light the head takes from it, and nothing else, or hide it."""
    plane.is_shadow_catcher = shown
    plane.hide_render = not shown
    # A surface that shines has no shadow.
    plane.data.polygons[0].material_index = int(shown)


def update_background_plane(plane: Any, place: FacingPlane, margin: tuple[int, int], picture: Path) -> None:
    """Put the plane in its place, so that its picture fills the frame exactly and reaches ``margin`` pixels beyond."""
    camera, depth = place.view, place.depth
    image = _replace_image("background", picture)
    plane.data.materials[0].node_tree.nodes["picture"].image = image
    K = camera.K
    width = (camera.width + 2 * margin[0]) * depth / K[0, 0]
    height = (camera.height + 2 * margin[1]) * depth / K[1, 1]
    # The frame's edges lie half a pixel outside the centres of its outer pixels.
    centre_x = ((camera.width - 1) / 2 - K[0, 2]) * depth / K[0, 0]
    centre_y = ((camera.height - 1) / 2 - K[1, 2]) * depth / K[1, 1]
    local = np.eye(4)
    local[:3, 3] = [centre_x, -centre_y, -depth]
    local[0, 0], local[1, 1] = width, height
    plane.matrix_world = Matrix((blender_camera_matrix(camera.T_world_cam) @ local).tolist())
