"""Run in a process of its own: Cycles renders a request's first frame with the background plane in sight.

python render_plane.py REQUEST_FOLDER OUT.exr
"""

from __future__ import annotations

import sys
from pathlib import Path

from ffngen.blender.scene import BlenderScene
from ffngen.blender.sequence import facial_exposure
from ffngen.render.request import Crop, SequenceRequest


def main(folder: Path, out: Path) -> None:
    request = SequenceRequest.read(folder)
    scene = BlenderScene("CPU", 0)
    scene.set_threads(2)
    scene.load(request, folder)
    scene.background.hide_render = False
    scene.colour.render.film_transparent = False
    whole = Crop(0, 0, request.camera.width, request.camera.height)
    scene.render_colour(facial_exposure(request, 0), whole, request.settings.colour_seeds[0], out)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
