"""Run in a process of its own: Blender's own passes of a request's second frame, whose previous frame is the first.

python render_passes.py REQUEST_FOLDER FACE_IDS.npy OUT_FOLDER

Writes ``geometry.exr`` (Vector, Normal, UV) and ``index.exr`` (Material Index: the id of each face).
"""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import numpy as np

from ffngen.blender import passes
from ffngen.blender.scene import BlenderScene
from ffngen.render.request import Crop, SequenceRequest


def main(folder: Path, ids_file: Path, out: Path) -> None:
    request = SequenceRequest.read(folder)
    scene = BlenderScene("CPU", 0)
    scene.set_threads(2)
    scene.load(request, folder)
    layer = scene.truth.view_layers[0]
    layer.use_pass_normal = layer.use_pass_uv = True
    whole = Crop(0, 0, request.camera.width, request.camera.height)
    first, second = request.facial
    # The next frame is the same as this one, so that only the motion from the previous one is there.
    scene.render_truth(second, second, first, whole, out / "geometry.exr")

    ids = np.load(ids_file)
    mesh = scene.head.data
    mesh.materials.clear()
    for id_ in range(int(ids.max()) + 1):
        material = bpy.data.materials.new(f"id {id_}")
        material.pass_index = id_
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", ids.astype(np.int32))
    mesh.update()
    layer.material_override = None
    layer.use_pass_material_index = True
    passes.render(scene.truth, whole, out / "index.exr")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
