"""A head's texture atlas, generated: skin, lips, brows, hair, eyes, mouth.

Everything is painted at each texel's place on the template (:mod:`ffngen.appearance.uv_raster`), so the
atlas has no visible seams. Amounts of pigment come first; their colour, and what covers the skin, follow.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb
from ffngen.appearance.eyes import paint_eyeball
from ffngen.appearance.layout import FaceLayout
from ffngen.appearance.look import Look, sample_look
from ffngen.appearance.noise import SpatialNoise
from ffngen.appearance.skin_paint import paint_skin
from ffngen.appearance.uv_raster import rasterise
from ffngen.head.model import HeadModel

Array32 = NDArray[np.float32]

#: Moist regions inside the head and their albedos, linear sRGB; later ones lie over earlier ones.
_INNER_PARTS: tuple[tuple[str, tuple[float, float, float]], ...] = (
    ("eye_sockets", (0.20, 0.060, 0.050)),
    ("mouth_interior", (0.20, 0.045, 0.040)),
    ("tongue", (0.34, 0.105, 0.095)),
    ("teeth", (0.62, 0.57, 0.47)),
)


def generate_texture(model: HeadModel, *, seed: int, size: int = 1024) -> NDArray[np.uint8]:
    """The atlas (size, size, 3) uint8 sRGB of one person; row 0 is at v = 1. The same seed makes the same bytes.

    :raises HeadModelError: the model lacks texture coordinates or eyeballs, or the size is out of range.
    """
    rng = np.random.default_rng(seed)
    return paint(model, sample_look(rng), rng, size)


def look_of(seed: int) -> Look:
    """The look that :func:`generate_texture` gives to a seed, for the record."""
    return sample_look(np.random.default_rng(seed))


def paint(model: HeadModel, look: Look, rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """The atlas of a person of a given look; ``rng`` decides what the look leaves open."""
    raster = rasterise(model, size)
    layout = FaceLayout.of(model)
    points = layout.points(raster.position)
    noise = SpatialNoise(rng)
    albedo = np.empty((len(points), 3), dtype=np.float32)
    on_skin = np.ones(len(points), dtype=bool)
    for region, eye in zip(("left_eyeball", "right_eyeball"), layout.eyes, strict=True):
        chosen = raster.on_faces(model.regions[region])
        albedo[chosen] = paint_eyeball(points[chosen], eye, look, noise)
        on_skin &= ~chosen
    for region, colour in _INNER_PARTS:
        if region in model.regions:
            chosen = raster.on_faces(model.regions[region])
            shade = 1 + 0.06 * noise(points[chosen], 6.0)
            albedo[chosen] = np.array(colour, dtype=np.float32) * shade[:, None]
            on_skin &= ~chosen
    ears = model.regions.get("ears")
    on_ear = raster.on_faces(ears)[on_skin] if ears is not None else None
    albedo[on_skin] = paint_skin(points[on_skin], on_ear, layout, look, noise, rng)
    encoded = linear_to_srgb(albedo)
    return cast(NDArray[np.uint8], raster.image(encoded, encoded[on_skin].mean(axis=0).astype(np.uint8)))
