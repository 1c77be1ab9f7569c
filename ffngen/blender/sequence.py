"""Rendering one sequence: which passes, in which order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.blender.save import save_blend
from ffngen.blender.scene import BlenderScene, Exposure
from ffngen.geometry.lens import defocus_radius
from ffngen.render.child import record
from ffngen.render.request import Crop, RawPass, SequenceRequest, crop_around

#: The colour filter reaches 1.5 pixels; the truth only needs the pixels that the head covers.
COLOUR_MARGIN = 3
TRUTH_MARGIN = 1


def render_sequence(
    scene: BlenderScene, folder: Path, blend: str | None, what: str = "sequence"
) -> Iterator[dict[str, Any]]:
    """Render every raw pass of the request in ``folder``; yields a record of each finished file.

    A frame in which the head is out of the picture has no file: its crop is empty.

    :param blend: where to save the scene.
    :param what: :data:`ffngen.render.process.What`.
    """
    request = SequenceRequest.read(folder)
    scene.load(request, folder)
    facial, head, seeds = request.facial, request.head, request.settings.colour_seeds
    count = len(facial)
    if request.template is not None and what != "scene":
        whole = Crop(0, 0, request.camera.width, request.camera.height)
        scene.render_backplate(whole, seeds[0], RawPass.BACKPLATE.path(folder, 0))
        yield record(RawPass.BACKPLATE, 0, whole)
    if what == "still":
        yield _render_colour(scene, request, folder, RawPass.FACIAL_COLOUR, 0, facial_exposure(request, 0), seeds[0])
    # All truth first: Blender keeps one scene's Cycles session warm, and setting up colour anew costs seconds.
    for i in range(count if what == "sequence" else 0):
        crop, path = crop_around(request.camera_of(i), facial[i], TRUTH_MARGIN), RawPass.TRUTH.path(folder, i)
        if not crop.is_empty:
            # The last frame has no next one: its truth is depth alone.
            facial_next = head_next = facial[i]
            if i + 1 < count:
                facial_next, head_next = (_seen(request, i + 1, later, i) for later in (facial[i + 1], head[i]))
            scene.set_camera(request.camera_of(i))
            scene.render_truth(facial[i], facial_next, head_next, crop, path)
        yield record(RawPass.TRUTH, i, crop)
    for i in range(count if what == "sequence" else 0):
        yield _render_colour(scene, request, folder, RawPass.FACIAL_COLOUR, i, facial_exposure(request, i), seeds[i])
        if i + 1 < count:
            exposure = head_exposure(request, i + 1)
            yield _render_colour(scene, request, folder, RawPass.HEAD_COLOUR, i + 1, exposure, seeds[count + i])
    if blend is not None:
        save_blend(scene, request, Path(blend))


def _render_colour(
    scene: BlenderScene,
    request: SequenceRequest,
    folder: Path,
    kind: RawPass,
    index: int,
    exposure: Exposure,
    seed: int,
) -> dict[str, Any]:
    crop, path = colour_crop(request, index, exposure), kind.path(folder, index)
    if not crop.is_empty:
        scene.set_camera(request.camera_of(index))
        scene.render_colour(exposure, crop, seed, path)
    return record(kind, index, crop)


def facial_exposure(request: SequenceRequest, index: int) -> Exposure:
    """A facial frame while the shutter is open; before the first and after the last frame the motion goes on."""
    facial, last = request.facial, len(request.facial) - 1
    current = facial[index]
    if request.settings.shutter == 0:
        return Exposure(current, current, current)
    before = facial[index - 1] if index > 0 else 2 * current - facial[1]
    after = facial[index + 1] if index < last else 2 * current - facial[index - 1]
    return Exposure(current, _seen(request, index + 1, after, index), _seen(request, index - 1, before, index))


def head_exposure(request: SequenceRequest, index: int) -> Exposure:
    """The head-only frame of a number while the shutter is open: it goes on as it came from the facial frame before."""
    current, before = request.head[index - 1], request.facial[index - 1]
    if request.settings.shutter == 0:
        return Exposure(current, current, current)
    after = 2 * current - before
    return Exposure(current, _seen(request, index + 1, after, index), _seen(request, index - 1, before, index))


def colour_crop(request: SequenceRequest, index: int, exposure: Exposure) -> Crop:
    """What of the picture differs from the background: where the head is, its blur, and its shadow."""
    camera, settings = request.camera_of(index), request.settings
    if settings.shadow:
        return Crop(0, 0, camera.width, camera.height)
    swept = [exposure.current]
    if settings.shutter > 0:
        half = np.float32(settings.shutter / 2)
        swept += [exposure.current + half * (end - exposure.current) for end in (exposure.previous, exposure.following)]
    margin = COLOUR_MARGIN
    if settings.aperture > 0:
        depths = camera.to_camera(np.concatenate(swept))[:, 2]
        blurs = [defocus_radius(camera, settings.aperture, settings.focus, d) for d in (depths.min(), depths.max())]
        margin += int(np.ceil(max(blurs)))
    return crop_around(camera, np.concatenate(swept), margin)


def _seen(request: SequenceRequest, there: int, vertices: NDArray[np.float32], here: int) -> NDArray[np.float32]:
    """Where the camera of frame ``here`` sees what that of frame ``there`` sees: a moved camera is a moved head.

    So Cycles needs no moving camera, and both flows keep one path.
    """
    if request.poses is None:
        return vertices
    T = request.camera_of(here).T_world_cam @ request.camera_at(there).T_cam_world
    moved: NDArray[np.float32] = (vertices.astype(np.float64) @ T[:3, :3].T + T[:3, 3]).astype(np.float32)
    return moved
