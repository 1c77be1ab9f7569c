"""A head's texture atlas, generated: the colour of skin, lips, brows, hair, eyes and mouth, and the skin's relief.

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
from ffngen.appearance.noise import SpatialNoise, smoothstep
from ffngen.appearance.relief import paint_relief
from ffngen.appearance.skin_paint import paint_skin
from ffngen.appearance.uv_raster import rasterise
from ffngen.head.model import HeadModel

Array32 = NDArray[np.float32]

_Rgb = tuple[float, float, float]

#: Moist regions inside the head and their albedos, linear sRGB, in front and 15 mm further in.
_INNER_PARTS: tuple[tuple[str, _Rgb, _Rgb], ...] = (
    ("eye_sockets", (0.20, 0.060, 0.050), (0.20, 0.060, 0.050)),
    ("mouth_interior", (0.38, 0.130, 0.110), (0.20, 0.045, 0.040)),
    ("tongue", (0.34, 0.105, 0.095), (0.30, 0.080, 0.070)),
    ("teeth", (0.62, 0.57, 0.47), (0.55, 0.48, 0.37)),
)


def generate_texture(model: HeadModel, *, seed: int, size: int = 1024) -> NDArray[np.uint8]:
    """The atlas of one person; row 0 is at v = 1. The same seed makes the same bytes.

    :returns: (size, size, 4) uint8: colour in sRGB, and the skin's height in steps of
        :data:`ffngen.appearance.relief.STEP` millimetres from 128.
    :raises HeadModelError: the model lacks texture coordinates or eyeballs, or the size is out of range.
    """
    rng = np.random.default_rng(seed)
    return paint(model, sample_look(rng), rng, size)


def look_of(seed: int) -> Look:
    """The look that :func:`generate_texture` gives to a seed, for the record."""
    return sample_look(np.random.default_rng(seed))


def paint(model: HeadModel, look: Look, rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """The atlas of a given look, as of :func:`generate_texture`; ``rng`` decides what the look leaves open."""
    raster = rasterise(model, size)
    layout = FaceLayout.of(model)
    points = layout.points(raster.position)
    noise = SpatialNoise(rng)
    albedo = np.empty((len(points), 3), dtype=np.float32)
    skin_faces = faces_of_skin(model)
    for region, eye in zip(("left_eyeball", "right_eyeball"), layout.eyes, strict=True):
        chosen = raster.on_faces(model.regions[region])
        albedo[chosen] = paint_eyeball(points[chosen], eye, look, noise)
    for region, front, back in _INNER_PARTS:
        if region in model.regions:
            chosen = raster.on_faces(model.regions[region])
            albedo[chosen] = _moist(points[chosen], front, back, noise)
    on_skin = skin_faces[raster.face]
    ears = model.regions.get("ears")
    on_ear = raster.on_faces(ears)[on_skin] if ears is not None else None
    moles = _scattered(model, np.flatnonzero(skin_faces), look.moles, rng)
    albedo[on_skin] = paint_skin(points[on_skin], on_ear, layout.points(moles), layout, look, noise, rng)
    height = np.full(len(points), 128, dtype=np.uint8)
    height[on_skin] = paint_relief(points[on_skin], layout, look, noise, rng)
    encoded = np.column_stack([linear_to_srgb(albedo), height])
    fill = np.append(encoded[on_skin, :3].mean(axis=0), 128).astype(np.uint8)
    return cast(NDArray[np.uint8], raster.image(encoded, fill))


def faces_of_skin(model: HeadModel) -> NDArray[np.bool_]:
    """(F,) bool: the faces that are neither eyeballs nor inside the head."""
    skin = np.ones(len(model.faces), dtype=bool)
    for region in ("left_eyeball", "right_eyeball", *(name for name, _, _ in _INNER_PARTS)):
        if region in model.regions:
            skin[model.regions[region]] = False
    return skin


def _moist(points: Array32, front: _Rgb, back: _Rgb, noise: SpatialNoise) -> Array32:
    """Albedo (N, 3) of a part inside the head that changes colour from its front to 15 mm behind it."""
    depth = points[:, 2].max(initial=0) - points[:, 2]
    inward = smoothstep(2.0, 15.0, depth)[:, None]
    shade = 1 + 0.06 * noise(points, 6.0)[:, None]
    first, last = np.array(front, dtype=np.float32), np.array(back, dtype=np.float32)
    return cast(Array32, (first + (last - first) * inward) * shade)


def _scattered(model: HeadModel, faces: NDArray[np.int64], count: int, rng: np.random.Generator) -> Array32:
    """(count, 3) metres: middles of faces of the template, larger faces more often."""
    corners = model.template[model.faces[faces]]
    area = np.sqrt((np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) ** 2).sum(axis=1))
    chosen = rng.choice(len(faces), size=count, p=area / area.sum())
    middles: Array32 = corners[chosen].mean(axis=1).astype(np.float32)
    return middles
