"""Run in a process of its own: open a saved .blend and write what is in it as .npz.

python open_blend.py FILE.blend OUT.npz
"""

from __future__ import annotations

import sys

import bpy
import numpy as np


def main(blend: str, out: str) -> None:
    bpy.ops.wm.open_mainfile(filepath=blend)
    scene = bpy.context.scene
    head = bpy.data.objects["head_sequence"]
    frames = []
    for number in range(scene.frame_start, scene.frame_end + 1):
        scene.frame_set(number)
        evaluated = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        co = np.empty(len(evaluated.vertices) * 3, np.float32)
        evaluated.vertices.foreach_get("co", co)
        frames.append(co.reshape(-1, 3))
    used = [image for image in bpy.data.images if image.source == "FILE" and image.users]
    np.savez(
        out,
        frames=np.stack(frames),
        head_to_blender=np.array(head.matrix_world),
        camera=np.array(scene.camera.matrix_world),
        resolution=[scene.render.resolution_x, scene.render.resolution_y],
        background_visible=not bpy.data.objects["background"].hide_render,
        rendered_heads=[o.name for o in scene.objects if o.name.startswith("head") and not o.hide_render],
        images=[image.name for image in used],
        packed=[image.packed_file is not None for image in used],
        whole_frame=not scene.render.use_border,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
