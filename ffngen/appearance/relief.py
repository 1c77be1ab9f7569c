"""The fine relief of skin: pores, and wrinkles that age draws. It is fixed to the skin, whatever the expression.

Heights are millimetres above the smooth surface, at points (N, 3) in the layout's frame.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.frontal import FrontalCanvas
from ffngen.appearance.layout import FaceLayout
from ffngen.appearance.look import Look
from ffngen.appearance.noise import FINE, SpatialNoise, smoothstep

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

#: Heights are stored in 8 bits: 128 is the smooth surface, and a step is so many millimetres.
STEP = 0.004
#: Metres between the values 0 and 255.
RELIEF_RANGE = 255 * STEP / 1000

#: Depth of the deepest wrinkle of the oldest face.
_DEEPEST = 0.38


def paint_relief(
    points: Array32, layout: FaceLayout, look: Look, noise: SpatialNoise, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """(N,) uint8: the height of each point on the skin, in steps of :data:`STEP` from 128."""
    # Pores lie a millimetre apart; on the nose and the cheeks they are wider than elsewhere.
    marks = layout.landmarks
    oily = np.zeros(len(points), dtype=np.float32)
    for place, width in ((marks[30], 16.0), (marks[33] + [28, 6, 0], 22.0), (marks[33] - [28, -6, 0], 22.0)):
        offset = points - place.astype(np.float32)
        oily += np.exp((offset * offset).sum(axis=1) * np.float32(-0.5 / width**2))
    pores = noise(points, 1.3, roughness=FINE)
    height = np.float32(look.pores) * (0.030 + 0.030 * np.minimum(oily, 1)) * np.minimum(pores, 0.8)
    height += np.float32(0.022) * noise(points, 5.0)
    front = np.flatnonzero(points[:, 2] > -15)
    height[front] -= np.float32(_DEEPEST) * _wrinkles(points[front], layout, look, rng)
    return cast(NDArray[np.uint8], np.clip(np.round(height / STEP) + 128, 0, 255).astype(np.uint8))


def _wrinkles(points: Array32, layout: FaceLayout, look: Look, rng: np.random.Generator) -> Array32:
    """(N,) in [0, 1]: lines of the forehead, beside the eyes, beside the mouth, and on the lips."""
    fine, deep, soft = FrontalCanvas(), FrontalCanvas(), FrontalCanvas()
    marks = layout.landmarks
    brow = float(marks[17:27, 1].max())
    lines = [_line(rng, (-34, brow + rise), (34, brow + rise), 3.0) for rise in np.arange(10, 36, rng.uniform(7, 10))]
    deep.strokes(np.array(lines), _strengths(rng, len(lines), look.age), 0.9)
    crows, folds = [], []
    for side in (1, -1):
        corner = marks[45 if side > 0 else 36]
        for fall in (9.0, 3.0, -3.0, -9.0):
            start = corner[:2] + np.array([side * 5, fall * 0.35])
            crows.append(_line(rng, start, start + np.array([side * 13, fall]), 1.0))
        wing, mouth = marks[35 if side > 0 else 31], marks[54 if side > 0 else 48]
        fold = _line(rng, wing[:2] + np.array([side * 6, 5]), mouth[:2] + np.array([side * 7, 1]), 0.0)
        fold[:, 0] += side * 3.0 * np.sin(np.pi * np.linspace(0, 1, 24))
        folds.append(fold)
    fine.strokes(np.array(crows), _strengths(rng, len(crows), look.age), 0.5)
    soft.strokes(np.array(folds), np.array([0.25 + 0.75 * look.age] * 2), 1.8)
    lip = layout.outer_lips[:, :2]
    across = np.linspace(lip[:, 0].min() + 3, lip[:, 0].max() - 3, 26) + rng.normal(0, 0.4, 26)
    top, bottom = lip[:, 1].max() - 1, lip[:, 1].min() + 1
    creases = [_line(rng, (x, top), (x * 0.94, bottom), 0.3) for x in across]
    fine.strokes(np.array(creases), rng.uniform(0.12, 0.35, len(creases)), 0.4)
    drawn = 0.55 * fine.sampled(points, blur=0.35) + deep.sampled(points, blur=0.9) + soft.sampled(points, blur=2.2)
    return cast(Array32, np.minimum(drawn, 1) * smoothstep(-15.0, 0.0, points[:, 2]))


def _line(rng: np.random.Generator, start: object, end: object, bow: float) -> Array64:
    """(24, 2) a line that wavers, and bends by ``bow`` millimetres upwards in its middle."""
    t = np.linspace(0, 1, 24)[:, None]
    line = np.asarray(start) * (1 - t) + np.asarray(end) * t
    wave = np.sin(np.pi * t * rng.uniform(2, 4) + rng.uniform(0, 6)) * rng.uniform(0.1, 0.6)
    line[:, 1:] += bow * np.sin(np.pi * t) + wave
    return cast(Array64, line)


def _strengths(rng: np.random.Generator, count: int, age: float) -> Array64:
    return np.asarray(np.clip(rng.uniform(-0.25, 0.55, count) + 0.75 * age**1.5, 0, 1))
