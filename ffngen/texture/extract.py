"""From views of a person to a texture of the person: project, take the light away, blend, complete."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb
from ffngen.appearance.layout import FaceLayout
from ffngen.appearance.skin import faces_of_skin
from ffngen.appearance.uv_raster import UvRaster, rasterise
from ffngen.geometry.normals import vertex_normals
from ffngen.head.model import HeadModel
from ffngen.texture.blend import blend
from ffngen.texture.complete import SEEN, complete, mirror_of
from ffngen.texture.hair_shine import without_shine
from ffngen.texture.lit_view import COARSE, light_views
from ffngen.texture.mean_skin import mean_look, paint_mean_skin, pigments_of
from ffngen.texture.parts import iris_colour, is_collar
from ffngen.texture.patch import Patch, above_any_hairline
from ffngen.texture.view import View

Array32 = NDArray[np.float32]


@dataclass(frozen=True)
class ExtractedTexture:
    """A texture and where it comes from.

    :param texture: (S, S, 3) uint8 sRGB; row 0 is at v = 1.
    :param confidence: (S, S) uint8: 255 times the cosine at which the best view sees a texel; 0 where none does, and
        where the atlas is empty.
    :param record: JSON-ready: views, pigments, light.
    """

    texture: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    record: dict[str, Any]


def extract_texture(
    model: HeadModel,
    views: Sequence[View],
    *,
    size: int = 1024,
    progress: Callable[[str], None] = lambda what: None,
) -> ExtractedTexture:
    """The texture of a person.

    :param views: at least one; each with the model's vertices in it.
    :param size: texels along a side.
    :raises HeadModelError: the model has no texture coordinates or eyeballs, or the size is out of range.
    :raises InputFileError: a view does not show the face.
    :raises MissingPackageError: embreex is not installed, or bpy, whose surroundings say what light is likely.
    """
    layout = FaceLayout.of(model)
    progress("light")
    lit, estimate = light_views(model, layout, views)
    coarse = rasterise(model, COARSE)
    iris = iris_colour(lit, Patch.of(model, layout, coarse, ~faces_of_skin(model)), layout)
    hair = (
        None if estimate.hair is None else (float(estimate.hair[0]), float(estimate.hair[1]), float(estimate.hair[2]))
    )
    melanin, haemoglobin = pigments_of(estimate.tone)
    progress("mean skin")
    atlas = paint_mean_skin(model, mean_look(melanin, haemoglobin, iris, hair), size)
    raster = rasterise(model, size)
    skin = Patch.of_skin(model, layout, raster)
    logs, weights, cosine = [], [], np.zeros(len(skin.texels), dtype=np.float32)
    for one in lit:
        progress(one.view.name)
        albedo, seen = one.albedo(skin)
        weight = np.where(is_collar(skin.points, albedo, estimate.tone, layout.mouth_y), np.float32(0), seen.weight)
        logs.append(np.log(albedo))
        weights.append(weight)
        np.maximum(cosine, np.where(weight > 0, seen.cosine, 0), out=cosine)
    progress("blending")
    blended = blend(skin.surface, logs, weights)
    if estimate.hair is not None:
        scalp = above_any_hairline(layout.points(model.template.astype(np.float32)), layout)
        blended = without_shine(blended, scalp, estimate.hair)
    progress("hidden parts")
    mean_skin = np.log(np.maximum(atlas.reshape(-1, 3)[skin.texels], 0.004))
    everywhere = complete(skin.surface, blended, mean_skin, *_mirrors(model, raster, skin, layout, blended.seen))
    flat = linear_to_srgb(atlas).reshape(-1, 3)
    flat[skin.texels] = linear_to_srgb(np.exp(everywhere))
    confidence = np.zeros(size * size, dtype=np.uint8)
    confidence[skin.texels] = np.rint(255 * np.where(blended.seen > 0, cosine, 0))
    record = {
        "views": [view.name for view in views],
        "size": size,
        "melanin": round(melanin, 3),
        "haemoglobin": round(haemoglobin, 3),
        "iris": None if iris is None else np.round(iris, 4).tolist(),
        "hair": None if hair is None else np.round(hair, 4).tolist(),
        "light": [np.round(one.light, 4).tolist() for one in lit],
        "seen": round(float((cosine[skin.covered] > 0).mean()), 4),
    }
    return ExtractedTexture(flat.reshape(size, size, 3), confidence.reshape(size, size), record)


def _mirrors(
    model: HeadModel, raster: UvRaster, skin: Patch, layout: FaceLayout, seen: Array32
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For vertices (V,), and for texels (N,) that are not seen, the one on the other side; -1 for none."""
    middle = float(layout.origin[0])
    vertices = np.unique(model.faces[faces_of_skin(model)])
    normals = vertex_normals(model.template, model.faces)[vertices].astype(np.float32)
    images = mirror_of(model.template[vertices].astype(np.float32), normals, np.arange(len(vertices)), middle)
    of_vertex = np.full(model.vertex_count, -1, dtype=np.int64)
    of_vertex[vertices] = np.where(images >= 0, vertices[images], -1)
    wanted = np.flatnonzero(seen < SEEN)
    of_texel = np.full(len(skin.chosen), -1, dtype=np.int64)
    of_texel[wanted] = mirror_of(raster.position[skin.chosen], raster.normal[skin.chosen], wanted, middle)
    return of_vertex, of_texel
