"""The colours of a head's skin, and of what grows on it.

First the amounts of the two pigments everywhere, then what covers the skin: moles, lashes, beard, brows, hair.
Points are in the layout's frame, millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance import hair
from ffngen.appearance.frontal import FrontalCanvas, closed_curve
from ffngen.appearance.layout import FaceLayout
from ffngen.appearance.look import Look
from ffngen.appearance.noise import FINE, SpatialNoise, smoothstep
from ffngen.appearance.pigment import skin_albedo

Array32 = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

_LASHES = np.array([0.020, 0.013, 0.011], dtype=np.float32)

#: How far behind the eyes' centres the front of the face reaches, millimetres: what drawings from the front can touch.
_FRONT_DEPTH = 20.0


@dataclass(frozen=True)
class _Canvas:
    """What is being painted: points (N, 3), which of them are the front of the face, and the person."""

    points: Array32
    front: NDArray[np.int64]
    layout: FaceLayout
    look: Look
    noise: SpatialNoise

    def near(self, center: NDArray[np.float64], width: float) -> Array32:
        """(len(front),) a Gaussian bump around a place, on the front of the face."""
        offset = self.points[self.front] - center.astype(np.float32)
        return cast(Array32, np.exp((offset * offset).sum(axis=1) * np.float32(-0.5 / width**2)))


def paint_skin(
    points: Array32,
    on_ear: BoolArray | None,
    moles: Array32,
    layout: FaceLayout,
    look: Look,
    noise: SpatialNoise,
    rng: np.random.Generator,
) -> Array32:
    """Albedo (N, 3) float32, linear sRGB, of points (N, 3) on the skin.

    :param on_ear: (N,) which of them are ears; None where the model does not say.
    :param moles: (M, 3) where moles are.
    """
    x, y, z = points.T
    top = float(layout.landmarks[17:27, 1].max()) + 12
    front = np.flatnonzero((z > -_FRONT_DEPTH) & (y < top) & (y > layout.mouth_y - 60))
    canvas = _Canvas(points, front, layout, look, noise)
    if on_ear is None:
        on_ear = (np.abs(x) > layout.skull_half_width + 4) & (np.abs(y + 10) < 50)
    lips = _lips(canvas)
    melanin, haemoglobin = _pigments(canvas, on_ear, lips)
    _add_moles(canvas, melanin, moles, rng)
    colour = skin_albedo(melanin, haemoglobin)
    angle = hair.around_skull(points, layout)
    hair_colour = np.array(look.hair, dtype=np.float32)
    scalp = hair.scalp_hair(points, angle, look, noise) * ~on_ear * look.hair_cover
    if look.beard > 0:
        shadow = hair.beard(points, angle, layout, noise) * ~on_ear * look.beard * 0.75
        shadow[front] *= 1 - lips
        _cover(colour, np.minimum(hair_colour, hair.LIGHTEST_BROW), np.maximum(shadow - scalp, 0))
    _cover(colour, _LASHES, _lashes(canvas))
    _draw_brows(canvas, colour, rng)
    hairy = np.flatnonzero(scalp > 0)
    strands = hair.strands(points[hairy], noise)[:, None] * hair_colour
    colour[hairy] += (strands - colour[hairy]) * (0.95 * scalp[hairy, None])
    return colour


def _pigments(canvas: _Canvas, on_ear: BoolArray, lips: Array32) -> tuple[Array32, Array32]:
    """(N,) melanin and (N,) haemoglobin: the person's own, redder and paler places, mottling and pores."""
    points, front, layout, look = canvas.points, canvas.front, canvas.layout, canvas.look
    mottle = canvas.noise(points, 26.0) * np.float32(look.blotchiness)
    pores = canvas.noise(points, 2.2, roughness=FINE)
    melanin = look.melanin + np.float32(0.022) * mottle + np.float32(0.016) * pores
    haemoglobin = look.haemoglobin - np.float32(0.10) * mottle + np.float32(0.05) * pores
    protruding = smoothstep(layout.skull_half_width - 6, layout.skull_half_width + 6, np.abs(points[:, 0]))
    haemoglobin += np.float32(0.30) * on_ear * protruding
    marks = layout.landmarks
    flush = np.zeros(len(front), dtype=np.float32)
    shade = np.zeros(len(front), dtype=np.float32)
    for outer, corner in ((36, 48), (45, 54)):
        cheek = 0.5 * (marks[outer] + marks[corner]) + [8 * np.sign(marks[outer, 0]), 0, 4]
        flush += 0.38 * canvas.near(cheek, 15)
    flush += 0.35 * canvas.near(marks[30], 11)
    flush += 0.25 * (canvas.near(marks[31], 6) + canvas.near(marks[35], 6))
    flush += 0.12 * canvas.near(marks[57] - [0, 18, 0], 10)
    for eye in layout.eyes:
        distance = np.linalg.norm(points[front] - eye.center.astype(np.float32), axis=1) - eye.radius
        socket = np.exp(-((distance / 9.0) ** 2))
        shade += 0.055 * socket
        flush += 0.22 * socket
        below = eye.center + np.array([0.15 * eye.center[0], -eye.radius - 4, eye.radius])
        shade += 0.05 * canvas.near(below, 8)
    # Blood shows less through dark skin.
    seen = 1 - 0.45 * look.melanin
    melanin[front] += shade * (0.6 + look.melanin) + lips * (0.05 - 0.16 * look.melanin)
    wrinkles = canvas.noise(points[front] * np.array([1, 0.25, 0.25], dtype=np.float32), 2.4)
    haemoglobin[front] += seen * (
        flush * (0.5 + look.haemoglobin) + lips * (1.55 * look.lip_strength + 0.12 * wrinkles)
    )
    if look.freckles > 0:
        spots = smoothstep(1.3, 2.2, canvas.noise(points[front], 3.2, roughness=FINE))
        where = np.minimum(flush * 3 + 0.25, 1) * (1 - lips)
        melanin[front] += 0.30 * look.freckles * spots * where
    return melanin.astype(np.float32), haemoglobin.astype(np.float32)


def _lips(canvas: _Canvas) -> Array32:
    """(len(front),) how much of a point is lip."""
    outline = closed_curve(canvas.layout.outer_lips[:, :2])
    drawing = FrontalCanvas()
    drawing.polygon(outline)
    return drawing.sampled(canvas.points[canvas.front], blur=0.7)


def _lashes(canvas: _Canvas) -> Array32:
    """(N,) opacity of the lashes' roots: dark where the lids' edges meet the eyeballs, above more than below."""
    amount = np.zeros(len(canvas.points), dtype=np.float32)
    front = canvas.points[canvas.front]
    for eye in canvas.layout.eyes:
        offset = front - eye.center.astype(np.float32)
        gap = np.maximum(np.linalg.norm(offset, axis=1) - np.float32(eye.radius), 0)
        edge = np.exp(-((gap / 1.1) ** 2)) * (offset[:, 2] > 0)
        upper = smoothstep(-2.5, 1.0, offset[:, 1])
        amount[canvas.front] += edge * (0.30 + 0.60 * upper)
    return np.minimum(amount, 1)


def _draw_brows(canvas: _Canvas, colour: Array32, rng: np.random.Generator) -> None:
    hairs, shadow = hair.draw_brows(canvas.layout, canvas.look, rng)
    points = canvas.points[canvas.front]
    amount = np.zeros(len(canvas.points), dtype=np.float32)
    under = shadow.sampled(points, blur=1.2) * 0.38 * canvas.look.brow_density
    over = hairs.sampled(points, blur=0.16)
    amount[canvas.front] = 1 - (1 - under) * (1 - over)
    _cover(colour, hair.brow_colour(canvas.look), np.clip(amount, 0, 1))


def _add_moles(canvas: _Canvas, melanin: Array32, moles: Array32, rng: np.random.Generator) -> None:
    """Moles of 1 to 4 mm across, around the given places (M, 3)."""
    points = canvas.points
    for mole in moles:
        radius = float(rng.uniform(0.5, 1.1) + 0.9 * (rng.random() < 0.12))
        strength = float(rng.uniform(0.2, 0.7))
        near = np.flatnonzero(np.abs(points[:, 1] - mole[1]) < 3 * radius)
        squared = ((points[near] - mole) ** 2).sum(axis=1)
        melanin[near] += strength * np.exp(-((squared / radius**2) ** 2))


def _cover(colour: Array32, paint: Array32, amount: Array32) -> None:
    """Lay one colour (3,) over ``colour`` (N, 3) in place, with opacity (N,)."""
    covered = np.flatnonzero(amount > 1e-3)
    colour[covered] += (paint - colour[covered]) * amount[covered, None]
