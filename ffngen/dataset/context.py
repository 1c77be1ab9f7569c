"""What all sequences of a job share: the model, the scene preset, the parameters, and one digest of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.albedo import SUFFIX, AlbedoModel
from ffngen.appearance.own_hdris import hdris_digest, own_hdris
from ffngen.appearance.skin import generate_texture, look_of
from ffngen.appearance.textures import TextureFolder
from ffngen.atomic import sha256_file
from ffngen.dataset.avatar_source import avatar_source
from ffngen.dataset.labels.layout import parse_kinds, require_of_avatars
from ffngen.dataset.source_view import check_rig, check_views
from ffngen.dataset.user_images import check_images
from ffngen.head.load import OPEN, load_head
from ffngen.head.model import HeadModel
from ffngen.head.open_head import ensure_built
from ffngen.job import PATH_FIELDS, Job
from ffngen.params.source import ParameterSource, parameter_source
from ffngen.props.dressing import make_props, missing_for
from ffngen.props.prop import KINDS, DressedHead, dress
from ffngen.props.wardrobe import wardrobe_of
from ffngen.render.request import MATERIALS
from ffngen.render.template import read_template
from ffngen.scene.preset import TEMPLATE_SUFFIX, ScenePreset, load_preset
from ffngen.scene.rig import is_rig_file
from ffngen.scene.template import SceneTemplate
from ffngen.seeds import derive_seed
from ffngen.splat.ply import find_avatar

#: Which regions of a head are of which material; all the rest is skin.
_REGION_MATERIALS = (
    ("mouth_interior", "mouth"),
    ("tongue", "mouth"),
    ("eye_sockets", "mouth"),
    ("teeth", "teeth"),
    ("eyeballs", "eye"),
)


@dataclass(frozen=True)
class JobContext:
    """Everything that is read once for a job.

    :param textures: the user's own; None where they are generated.
    :param inputs: sha256 of each part of the job that lies in files of the user's; None for the parts that do not.
    :param hdris: the surroundings to draw from: what :func:`ffngen.appearance.hdri.load_hdri` takes.
    :param template: the scene, where it was built in Blender.
    """

    job: Job
    model: HeadModel
    preset: ScenePreset
    source: ParameterSource
    textures: TextureFolder | AlbedoModel | None
    inputs: Mapping[str, str | None]
    hdris: tuple[str, ...]
    template: SceneTemplate | None

    @cached_property
    def face_materials(self) -> NDArray[np.uint8]:
        """(F,) uint8: index into :data:`ffngen.render.request.MATERIALS`."""
        materials = np.zeros(len(self.model.faces), dtype=np.uint8)
        for region, material in _REGION_MATERIALS:
            if region in self.model.regions:
                materials[self.model.regions[region]] = MATERIALS.index(material)
        return materials

    @cached_property
    def props(self) -> tuple[str, ...]:
        """The kinds of props that identities may have: what the job says, or all that the model has places for."""
        if self.job.props is not None:
            return self.job.props
        if self.job.textures != "generated" or self.job.avatar is not None:
            return ()
        return tuple(kind for kind in KINDS if missing_for(kind, self.model) is None)

    @cached_property
    def framed_vertices(self) -> NDArray[np.int64]:
        """Vertices that the camera frames: crown to chin, without the neck."""
        model = self.model
        neck = model.regions.get("neck")
        framed = np.ones(len(model.faces), dtype=bool)
        if neck is not None:
            framed[neck] = False
        vertices: NDArray[np.int64] = np.unique(model.faces[framed])
        return vertices

    @cached_property
    def rim_vertices(self) -> NDArray[np.int64]:
        """Vertices of the neck's open lower end: on edges of one face alone, in the region ``neck``."""
        faces = self.model.faces
        edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1)
        unique, counts = np.unique(edges, axis=0, return_counts=True)
        neck = self.model.regions.get("neck", np.zeros(0, dtype=np.int32))
        rim: NDArray[np.int64] = np.intersect1d(unique[counts == 1], faces[neck])
        return rim

    @cached_property
    def texture_codes(self) -> Mapping[str, NDArray[np.float64]]:
        """The texture's coefficients of each identity, where a tracker wrote them: the first set's that has any."""
        codes: dict[str, NDArray[np.float64]] = {}
        for index in range(len(self.source)) if self.job.params != "sample" else ():
            one = self.source.parameters(index)
            if one.texture is not None:
                codes.setdefault(one.identity, one.texture)
        return codes

    @cached_property
    def generated_atlas(self) -> Callable[[int], bytes]:
        """The generated texture of a seed as a PNG file; the last ones are kept for the identity's next sequence."""

        @lru_cache(maxsize=8)
        def make(seed: int) -> bytes:
            return encode_fast_png(generate_texture(self.model, seed=seed, size=self.job.texture_size))

        return make

    @cached_property
    def dressed_head(self) -> Callable[[int, int], DressedHead]:
        """A person's head with what it wears, by parameter set and skin seed; the last ones are kept."""

        @lru_cache(maxsize=8)
        def make(parameters_index: int, skin_seed: int) -> DressedHead:
            parameters = self.source.parameters(parameters_index)
            neutral = self.model.with_shape(parameters.betas, parameters.static_offset).neutral
            look, wardrobe, seed = look_of(skin_seed), wardrobe_of(skin_seed), derive_seed(skin_seed, "props")
            return dress(self.model, make_props(self.model, neutral, look, wardrobe, self.props, seed))

        return make

    def content(self) -> dict[str, Any]:
        """What decides every byte of a sequence, JSON-ready: what files hold, not where they lie."""
        job = self.job.content()
        for field, word in PATH_FIELDS.items():
            if field != "rig" and job.get(field, word) != word:
                job[field] = "given"
        if self.job.rig is not None and is_rig_file(self.job.rig):
            job["rig"] = "given"
        return {
            "job": job,
            "scene_preset": self.preset.model_dump(mode="json"),
            "model": self.model.digest,
            **self.inputs,
        }

    @cached_property
    def digest(self) -> str:
        """sha256 of :meth:`content`."""
        return digest_of(self.content())


def digest_of(content: Mapping[str, Any]) -> str:
    """sha256 of a job's content, as 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def open_context(job: Job, progress: Callable[[str], None] | None = None) -> JobContext:
    """Read and check everything that a job names, before any work begins.

    :param progress: told what is done where that takes seconds (building the open head).
    :raises FfngenError: the first fault, as one line.
    """
    if job.avatar is not None:
        require_of_avatars(parse_kinds(job.labels), "labels")
    preset = load_preset(job.scene)
    textures = _open_textures(job.textures)
    backgrounds = check_images(job.backgrounds, "backgrounds") if job.backgrounds != "hdri" else None
    source_images = check_images(str(job.source_images), "source_images") if job.source_images is not None else None
    template = read_template(Path(job.scene)) if job.scene.endswith(TEMPLATE_SUFFIX) else None
    hdris: tuple[str, ...] = preset.lighting.hdris
    if job.hdris is not None:
        hdris = own_hdris(job.hdris, progress)
    if job.head == OPEN:
        ensure_built(progress)
    model = load_head(job.head if job.head == OPEN else Path(job.head), family=job.head_family, teeth=job.head_teeth)
    if isinstance(textures, AlbedoModel):
        textures.require_layout(model)
    source = parameter_source(job, model)
    if job.avatar is not None:
        source = avatar_source(source, job.avatar, model)
    check_views(job, source)
    # One set of each emotion that is asked for: what cannot be sampled is found now.
    for index in range(min(len(source), len(job.emotions or ()))):
        source.parameters(index)
    inputs = {
        "parameters": _digest_of_sets(source, isinstance(textures, AlbedoModel)) if job.params != "sample" else None,
        "expressions": sha256_file(job.expressions) if job.expressions is not None else None,
        "textures": None if textures is None else textures.digest,
        "backgrounds": backgrounds,
        "source_images": source_images,
        "hdris": hdris_digest(hdris) if job.hdris is not None else None,
        "template": None if template is None else template.sha256,
    }
    if job.rig is not None:
        check_rig(job, job.rig)
        if is_rig_file(job.rig):
            inputs["rig"] = sha256_file(Path(job.rig))
    if job.avatar is not None:
        inputs["avatar"] = sha256_file(find_avatar(job.avatar))
    return JobContext(job, model, preset, source, textures, inputs, hdris, template)


def _open_textures(textures: str) -> TextureFolder | AlbedoModel | None:
    if textures == "generated":
        return None
    return AlbedoModel.open(textures) if textures.lower().endswith(SUFFIX) else TextureFolder.open(textures)


def _digest_of_sets(source: ParameterSource, with_textures: bool) -> str:
    """sha256 of given parameter sets, in their order: a sequence is named by its place among them."""
    digest = hashlib.sha256()
    for index in range(len(source)):
        for one in source.track(index):
            digest.update(f"{one.family}\0{one.identity}\0{one.emotion}\0{one.track}\0{one.frame}\0".encode())
            camera = None if one.camera is None else one.camera.to_json()
            digest.update(f"{one.fps}\0{camera}\0{one.image}\0".encode())
            arrays = (one.betas, one.expression, one.pose, one.translation, one.eyelids)
            texture = one.texture if with_textures else None
            for array in (*arrays, one.static_offset, one.dynamic_offset, texture):
                digest.update(b"" if array is None else array.tobytes())
    return digest.hexdigest()


def encode_fast_png(image: NDArray[np.uint8]) -> bytes:
    """An RGB(A) picture as a lightly compressed PNG, for a file that is read once, by the render process."""
    order = [2, 1, 0, 3][: image.shape[2]]
    encoded, data = cv2.imencode(".png", image[..., order], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert encoded
    return bytes(data)
