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
from ffngen.appearance.uv_raster import UvRaster, rasterise, vertex_normals
from ffngen.errors import InputFileError
from ffngen.head.model import HeadModel
from ffngen.texture.blend import blend
from ffngen.texture.complete import SEEN, complete, mirror_of
from ffngen.texture.iris import iris_colour, on_iris
from ffngen.texture.light import gloss, transfer
from ffngen.texture.mean_skin import mean_look, paint_mean_skin, pigments_of
from ffngen.texture.shading import Sample, estimate_light, unlit
from ffngen.texture.surface import Surface
from ffngen.texture.view import View, project

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Texels along a side of the atlas on which the light is estimated.
_LIGHT_SIZE = 256

#: Texels of that atlas that must be seen for a view to say anything.
_LEAST_SEEN = 200


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
    :raises MissingPackageError: embreex is not installed.
    """
    layout = FaceLayout.of(model)
    progress("light")
    lights, transfers, tone = _light(model, layout, views)
    melanin, haemoglobin = pigments_of(tone)
    progress("mean skin")
    iris = _iris(model, layout, views, lights, transfers)
    look = mean_look(melanin, haemoglobin) if iris is None else mean_look(melanin, haemoglobin, iris)
    atlas = paint_mean_skin(model, look, size)
    raster = rasterise(model, size)
    skin = _Skin.of(model, raster)
    logs, weights, cosine = [], [], np.zeros(len(skin.texels), dtype=np.float32)
    for view, light, (T, G) in zip(views, lights, transfers, strict=True):
        progress(view.name)
        seen = project(view, model.faces, skin.corners, skin.barycentric)
        irradiance, mirrored = (skin.surface.spread(part @ light) for part in (T, G))
        logs.append(np.log(unlit(seen.colour, irradiance, mirrored)))
        weights.append(seen.weight)
        np.maximum(cosine, seen.cosine, out=cosine)
    progress("blending")
    blended = blend(skin.surface, logs, weights)
    progress("hidden parts")
    mean_skin = np.log(np.maximum(atlas.reshape(-1, 3)[skin.texels], 0.004))
    everywhere = complete(skin.surface, blended, mean_skin, *skin.mirrors(model, raster, layout, blended.seen))
    flat = linear_to_srgb(atlas).reshape(-1, 3)
    flat[skin.texels] = linear_to_srgb(np.exp(everywhere))
    confidence = np.zeros(size * size, dtype=np.uint8)
    confidence[skin.texels] = np.rint(255 * np.where(blended.seen > 0, cosine, 0))
    record = {
        "views": [view.name for view in views],
        "size": size,
        "melanin": round(melanin, 3),
        "haemoglobin": round(haemoglobin, 3),
        "iris": None if iris is None else [round(value, 4) for value in iris],
        "light": [np.round(light, 4).tolist() for light in lights],
        "seen": round(float((cosine[raster.covered[skin.chosen]] > 0).mean()), 4),
    }
    return ExtractedTexture(flat.reshape(size, size, 3), confidence.reshape(size, size), record)


@dataclass(frozen=True)
class _Skin:
    """The texels of the skin: K of a raster's painted texels.

    :param chosen: (K,) which of the raster's.
    :param texels: (K,) ``row * size + column``.
    :param corners: (K, 3) vertices of their faces.
    :param barycentric: (K, 3) float32.
    """

    chosen: NDArray[np.int64]
    texels: NDArray[np.int32]
    corners: NDArray[np.int32]
    barycentric: Array32
    surface: Surface

    @classmethod
    def of(cls, model: HeadModel, raster: UvRaster) -> _Skin:
        on_skin = faces_of_skin(model)
        chosen = np.flatnonzero(on_skin[raster.face])
        corners = model.faces[raster.face[chosen]]
        barycentric = raster.barycentric[chosen]
        surface = Surface(model.template, model.faces[on_skin], corners, barycentric)
        return cls(chosen, raster.texels[chosen], corners, barycentric, surface)

    def mirrors(
        self, model: HeadModel, raster: UvRaster, layout: FaceLayout, seen: Array32
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """For vertices (V,), and for texels (K,) that are not seen, the one on the other side; -1 for none."""
        middle = float(layout.origin[0])
        vertices = np.unique(model.faces[faces_of_skin(model)])
        normals = vertex_normals(model.template, model.faces)[vertices].astype(np.float32)
        images = mirror_of(model.template[vertices].astype(np.float32), normals, np.arange(len(vertices)), middle)
        of_vertex = np.full(model.vertex_count, -1, dtype=np.int64)
        of_vertex[vertices] = np.where(images >= 0, vertices[images], -1)
        wanted = np.flatnonzero(seen < SEEN)
        of_texel = np.full(len(self.chosen), -1, dtype=np.int64)
        of_texel[wanted] = mirror_of(raster.position[self.chosen], raster.normal[self.chosen], wanted, middle)
        return of_vertex, of_texel


def _light(
    model: HeadModel, layout: FaceLayout, views: Sequence[View]
) -> tuple[list[Array64], list[tuple[Array64, Array64]], Array64]:
    """Light (BASIS, 3) transfer and gloss (V, BASIS) of each view, and the tone (3,) of the skin that they show.

    :raises InputFileError: a view does not show the face.
    """
    raster = rasterise(model, _LIGHT_SIZE)
    skin = _Skin.of(model, raster)
    mean_skin = paint_mean_skin(model, mean_look(0.3, 0.5), _LIGHT_SIZE).reshape(-1, 3)[skin.texels].astype(np.float64)
    plain = _is_plain(model, layout, raster, skin)
    samples, transfers = [], []
    for view in views:
        seen = project(view, model.faces, skin.corners, skin.barycentric)
        weight = np.where(plain, seen.weight, 0)
        if (weight > 0).sum() < _LEAST_SEEN:
            what = "the head's parameters and camera put no face into the picture"
            raise InputFileError(what, where=view.name, mend="give the picture that they were tracked in")
        T = transfer(view.vertices.astype(np.float64), model.faces, seen.normals)
        # What scatters below the skin does not know edges of shadows; nor does the noise of the transfer matter then.
        T = skin.surface.fitted(T, np.ones(len(T)), 0.5)
        G = gloss(view.vertices.astype(np.float64), seen.normals, T[:, 0], view.camera.position)
        transfers.append((T, G))
        at_texels = (skin.surface.spread(part).astype(np.float64) for part in (T, G))
        samples.append(Sample(seen.colour.astype(np.float64), weight / weight.max(), *at_texels))
    lights, albedo = estimate_light(samples, mean_skin, [view.camera for view in views])
    return lights, transfers, albedo


def _iris(
    model: HeadModel,
    layout: FaceLayout,
    views: Sequence[View],
    lights: Sequence[Array64],
    transfers: Sequence[tuple[Array64, Array64]],
) -> tuple[float, float, float] | None:
    """The colour of the irises as the views show it; None where they show too little."""
    raster = rasterise(model, _LIGHT_SIZE)
    chosen = np.flatnonzero(~faces_of_skin(model)[raster.face])
    chosen = chosen[on_iris(layout.points(raster.position[chosen]), layout)]
    corners, barycentric = model.faces[raster.face[chosen]], raster.barycentric[chosen]
    surface = Surface(model.template, model.faces, corners, barycentric)
    albedos, weights = [], []
    for view, light, (T, _) in zip(views, lights, transfers, strict=True):
        seen = project(view, model.faces, corners, barycentric)
        # The cornea's gloss is a few bright spots, which the median leaves out.
        albedos.append(unlit(seen.colour, surface.spread(T @ light), np.zeros_like(seen.colour)))
        weights.append(seen.weight)
    return iris_colour(albedos, weights)


def _is_plain(model: HeadModel, layout: FaceLayout, raster: UvRaster, skin: _Skin) -> NDArray[np.bool_]:
    """(K,) bool: texels of the face that are most people's skin: without scalp, brows, lips, lids and neck."""
    x, y, z = layout.points(raster.position[skin.chosen]).T
    brows = layout.landmarks[17:27, 1]
    plain: NDArray[np.bool_] = (z > -40) & (y < brows.max() + 35) & (y > layout.mouth_y - 50)
    plain &= (y < brows.min() - 6) | (y > brows.max() + 6) | (np.abs(x) < 6)
    for eye in layout.eyes:
        plain &= np.hypot(x - eye.center[0], y - eye.center[1]) > eye.radius + 6
    lips = layout.outer_lips
    plain &= (np.abs(x) > np.abs(lips[:, 0]).max() + 2) | (y > lips[:, 1].max() + 2) | (y < lips[:, 1].min() - 2)
    return plain
