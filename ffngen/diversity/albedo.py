"""The colour of the skin that a head was textured with, without light."""

from __future__ import annotations

import json
from functools import lru_cache

import numpy as np

from ffngen.appearance.colour import srgb_to_linear
from ffngen.appearance.skin import generate_texture, look_of
from ffngen.appearance.uv_raster import rasterise
from ffngen.dataset.metadata import SequenceMetadata
from ffngen.diversity.skin_tone import median_colour
from ffngen.head.model import HeadModel

#: The parts of the face that tell the skin's tone.
SKIN = ("cheeks", "forehead", "nose")

_SIZE = 128


def generated_albedo(model: HeadModel, metadata: SequenceMetadata) -> tuple[float, float, float] | None:
    """The median linear sRGB of the skin of the texture that was generated for a sequence.

    The dataset does not keep the texture: it is generated again from its seed, smaller. None where it was not
    generated, or where this version of ffngen would generate another person from that seed.
    """
    seed = metadata.seeds.get("skin")
    if seed is None or metadata.scene.get("texture") != "generated":
        return None
    if metadata.scene.get("look") != json.loads(json.dumps(look_of(seed).to_json())):
        return None
    return _albedo_of(model, seed)


@lru_cache(maxsize=16)
def _albedo_of(model: HeadModel, seed: int) -> tuple[float, float, float] | None:
    raster = rasterise(model, _SIZE)
    faces = [model.regions[name] for name in SKIN if name in model.regions]
    if not faces:
        return None
    texture = generate_texture(model, seed=seed, size=_SIZE)
    on_skin = raster.on_faces(np.unique(np.concatenate(faces)))
    return median_colour(srgb_to_linear(texture[..., :3].reshape(-1, 3)[raster.texels[on_skin]]))
