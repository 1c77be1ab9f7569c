"""Views with the light that their faces are in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.layout import FaceLayout
from ffngen.appearance.uv_raster import rasterise
from ffngen.errors import InputFileError
from ffngen.head.model import HeadModel
from ffngen.texture.light import transfer
from ffngen.texture.light_fit import Sample
from ffngen.texture.mean_skin import MEAN_PIGMENTS, mean_look, paint_mean_skin
from ffngen.texture.patch import Patch, above_any_hairline, is_bare, is_plain
from ffngen.texture.shading import Estimate, SkinModel, estimate_light, unlit
from ffngen.texture.view import Projected, View, project

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Texels along a side of the atlas on which light and colours of hair and irises are estimated.
COARSE = 256

#: Texels of that atlas that must be seen for a view to say anything.
_LEAST_SEEN = 200

#: How far light is spread below the skin, as smoothness of the transfer: about an edge of the mesh. Its noise goes too.
_SCATTERED = 0.5

#: The share of a colour that is taken for the surface's own, at the least, where gloss outshines it.
_LEAST_MATT = 0.2


@dataclass(frozen=True)
class LitView:
    """A view and its light.

    :param transfer: (V, BASIS), see :mod:`ffngen.texture.light`.
    :param gloss: (V, BASIS).
    :param light: (BASIS, 3).
    """

    view: View
    transfer: Array64
    gloss: Array64
    light: Array64

    def albedo(self, patch: Patch) -> tuple[Array32, Projected]:
        """The albedo (N, 3) float32 of a patch as this view shows it, and where: best where there is little gloss."""
        seen = project(self.view, patch.faces, patch.corners, patch.barycentric)
        irradiance, mirrored = (patch.surface.spread(part @ self.light) for part in (self.transfer, self.gloss))
        matt = np.clip(1 - mirrored.mean(axis=1) / np.maximum(seen.colour.mean(axis=1), 1e-4), _LEAST_MATT, 1)
        return unlit(seen.colour, irradiance, mirrored), replace(seen, weight=seen.weight * matt**2)


def light_views(model: HeadModel, layout: FaceLayout, views: Sequence[View]) -> tuple[list[LitView], Estimate]:
    """The views with their light, and what was estimated of the person with it.

    :raises InputFileError: a view does not show the face.
    """
    patch = Patch.of_skin(model, layout, rasterise(model, COARSE))
    # Any tone will do: only where skin is redder or darker than elsewhere counts.
    mean_skin = (
        paint_mean_skin(model, mean_look(*MEAN_PIGMENTS), COARSE).reshape(-1, 3)[patch.texels].astype(np.float64)
    )
    plain, scalp = is_plain(patch, layout), above_any_hairline(patch.points, layout)
    samples, parts = [], []
    for view in views:
        seen = project(view, model.faces, patch.corners, patch.barycentric)
        weight = np.where(plain | scalp, seen.weight, 0)
        if (seen.weight[plain] > 0).sum() < _LEAST_SEEN:
            what = "the head's parameters and camera put no face into the picture"
            raise InputFileError(what, where=view.name, mend="give the picture that they were tracked in")
        vertices = view.vertices.astype(np.float64)
        T, G = (
            patch.surface.fitted(part, np.ones(len(part)), _SCATTERED)
            for part in transfer(vertices, model.faces, seen.normals, view.camera.T_world_cam)
        )
        parts.append((T, G))
        at_texels = (patch.surface.spread(part).astype(np.float64) for part in (T, G))
        samples.append(Sample(seen.colour.astype(np.float64), weight / weight.max(), *at_texels))
    estimate = estimate_light(samples, SkinModel(mean_skin, is_bare(patch, layout), scalp))
    lit = [LitView(view, T, G, light) for view, (T, G), light in zip(views, parts, estimate.lights, strict=True)]
    return lit, estimate
