"""From a plan to a render request: parameters, motion, camera, light, skin and background of one sequence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.background import choose_background, hdri_background
from ffngen.appearance.hdri import hdri_path
from ffngen.appearance.lighting import sample_lighting
from ffngen.appearance.look import Look
from ffngen.appearance.materials import sample_eye, sample_skin
from ffngen.appearance.relief import RELIEF_RANGE
from ffngen.appearance.skin import look_of
from ffngen.appearance.textures import choose_texture
from ffngen.dataset.context import JobContext, encode_fast_png
from ffngen.dataset.plan import SequencePlan, track_sampling
from ffngen.dataset.source_view import source_background, tracked_camera
from ffngen.geometry.camera import Camera
from ffngen.motion.profile import MotionProfile
from ffngen.motion.sequence import MotionSequence, make_sequence
from ffngen.motion.steady import holds_head_still, steadied
from ffngen.motion.tracked import sample_times, tracked_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.parameter_set import ParameterSet
from ffngen.props.dressing import make_props
from ffngen.props.prop import DressedHead, dress
from ffngen.props.wardrobe import Wardrobe, sample_wardrobe
from ffngen.render.request import MATERIALS, SequenceRequest, Settings
from ffngen.scene.framing import Framing, fit_camera
from ffngen.scene.preset import draw
from ffngen.seeds import derive_generator, derive_seed


@dataclass(frozen=True)
class ComposedSequence:
    """A request with what the dataset records of it.

    :param request: for the render process.
    :param parameters: the target of the motion.
    :param atlas_png: the head's texture, as a file.
    :param background: (H, W, 3) uint8, sRGB: the stationary picture.
    :param record: the scene, JSON-ready.
    :param seeds: by purpose.
    :param motion: how the face moves, JSON-ready.
    """

    request: SequenceRequest
    parameters: ParameterSet
    atlas_png: bytes
    background: NDArray[np.uint8]
    record: dict[str, Any]
    seeds: dict[str, int]
    motion: dict[str, Any]


def compose(context: JobContext, plan: SequencePlan) -> ComposedSequence:
    """Compose one sequence; a pure function of the job's content and the plan.

    Skin depends on the identity, so that a person looks the same in all sequences; the camera, the
    light and the background depend on the sequence.
    """
    job, model, preset = context.job, context.model, context.preset
    parameters = context.source.parameters(plan.parameters_index)
    facial, head = sequence_vertices(model, _motion(context, plan))

    skin_seed = derive_seed(job.seed, "skin", plan.identity)
    look = look_of(skin_seed)
    wardrobe = sample_wardrobe(derive_generator(skin_seed, "wardrobe"), look)
    dressed = _dressed(context, parameters, look, wardrobe, skin_seed)
    scene_seed = derive_seed(job.seed, "scene", plan.name)
    rng = derive_generator(scene_seed, "camera")
    everything = np.concatenate([facial, head])
    facial, head = dressed.vertices(facial), dressed.vertices(head)
    tracked = tracked_camera(parameters, everything, job.width, job.height) if job.camera == "tracked" else None
    camera = tracked or _camera(context, rng, everything)
    background_depth = float(camera.to_camera(everything)[..., 2].max()) + preset.background.distance

    rng = derive_generator(scene_seed, "light")
    hdri = str(rng.choice(preset.lighting.hdris))
    lighting = sample_lighting(
        rng, hdri, strength=draw(rng, preset.lighting.strength), area_lights=preset.lighting.area_lights
    )
    field_of_view = np.radians(draw(rng, preset.background.field_of_view_degrees))
    if job.source_images is not None:
        background, background_source = source_background(job.source_images, parameters, job.width, job.height)
    else:
        background, background_source = _background(context, scene_seed, hdri, lighting.rotation, float(field_of_view))
    atlas, atlas_source = _atlas(context, skin_seed, plan.identity)
    skin_rng = derive_generator(skin_seed, "material")
    appearance = {
        "lighting": lighting.to_json(),
        "skin": sample_skin(skin_rng).to_json(),
        "eye": sample_eye(skin_rng).to_json(),
        "relief": RELIEF_RANGE,
    }
    count = len(facial) + len(head)
    request = SequenceRequest(
        camera=camera,
        background_depth=background_depth,
        facial=facial,
        head=head,
        faces=dressed.faces,
        uv_coordinates=dressed.uv_coordinates,
        uv_faces=dressed.uv_faces,
        face_materials=_materials(context, dressed),
        tints=dressed.tints,
        environment=str(hdri_path(hdri)),
        appearance=appearance,
        settings=Settings(
            samples=job.samples,
            denoise=job.denoise,
            # Cycles takes 31 bits.
            colour_seeds=tuple(derive_seed(scene_seed, "colour", i) >> 32 for i in range(count)),
        ),
    )
    record = {
        "preset": job.scene if job.scene.isidentifier() else Path(job.scene).name,
        "background": background_source,
        "texture": atlas_source,
        "samples": job.samples,
        "denoise": job.denoise,
        "jaw_motion": job.jaw_motion,
        "look": look.to_json() if job.textures == "generated" or dressed.props else None,
        "wardrobe": wardrobe.to_json() if dressed.props else None,
        "props": [{"kind": prop.kind, "faces": [first, last]} for prop, first, last in dressed.face_ranges()],
        **appearance,
    }
    seeds = {"job": job.seed, "skin": skin_seed, "scene": scene_seed}
    # JSON knows lists alone; the record must compare equal when it is read back.
    record = json.loads(json.dumps(record))
    return ComposedSequence(request, parameters, atlas, background, record, seeds, _motion_record(context, plan))


def _dressed(
    context: JobContext, parameters: ParameterSet, look: Look, wardrobe: Wardrobe, skin_seed: int
) -> DressedHead:
    """The topology of the head with its props; those follow the head's posed vertices."""
    model = context.model
    neutral = model.with_shape(parameters.betas, parameters.static_offset).neutral
    props = make_props(model, neutral, look, wardrobe, context.props, derive_seed(skin_seed, "props"))
    return dress(model, props)


def _materials(context: JobContext, dressed: DressedHead) -> NDArray[np.uint8]:
    worn = [np.full(len(prop.faces), MATERIALS.index(prop.material), dtype=np.uint8) for prop in dressed.props]
    return np.concatenate([context.face_materials, *worn])


def _motion(context: JobContext, plan: SequencePlan) -> MotionSequence:
    job = context.job
    if job.motion == "tracked":
        track = context.source.track(plan.parameters_index)
        # A crop's camera, DECA's, jumps with the crop: before another camera, the head would jump with it.
        if job.camera == "tracked" or holds_head_still(track):
            track = steadied(track, context.model)
        return tracked_sequence(track, track_sampling(job), jaw_motion=job.jaw_motion)
    return make_sequence(
        context.source.parameters(plan.parameters_index),
        plan.layout.n_frames,
        include_neutral=job.include_neutral,
        jaw_motion=job.jaw_motion,
        profile=MotionProfile(job.motion_profile, job.amplitude),
    )


def _motion_record(context: JobContext, plan: SequencePlan) -> dict[str, Any]:
    job = context.job
    if job.motion == "tracked":
        track = context.source.track(plan.parameters_index)
        times = sample_times(track, track_sampling(job)).tolist()
        fps = job.fps or (None if track[0].fps is None else track[0].fps / job.frame_step)
        return {"kind": "tracked", "track": track[0].track, "fps": fps, "times": times}
    profile = MotionProfile(job.motion_profile, job.amplitude)
    return {"kind": "interpolate", "profile": profile.name, "amplitude": profile.reached}


def _camera(context: JobContext, rng: np.random.Generator, vertices: NDArray[np.float32]) -> Camera:
    preset, job = context.preset.camera, context.job
    lens = preset.focal_length_mm if preset.focal_length_mm is not None else preset.distance
    assert lens is not None
    value = draw(rng, lens)
    framing = Framing(
        fill=draw(rng, preset.fill),
        max_width_fill=preset.max_width_fill,
        offset=(draw(rng, preset.offset_x), draw(rng, preset.offset_y)),
    )
    is_focal = preset.focal_length_mm is not None
    return fit_camera(
        vertices[:, context.framed_vertices],
        framing,
        width=job.width,
        height=job.height,
        focal_px=value / preset.sensor_width_mm * job.width if is_focal else None,
        distance=None if is_focal else value,
        rim=vertices[:, context.rim_vertices] if len(context.rim_vertices) else None,
    )


def _background(
    context: JobContext, seed: int, hdri: str, yaw: float, field_of_view: float
) -> tuple[NDArray[np.uint8], str]:
    job = context.job
    if job.backgrounds == "hdri":
        picture = hdri_background(hdri, yaw=yaw, field_of_view=field_of_view, width=job.width, height=job.height)
        return picture, f"hdri:{hdri}"
    path, picture = choose_background(job.backgrounds, derive_generator(seed, "background"), job.width, job.height)
    return picture, path.name


def _atlas(context: JobContext, seed: int, identity: str) -> tuple[bytes, str]:
    job = context.job
    if job.textures == "generated":
        return context.generated_atlas(seed), "generated"
    path, texture = choose_texture(job.textures, derive_generator(seed, "texture"), identity)
    return encode_fast_png(texture), path.name
