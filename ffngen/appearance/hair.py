"""Hair that is painted, not grown: short hair on the scalp, brows, the shadow of a beard.

Amounts are opacities in [0, 1] at points (N, 3) in the layout's frame.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PchipInterpolator

from ffngen.appearance.frontal import FrontalCanvas
from ffngen.appearance.layout import FaceLayout
from ffngen.appearance.look import Look
from ffngen.appearance.noise import FINE, SpatialNoise, smoothstep

Array64 = NDArray[np.float64]
Array32 = NDArray[np.float32]

#: Apparent width of a brow hair, millimetres.
BROW_HAIR_WIDTH = 0.2

#: Brows and beards are darker than the hair, and go grey after it.
LIGHTEST_BROW = np.array([0.085, 0.056, 0.038], dtype=np.float32)

#: Hairs on the scalp run down: what varies along them is slow.
_DOWN = np.array([1.0, 0.3, 1.0], dtype=np.float32)

#: The lower edge of scalp hair: (degrees around the skull from the front, millimetres above the eyes).
#: The forehead's height comes from the look; these run from the temple over the sideburn behind the ear to the nape.
_HAIRLINE = (
    (54, 34),
    (60, 16),
    (66, -4),
    (72, -22),
    (80, -26),
    (95, -20),
    (112, -30),
    (130, -52),
    (150, -64),
    (180, -70),
)

#: The upper edge of a beard: (degrees, millimetres above the base of the nose), from under the nose to the sideburn.
_BEARD_TOP = ((0, -3), (14, -4), (26, -14), (36, -16), (48, -10), (58, 2), (66, 18), (80, 30), (180, 30))


def around_skull(points: Array32, layout: FaceLayout) -> Array32:
    """(N,) float32, degrees around the skull's vertical axis: 0 in front, 180 behind, the same on both sides."""
    angle = np.degrees(np.arctan2(np.abs(points[:, 0]), points[:, 2] - np.float32(layout.skull_z)))
    return cast(Array32, angle)


def hairline(look: Look) -> PchipInterpolator:
    """The lower edge of scalp hair: millimetres above the eyes, of degrees around the skull."""
    top = look.hairline
    forehead = ((0, top), (22, top + 1), (34, top - 1 + look.recession), (46, top - 12 + 0.6 * look.recession))
    return PchipInterpolator(*np.array(forehead + _HAIRLINE, dtype=np.float64).T)


def scalp_hair(points: Array32, angle: Array32, look: Look, noise: SpatialNoise) -> Array32:
    """(N,) opacity of short hair."""
    above = points[:, 1] - _tabulated(hairline(look), angle)
    amount = np.zeros(len(points), dtype=np.float32)
    amount[above >= 14] = 1
    edge_points = np.flatnonzero((above > -12) & (above < 14))
    near = points[edge_points]
    # The edge wavers, and thins out into single hairs.
    waver = 1.5 * noise(near, 24.0, roughness=FINE) + 3.0 * noise(near * _DOWN, 2.0, roughness=FINE)
    amount[edge_points] = smoothstep(-5.0, 8.0, above[edge_points] + waver)
    return amount


def strands(points: Array32, noise: SpatialNoise) -> Array32:
    """(N,) float32 around 1: light and dark strands of short hair, which run down from the crown."""
    return cast(Array32, np.exp(np.float32(0.38) * noise(points * _DOWN, 2.6)))


def beard(points: Array32, angle: Array32, layout: FaceLayout, noise: SpatialNoise) -> Array32:
    """(N,) opacity of a dense short beard; lips are not left out here."""
    top = PchipInterpolator(*np.array(_BEARD_TOP, dtype=np.float64).T)
    below = layout.nose_base_y + _tabulated(top, angle) - points[:, 1]
    chin = layout.mouth_y - 62
    amount = (
        smoothstep(-3.0, 6.0, below) * smoothstep(chin - 12, chin + 6, points[:, 1]) * smoothstep(92.0, 84.0, angle)
    )
    near = np.flatnonzero(amount > 0)
    grain = noise(points[near], 2.0, roughness=FINE)
    patches = noise(points[near], 18.0)
    amount[near] *= np.clip(0.72 + 0.16 * grain + 0.08 * patches, 0, 1)
    return amount


def draw_brows(layout: FaceLayout, look: Look, rng: np.random.Generator) -> tuple[FrontalCanvas, FrontalCanvas]:
    """The brows from the front: a canvas of single hairs, and one of the shadow below them."""
    hairs, shadow = FrontalCanvas(), FrontalCanvas()
    for side in (1, -1):
        spine = brow_spine(layout, side)
        t = np.linspace(-0.02, 1, 40)
        centre = spine(t)
        half = _brow_half_width(t)[:, None] * look.brow_thickness * [0, 1]
        shadow.polygon(np.concatenate([centre + half, (centre - half)[::-1]]))
        count = round(520 * look.brow_density)
        hairs.strokes(*brow_hairs(spine, side, count, look.brow_thickness, rng), BROW_HAIR_WIDTH)
    return hairs, shadow


def brow_colour(look: Look) -> Array32:
    """(3,) linear: a brow's hairs are darker than the scalp's, and go grey after them."""
    return np.minimum(np.array(look.hair, dtype=np.float32) * np.float32(0.8), LIGHTEST_BROW)


def brow_spine(layout: FaceLayout, side: int) -> CubicSpline:
    """The middle of a brow, (x, y) in millimetres, from its inner end (0) to its outer end (1)."""
    landmarks = layout.brow(side)[:, :2].copy()
    # The outermost landmark may lie on the temple; a brow ends before it falls that far.
    drop = max(landmarks[3, 1] - landmarks[4, 1], 1.0)
    landmarks[4] = landmarks[3] + min(1.0, 9.0 / drop) * (landmarks[4] - landmarks[3])
    landmarks[:, 1] -= 1.5
    return CubicSpline(np.linspace(0, 1, 5), landmarks)


def _brow_half_width(t: Array64) -> Array64:
    """Half the height of a brow, millimetres, from its inner end (0) to its outer end (1)."""
    return np.interp(t, [-0.02, 0.12, 0.40, 0.70, 1.0], [1.0, 3.4, 4.2, 3.3, 0.7])


def brow_hairs(
    spine: CubicSpline, side: int, count: int, thickness: float, rng: np.random.Generator
) -> tuple[Array64, Array64]:
    """Hairs (count, 5, 2), millimetres, and their strengths: upright at the inner end, lying along the brow outside."""
    t = rng.beta(1.1, 1.25, count)
    across = rng.uniform(-1, 1, count)
    root = spine(t)
    root[:, 1] += across * _brow_half_width(t) * thickness * 0.9
    # Angle from the outward horizontal: hairs of the lower edge rise, those of the upper edge fall.
    rise = np.radians(np.interp(t, [0, 0.2, 0.6, 1.0], [75, 45, 12, -25]) - 16 * across + rng.normal(0, 7, count))
    length = np.interp(t, [0, 0.3, 0.8, 1.0], [4.5, 6.5, 5.5, 3.5]) * rng.uniform(0.7, 1.2, count)
    steps = np.linspace(0, 1, 5)
    bend = rise[:, None] - np.radians(14) * steps
    direction = np.stack([side * np.cos(bend), np.sin(bend)], axis=-1)
    hairs = root[:, None] + direction * (length[:, None] * steps)[..., None]
    return hairs, rng.uniform(0.55, 1.0, count)


def _tabulated(curve: PchipInterpolator, angle: Array32) -> Array32:
    """The curve at angles in [0, 180] degrees, by a table of quarter degrees."""
    table = curve(np.linspace(0, 180, 721)).astype(np.float32)
    return cast(Array32, np.interp(angle, np.linspace(0, 180, 721), table).astype(np.float32))
