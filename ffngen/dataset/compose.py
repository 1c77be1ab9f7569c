"""From a plan to a render request: parameters, motion, camera, light, skin and background of one sequence."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.background import seen_of_plane
from ffngen.appearance.development import Development
from ffngen.appearance.materials import sample_eye, sample_skin
from ffngen.appearance.relief import RELIEF_RANGE
from ffngen.appearance.skin import look_of
from ffngen.appearance.textures import TextureFolder
from ffngen.dataset.compose_scene import compose_light, compose_view, sample_development
from ffngen.dataset.context import JobContext, encode_fast_png
from ffngen.dataset.plan import SequencePlan, track_sampling
from ffngen.job import Job
from ffngen.motion.profile import MotionProfile
from ffngen.motion.sequence import MotionSequence, make_sequence
from ffngen.motion.steady import holds_head_still, steadied
from ffngen.motion.tracked import sample_times, tracked_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.parameter_set import ParameterSet
from ffngen.props.prop import DressedHead
from ffngen.props.wardrobe import wardrobe_of
from ffngen.render.request import MATERIALS, RawPass, SequenceRequest, Settings, SplatSettings
from ffngen.scene.handheld import FPS
from ffngen.seeds import derive_generator, derive_seed
from ffngen.splat.ply import find_avatar


@dataclass(frozen=True)
class ComposedSequence:
    """A request with what the dataset records of it.

    :param request: for the render process.
    :param parameters: the target of the motion.
    :param atlas_png: the head's texture, as a file.
    :param background: uint8, sRGB: the stationary plane's picture; (H, W, 3) and the request's margin on each side.
    :param development: from light to the pictures' code values.
    :param record: the scene, JSON-ready.
    :param seeds: by purpose.
    :param motion: how the face moves, JSON-ready.
    """

    request: SequenceRequest
    parameters: ParameterSet
    atlas_png: bytes
    background: NDArray[np.uint8]
    development: Development
    record: dict[str, Any]
    seeds: dict[str, int]
    motion: dict[str, Any]

    def background_of(self, index: int) -> NDArray[np.uint8]:
        """What the camera of the ``index``-th facial frame sees of the plane: (H, W, 3) uint8, sRGB."""
        request = self.request
        if request.poses is None:
            return self.background
        return seen_of_plane(
            self.background,
            request.background_margin,
            request.background,
            [request.camera_at(time) for time in request.exposure_times(index)],
        )

    def before(self, picture: NDArray[np.uint8]) -> ComposedSequence:
        """The same before another picture: a template's background, once it has been rendered."""
        return replace(self, background=picture)

    def noise_seed(self, kind: RawPass, index: int) -> int:
        """The seed of one picture's noise; ``index`` is its number among the facial frames."""
        return derive_seed(self.seeds["noise"], "noise", kind.value, index)


def compose(context: JobContext, plan: SequencePlan) -> ComposedSequence:
    """Compose one sequence; a pure function of the job's content and the plan.

    Skin depends on the identity, so that a person looks the same in all sequences; the camera, the
    light and the background depend on the sequence.
    """
    job, model, preset = context.job, context.model, context.preset
    parameters = context.source.parameters(plan.parameters_index)
    facial, head = sequence_vertices(model, _motion(context, plan))

    skin_seed = derive_seed(job.seed, "skin", plan.identity)
    dressed = context.dressed_head(plan.parameters_index, skin_seed)
    scene_seed = derive_seed(job.seed, "scene", plan.take)
    # Views share light and background; their noise is each sensor's own.
    noise_seed = scene_seed if plan.view is None else derive_seed(scene_seed, "view", plan.view)
    motion = _motion_record(context, plan)
    view = compose_view(context, plan, np.concatenate([facial, head]), scene_seed, motion.get("fps") or FPS)
    # The camera frames the head, whatever it wears.
    facial, head = dressed.vertices(facial), dressed.vertices(head)
    light = compose_light(context, scene_seed, view, parameters)
    development = sample_development(derive_generator(scene_seed, "image"), preset.image)
    if job.engine == "splat":
        # Gaussians are seen through a pinhole, at one moment, and throw no shadow on the background.
        view, development = replace(view, aperture=0.0), replace(development, motion_blur=0.0)
    atlas, atlas_record = _atlas(context, skin_seed, plan.identity)
    skin_rng = derive_generator(skin_seed, "material")
    appearance = {
        "lighting": light.lighting,
        "skin": sample_skin(skin_rng).to_json(),
        "eye": sample_eye(skin_rng).to_json(),
        "relief": RELIEF_RANGE,
    }
    count = len(facial) + len(head)
    request = SequenceRequest(
        camera=view.camera,
        background_depth=view.background_depth,
        facial=facial,
        head=head,
        faces=dressed.faces,
        uv_coordinates=dressed.uv_coordinates,
        uv_faces=dressed.uv_faces,
        face_materials=_materials(context, dressed),
        tints=dressed.tints,
        environment=light.environment,
        appearance=appearance,
        settings=Settings(
            samples=job.samples,
            denoise=job.denoise,
            # Cycles takes 31 bits.
            colour_seeds=tuple(derive_seed(noise_seed, "colour", i) >> 32 for i in range(count)),
            aperture=view.aperture,
            focus=view.focus,
            shutter=development.motion_blur,
            shadow=_throws_shadow(context),
        ),
        template=None if context.template is None else str(context.template.path.absolute()),
        poses=view.poses,
        background_margin=view.margin,
        splat=_splat(context, skin_seed),
    )
    record = {
        **_splat_record(context),
        "preset": job.scene if job.scene.isidentifier() else Path(job.scene).name,
        "background": light.backdrop.source,
        "shadow": _throws_shadow(context),
        "camera": view.record,
        "image": development.to_json(),
        **atlas_record,
        "samples": job.samples,
        "denoise": job.denoise,
        "jaw_motion": job.jaw_motion,
        "look": look_of(skin_seed).to_json() if job.textures == "generated" or dressed.props else None,
        "wardrobe": wardrobe_of(skin_seed).to_json() if dressed.props else None,
        "props": [{"kind": prop.kind, "faces": [first, last]} for prop, first, last in dressed.face_ranges()],
        **appearance,
    }
    seeds = {"job": job.seed, "skin": skin_seed, "scene": scene_seed, "noise": noise_seed}
    # JSON knows lists alone; the record must compare equal when it is read back.
    record = json.loads(json.dumps(record))
    return ComposedSequence(request, parameters, atlas, light.backdrop.picture, development, record, seeds, motion)


def _throws_shadow(context: JobContext) -> bool:
    return context.preset.background.shadow and context.job.engine == "cycles"


def _splat(context: JobContext, skin_seed: int) -> SplatSettings | None:
    job = context.job
    if job.engine != "splat":
        return None
    avatar = None if job.avatar is None else str(find_avatar(job.avatar).absolute())
    return SplatSettings(job.gaussians, job.flow_mode, derive_seed(skin_seed, "gaussians"), avatar)


def _splat_record(context: JobContext) -> dict[str, Any]:
    """What the Gaussians are, for the record."""
    job = context.job
    if job.engine != "splat":
        return {}
    made: dict[str, Any] = {"gaussians": job.gaussians}
    if job.avatar is not None:
        made = {"avatar": job.avatar.name or "given", "avatar_sha256": context.inputs["avatar"]}
    return {"splat": {**made, "flow_mode": job.flow_mode}}


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
        profile=_profile(job),
    )


def _motion_record(context: JobContext, plan: SequencePlan) -> dict[str, Any]:
    job = context.job
    if job.motion == "tracked":
        track = context.source.track(plan.parameters_index)
        times = sample_times(track, track_sampling(job)).tolist()
        fps = job.fps or (None if track[0].fps is None else track[0].fps / job.frame_step)
        return {"kind": "tracked", "track": track[0].track, "fps": fps, "times": times}
    profile = _profile(job)
    reached = {"amplitude": profile.reached, "pose_amplitude": profile.pose_amplitude}
    return {"kind": "interpolate", "profile": profile.name, **reached}


def _profile(job: Job) -> MotionProfile:
    pose_amplitude = 1.0 if job.pose_amplitude is None else job.pose_amplitude
    return MotionProfile(job.motion_profile, job.amplitude, pose_amplitude)


def _atlas(context: JobContext, seed: int, identity: str) -> tuple[bytes, dict[str, Any]]:
    """A person's texture as a file, and what it is, for the record."""
    if context.textures is None:
        return context.generated_atlas(seed), {"texture": "generated"}
    rng = derive_generator(seed, "texture")
    if isinstance(context.textures, TextureFolder):
        worn = context.textures.worn_by(identity, rng)
    else:
        worn = context.textures.worn_by(context.texture_codes.get(identity), rng)
    return encode_fast_png(worn.texture), {"texture": worn.name, **worn.record}
