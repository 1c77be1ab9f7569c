"""Gaussians on everything that a rendered head has and wears, in its sequence's light."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.colour import linear_to_srgb, srgb_to_linear
from ffngen.appearance.hdri import HDRIS
from ffngen.appearance.received import received_light
from ffngen.geometry.normals import vertex_normals
from ffngen.render.request import MATERIALS, TEXTURED, SequenceRequest
from ffngen.splat.avatar import Array64, Avatar
from ffngen.splat.openness import openness
from ffngen.splat.surface import constant_harmonics, flat_gaussians, sample_texture, spread


class LitSurface:
    """Matt Gaussians that cover a head; the light stands still while the head moves.

    :param request: with ``splat`` settings.
    :param atlas: (size, size, 3 or 4) uint8 sRGB: the head's texture.
    """

    def __init__(self, request: SequenceRequest, atlas: NDArray[np.uint8]) -> None:
        assert request.splat is not None
        self._request = request
        faces, first = request.faces, request.facial[0]
        places = spread(first, faces, request.splat.gaussians, request.splat.seed)
        textured = np.isin(request.face_materials, [MATERIALS.index(name) for name in TEXTURED])[places.triangles]
        texels = sample_texture(atlas, places.points(request.uv_coordinates[request.uv_faces]))
        tints = places.points(request.tints[faces])
        self._albedo = np.where(textured[:, None], srgb_to_linear(texels), tints)
        self._places = places
        self._openness = openness(first, faces)
        self._unlit = flat_gaussians(first, faces, places, texels / 255.0)

    def at(self, vertices: NDArray[np.float32]) -> Avatar:
        """The avatar in the colours that it has in a pose.

        :param vertices: (V, 3), metres, world.
        """
        faces = self._request.faces
        lighting = self._request.appearance["lighting"]
        surroundings = lighting["hdri"] if lighting["hdri"] in HDRIS else self._request.environment
        points: Array64 = vertices.astype(np.float64)
        light = received_light(lighting, surroundings, points, vertex_normals(points, faces))
        light *= self._openness[:, None]
        # The exposure's clipping is each Gaussian's own, as a captured avatar's would be.
        lit = linear_to_srgb((self._albedo * self._places.points(light[faces])).astype(np.float32))
        return replace(self._unlit, harmonics=constant_harmonics(lit / 255.0))
