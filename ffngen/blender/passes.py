"""Render settings: denoised low-sample colour, and the one-sample truth.

The truth must not be filtered: one sample at the centre of each pixel. At more samples Cycles
averages the Vector pass over the pixel, which is off by pixels at silhouettes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from ffngen.blender.nodes import empty_node_tree
from ffngen.render.request import Crop

MOTION_AOV = "motion_flags"


def _configure(scene: Any) -> None:
    scene.render.engine = "CYCLES"
    scene.render.threads_mode = "FIXED"
    scene.render.use_persistent_data = True
    scene.render.use_motion_blur = False
    scene.render.use_compositing = False
    scene.render.use_sequencer = False
    scene.render.film_transparent = True
    scene.render.use_border = True
    scene.render.use_crop_to_border = True
    scene.render.resolution_percentage = 100
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.use_auto_tile = False
    # The head's frame; the neighbouring frames hold what the Vector pass points to.
    scene.frame_set(1)


def _multilayer_exr(scene: Any, depth: str) -> None:
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):  # Blender 5.0 and later
        settings.media_type = "MULTI_LAYER_IMAGE"
        # One part, as before 5.0: 5.0.1 cannot write several where pixels are not square (conflicting headers).
        settings.use_exr_interleave = True
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = depth
    settings.exr_codec = "NONE"


def configure_colour(scene: Any, device: str) -> None:
    """Colour: path-traced at few samples, then denoised with clean albedo and normals as guides."""
    _configure(scene)
    _multilayer_exr(scene, "16")
    cycles = scene.cycles
    cycles.device = device
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    # Guides of a smooth skin are clean at 16 samples; filtering them first costs seconds for nothing.
    cycles.denoising_prefilter = "NONE"
    cycles.denoising_quality = "HIGH"
    cycles.denoising_use_gpu = device == "GPU"
    # At a dozen samples: blue noise leaves the denoiser 7% less error at the same cost; choosing lamps
    # without a light tree is 10% noisier per sample and 30% cheaper (tests/bench/colour.py).
    cycles.sampling_pattern = "BLUE_NOISE"
    cycles.use_light_tree = False
    cycles.max_bounces = 4
    cycles.diffuse_bounces = 2
    cycles.glossy_bounces = 2
    cycles.transmission_bounces = 2
    cycles.volume_bounces = 0
    cycles.transparent_max_bounces = 4
    cycles.caustics_reflective = False
    cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 10.0


def configure_truth(scene: Any) -> None:
    """Truth: one unfiltered sample through each pixel's centre; vector, depth and motion flags."""
    _configure(scene)
    _multilayer_exr(scene, "32")
    cycles = scene.cycles
    # The truth is always computed on the CPU, so that it does not depend on the device.
    cycles.device = "CPU"
    cycles.samples = 1
    cycles.use_denoising = False
    cycles.pixel_filter_type = "GAUSSIAN"
    cycles.filter_width = 0.01
    cycles.max_bounces = 0
    layer = scene.view_layers[0]
    layer.use_pass_vector = True
    layer.use_pass_z = True
    aov = layer.aovs.add()
    aov.name = MOTION_AOV
    aov.type = "COLOR"
    layer.material_override = _motion_flags_material()


def _motion_flags_material() -> Any:
    """A flat material that writes the motion flags of the surface to an AOV; nothing else is evaluated."""
    material = bpy.data.materials.new("truth")
    tree = empty_node_tree(material)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    emission = tree.nodes.new("ShaderNodeEmission")
    tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    attribute = tree.nodes.new("ShaderNodeAttribute")
    attribute.attribute_name = MOTION_AOV
    aov = tree.nodes.new("ShaderNodeOutputAOV")
    aov.aov_name = MOTION_AOV
    tree.links.new(attribute.outputs["Vector"], aov.inputs["Color"])
    return material


def render(scene: Any, crop: Crop, path: Path) -> None:
    """Render ``crop`` of a scene to ``path`` (EXR); the file is exactly as large as the crop."""
    width, height = scene.render.resolution_x, scene.render.resolution_y
    # Blender truncates border * size to pixels: aim at the pixels' middles. Its y points up.
    scene.render.border_min_x = (crop.x0 + 0.5) / width if crop.x0 else 0.0
    scene.render.border_max_x = (crop.x1 + 0.5) / width if crop.x1 < width else 1.0
    scene.render.border_min_y = (height - crop.y1 + 0.5) / height if crop.y1 < height else 0.0
    scene.render.border_max_y = (height - crop.y0 + 0.5) / height if crop.y0 else 1.0
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True, scene=scene.name)
