"""Rendering one sequence: which passes, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.blender.save import save_blend
from ffngen.blender.scene import BlenderScene
from ffngen.render.request import Crop, RawPass, SequenceRequest, crop_around

#: The colour filter reaches 1.5 pixels; the truth only needs the pixels that the head covers.
COLOUR_MARGIN = 3
TRUTH_MARGIN = 1


def render_sequence(scene: BlenderScene, folder: Path, blend: str | None) -> Iterator[dict[str, Any]]:
    """Render every raw pass of the request in ``folder``; yields a record of each finished file.

    A frame in which the head is out of the picture has no file: its crop is empty.
    """
    request = SequenceRequest.read(folder)
    scene.load(request, folder)
    facial, head, seeds = request.facial, request.head, request.settings.colour_seeds
    count = len(facial)

    def crop_of(index: int, vertices: NDArray[np.float32], margin: int) -> Crop:
        return crop_around(request.camera_of(index), vertices, margin)

    # All truth first: Blender keeps one scene's Cycles session warm, and setting up colour anew costs seconds.
    for i in range(count):
        crop, path = crop_of(i, facial[i], TRUTH_MARGIN), RawPass.TRUTH.path(folder, i)
        if not crop.is_empty:
            # The last frame has no next one: its truth is depth alone.
            facial_next = head_next = facial[i]
            if i + 1 < count:
                facial_next, head_next = (_seen_later(request, i, later) for later in (facial[i + 1], head[i]))
            scene.set_camera(request.camera_of(i))
            scene.render_truth(facial[i], facial_next, head_next, crop, path)
        yield _record(RawPass.TRUTH, i, crop)
    for i in range(count):
        crop, path = crop_of(i, facial[i], COLOUR_MARGIN), RawPass.FACIAL_COLOUR.path(folder, i)
        if not crop.is_empty:
            scene.set_camera(request.camera_of(i))
            scene.render_colour(facial[i], crop, seeds[i], path)
        yield _record(RawPass.FACIAL_COLOUR, i, crop)
        if i + 1 < count:
            crop, path = crop_of(i + 1, head[i], COLOUR_MARGIN), RawPass.HEAD_COLOUR.path(folder, i + 1)
            if not crop.is_empty:
                scene.set_camera(request.camera_of(i + 1))
                scene.render_colour(head[i], crop, seeds[count + i], path)
            yield _record(RawPass.HEAD_COLOUR, i + 1, crop)
    if blend is not None:
        save_blend(scene, request, Path(blend))


def _seen_later(request: SequenceRequest, index: int, vertices: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the camera of frame ``index`` sees what the next frame's camera sees: a moved camera is a moved head.

    So Cycles needs no moving camera, and both flows keep one path.
    """
    now, later = request.camera_of(index), request.camera_of(index + 1)
    if now == later:
        return vertices
    T = now.T_world_cam @ later.T_cam_world
    moved: NDArray[np.float32] = (vertices.astype(np.float64) @ T[:3, :3].T + T[:3, 3]).astype(np.float32)
    return moved


def _record(kind: RawPass, frame: int, crop: Crop) -> dict[str, Any]:
    return {"pass": kind.value, "frame": frame, "crop": astuple(crop)}
