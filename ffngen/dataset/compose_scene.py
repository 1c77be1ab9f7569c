"""The scene of one sequence: what a preset's ranges come to for it, drawn from the sequence's seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.background import DEFOCUS, choose_background, hdri_background, plain_background
from ffngen.appearance.development import Development
from ffngen.appearance.hdri import hdri_name, hdri_path
from ffngen.appearance.lighting import Lighting, sample_lighting
from ffngen.dataset.context import JobContext
from ffngen.dataset.plan import SequencePlan
from ffngen.dataset.source_view import file_camera, source_background, tracked_camera
from ffngen.errors import InputFileError
from ffngen.geometry.camera import Camera
from ffngen.geometry.lens import defocus_radius
from ffngen.job import Job
from ffngen.params.parameter_set import ParameterSet
from ffngen.scene.framing import Framing, fit_camera
from ffngen.scene.handheld import handheld_poses, view_margin
from ffngen.scene.preset import ImagePreset, draw
from ffngen.scene.rig import is_rig_file, rig_camera
from ffngen.scene.template import SceneTemplate
from ffngen.seeds import derive_generator


@dataclass(frozen=True)
class View:
    """Through what the sequence is seen.

    :param camera: the camera, or the place round which it moves.
    :param poses: (N, 4, 4) ``T_world_cam`` of each facial frame; None where it stands still.
    :param background_depth: metres before ``camera``.
    :param margin: (x, y) pixels that the background reaches beyond the view.
    :param aperture: metres, the diameter of the lens's opening; 0 for a pinhole.
    :param focus: metres, at the front of the face.
    :param defocus: radius of the background's disc of confusion, as a share of the picture's width.
    :param record: what was drawn, JSON-ready.
    """

    camera: Camera
    poses: NDArray[np.float64] | None
    background_depth: float
    margin: tuple[int, int]
    aperture: float
    focus: float
    defocus: float
    record: dict[str, Any]


def compose_view(context: JobContext, plan: SequencePlan, vertices: NDArray[np.float32], seed: int, fps: float) -> View:
    """The camera of a sequence.

    :param vertices: (M, V, 3), metres: the head in all facial and head-only frames.
    :param fps: frames per second: how fast a hand moves from frame to frame.
    :raises InputFileError: as :func:`ffngen.dataset.source_view.tracked_camera`.
    """
    job, preset = context.job, context.preset.camera
    if context.template is not None:
        return _template_view(context.template, job.width, job.height, vertices)
    if job.camera == "tracked":
        parameters = context.source.parameters(plan.parameters_index)
        camera = tracked_camera(parameters, vertices, job.width, job.height)
        record: dict[str, Any] = {"kind": "tracked"}
        strength = 0.0
    else:
        camera, record = _preset_camera(context, derive_generator(seed, "camera"), vertices, front=job.rig is not None)
        strength = draw(derive_generator(seed, "handheld"), preset.handheld)
        if job.rig is not None and plan.view is not None:
            camera, record = _rig_camera(job, job.rig, plan.view, camera, vertices[:, context.framed_vertices])
            strength = 0.0
        record["handheld"] = strength
    depths = camera.to_camera(vertices)[..., 2]
    background_depth = float(depths.max()) + context.preset.background.distance
    poses, margin = None, (0, 0)
    if strength > 0:
        count = len(plan.layout.facial_frames)
        poses = handheld_poses(camera, strength, count, derive_generator(seed, "hand"), fps=fps)
        margin = view_margin(camera, poses, background_depth)
    aperture, focus, defocus = 0.0, float(np.percentile(depths, 10)), DEFOCUS
    if preset.f_number is not None:
        record["f_number"] = f_number = draw(derive_generator(seed, "lens"), preset.f_number)
        aperture = float(camera.K[0, 0]) / camera.width * preset.sensor_width_mm / 1000 / f_number
        defocus = defocus_radius(camera, aperture, focus, background_depth) / camera.width
    return View(camera, poses, background_depth, margin, aperture, focus, defocus, record)


def _template_view(template: SceneTemplate, width: int, height: int, vertices: NDArray[np.float32]) -> View:
    camera, depth = template.camera(width, height), template.background_depth
    depths = camera.to_camera(vertices)[..., 2]
    if depths.min() <= 0 or depths.max() >= depth:
        what = "the head is not between the camera and the background"
        raise InputFileError(what, where=template.path, mend="move its head, camera or background apart")
    aperture, focus = template.lens
    return View(camera, None, depth, (0, 0), aperture, focus, DEFOCUS, {"kind": "template"})


def _rig_camera(
    job: Job, rig: str, view: int, front: Camera, vertices: NDArray[np.float32]
) -> tuple[Camera, dict[str, Any]]:
    """A camera of a rig; that of a named one stands about the head as ``front`` does."""
    if is_rig_file(rig):
        return file_camera(rig, view, vertices, job.width, job.height), {"kind": "rig", "rig": "file", "view": view}
    ends = np.stack([vertices.min(axis=(0, 1)), vertices.max(axis=(0, 1))]).astype(np.float64)
    return rig_camera(rig, view, front, ends.mean(axis=0)), {"kind": "rig", "rig": rig, "view": view}


def _preset_camera(
    context: JobContext, rng: np.random.Generator, vertices: NDArray[np.float32], *, front: bool
) -> tuple[Camera, dict[str, Any]]:
    """The preset's camera; ``front``: straight before the face, whatever the preset says."""
    preset, job = context.preset.camera, context.job
    lens = preset.focal_length_mm if preset.focal_length_mm is not None else preset.distance
    assert lens is not None
    value = draw(rng, lens)
    framing = Framing(
        fill=draw(rng, preset.fill),
        max_width_fill=preset.max_width_fill,
        offset=(draw(rng, preset.offset_x), draw(rng, preset.offset_y)),
        yaw=0.0 if front else float(np.radians(draw(rng, preset.yaw_degrees))),
        elevation=0.0 if front else float(np.radians(draw(rng, preset.elevation_degrees))),
    )
    is_focal = preset.focal_length_mm is not None
    camera = fit_camera(
        vertices[:, context.framed_vertices],
        framing,
        width=job.width,
        height=job.height,
        focal_px=value / preset.sensor_width_mm * job.width if is_focal else None,
        distance=None if is_focal else value,
        rim=vertices[:, context.rim_vertices] if len(context.rim_vertices) else None,
    )
    record = {
        "kind": "preset",
        "focal_length_mm": float(camera.K[0, 0]) * preset.sensor_width_mm / job.width,
        "yaw_degrees": float(np.degrees(framing.yaw)),
        "elevation_degrees": float(np.degrees(framing.elevation)),
    }
    return camera, record


def sample_development(rng: np.random.Generator, preset: ImagePreset) -> Development:
    """How the camera develops the sequence's pictures."""
    return Development(
        exposure_stops=draw(rng, preset.exposure_stops),
        white_balance_kelvin=draw(rng, preset.white_balance_kelvin),
        motion_blur=draw(rng, preset.motion_blur),
        noise=draw(rng, preset.noise),
        jpeg_quality=None if preset.jpeg_quality is None else round(draw(rng, preset.jpeg_quality)),
    )


@dataclass(frozen=True)
class Backdrop:
    """The picture on the plane, uint8 sRGB of the view's size and its margin on each side, and where it is from."""

    picture: NDArray[np.uint8]
    source: str


@dataclass(frozen=True)
class SceneLight:
    """What lights a sequence, and what picture it stands before.

    :param environment: path of the surroundings' EXR; empty where a template brings its own light.
    :param lighting: JSON-ready.
    :param backdrop: the picture on the plane.
    """

    environment: str
    lighting: dict[str, Any]
    backdrop: Backdrop


def compose_light(context: JobContext, seed: int, view: View, parameters: ParameterSet) -> SceneLight:
    """The light and the background of a sequence."""
    if context.template is not None:
        # Rendered with the sequence, and put here then.
        empty = np.zeros((context.job.height, context.job.width, 3), dtype=np.uint8)
        return SceneLight("", {"rig": "template"}, Backdrop(empty, "template"))
    hdri, lighting, field_of_view = _sample_light(context, seed)
    backdrop = _background(context, seed, view, hdri, lighting.rotation, field_of_view, parameters)
    return SceneLight(str(hdri_path(hdri)), lighting.to_json(), backdrop)


def _sample_light(context: JobContext, seed: int) -> tuple[str, Lighting, float]:
    """The surroundings (what ``load_hdri`` takes), the light, and the background's field of view in radians."""
    preset = context.preset
    rng = derive_generator(seed, "light")
    hdri = str(rng.choice(context.hdris))
    # Drawn apart, so that a preset with one rig has the light that it had before there were several.
    rig = preset.lighting.rigs[int(derive_generator(seed, "rig").integers(len(preset.lighting.rigs)))]
    lighting = sample_lighting(rng, hdri, strength=draw(rng, preset.lighting.strength), rig=rig)
    return hdri, lighting, float(np.radians(draw(rng, preset.background.field_of_view_degrees)))


def _background(
    context: JobContext,
    seed: int,
    view: View,
    hdri: str,
    yaw: float,
    field_of_view: float,
    parameters: ParameterSet,
) -> Backdrop:
    """The picture on the plane behind the head.

    :param yaw: radians, how the surroundings are turned.
    :param field_of_view: radians, what the view, without its margin, shows of them.
    """
    job, preset = context.job, context.preset.background
    width, height = job.width + 2 * view.margin[0], job.height + 2 * view.margin[1]
    if job.source_images is not None:
        return Backdrop(*source_background(job.source_images, parameters, width, height))
    if job.backgrounds != "hdri":
        path, picture = choose_background(job.backgrounds, derive_generator(seed, "background"), width, height)
        return Backdrop(picture, path.name)
    if preset.plain is not None:
        grey = draw(derive_generator(seed, "background"), preset.plain)
        return Backdrop(plain_background(grey, width, height), f"plain:{grey:.3f}")
    picture = hdri_background(
        hdri,
        view.camera.T_world_cam[:3, :3],
        yaw=yaw,
        field_of_view=2 * float(np.arctan(np.tan(field_of_view / 2) * width / job.width)),
        width=width,
        height=height,
        defocus=view.defocus * job.width / width,
    )
    return Backdrop(picture, f"hdri:{hdri_name(hdri)}")
