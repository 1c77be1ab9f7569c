"""The colours of an eyeball: sclera with veins, iris with fibres, limbus, pupil.

The gaze axis at rest is +z from the eyeball's centre.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from ffngen.appearance.layout import Eyeball
from ffngen.appearance.look import Look
from ffngen.appearance.noise import FINE, SpatialNoise, smoothstep

Array32 = NDArray[np.float32]

#: Radius of the visible iris, millimetres (0.49 of a real eyeball's; models' eyeballs may be larger), and the
#: pupil's over the iris's.
IRIS = 5.9
PUPIL = 0.35

SCLERA = np.array([0.56, 0.51, 0.475], dtype=np.float32)
VEIN = np.array([0.50, 0.14, 0.11], dtype=np.float32)


def paint_eyeball(points: Array32, eye: Eyeball, look: Look, noise: SpatialNoise) -> Array32:
    """Albedo (N, 3) float32, linear sRGB, of points (N, 3) on an eyeball (the layout's frame)."""
    local = (points - eye.center.astype(np.float32)) / np.float32(eye.radius)
    x, y, z = local.T
    off_axis = np.sqrt(x * x + y * y)
    colour = _sclera(points, off_axis, look, noise)
    front = z > 0
    radius = off_axis * np.float32(eye.radius / IRIS)
    iris = smoothstep(1.05, 0.93, radius) * front
    return _blend(colour, _iris(x, y, radius, look, noise), iris)


def _sclera(points: Array32, off_axis: Array32, look: Look, noise: SpatialNoise) -> Array32:
    """White near the iris; veins and a warmer tone towards the corners."""
    corner = smoothstep(0.55, 1.0, off_axis)
    # A vein is where a smooth noise crosses zero.
    vein = np.exp(-((noise(points, 5.0, roughness=FINE) / 0.10) ** 2)) * corner * 0.30 * look.redness_of_eyes
    flush = 0.10 * corner * look.redness_of_eyes
    return _blend(
        np.broadcast_to(SCLERA, points.shape), np.broadcast_to(VEIN, points.shape), np.clip(vein + flush, 0, 1)
    )


def _iris(x: Array32, y: Array32, radius: Array32, look: Look, noise: SpatialNoise) -> Array32:
    """Radial fibres around a ring near the pupil, a dark limbus, the black pupil; ``radius`` is 1 at the limbus."""
    safe = np.maximum(np.hypot(x, y), 1e-6)
    # Points on a cylinder make noise of the angle that is almost constant along a fibre.
    around = np.stack([x / safe * 8, y / safe * 8, radius * 1.5], axis=1).astype(np.float32)
    fibres = 1 + 0.28 * np.clip(noise(around, 3.0), -2, 2)
    collarette = np.exp(-(((radius - 0.52) / 0.12) ** 2))
    base = np.array(look.iris, dtype=np.float32)
    warm = base * np.array([1.5, 1.15, 0.8], dtype=np.float32) + np.float32(0.01)
    colour = _blend(np.broadcast_to(base, (len(x), 3)), np.broadcast_to(warm, (len(x), 3)), 0.6 * collarette)
    limbus = 1 - 0.75 * smoothstep(0.80, 1.0, radius)
    pupil = smoothstep(PUPIL - 0.03, PUPIL + 0.03, radius)
    shade = fibres * limbus * (0.03 + 0.97 * pupil)
    return cast(Array32, np.maximum(colour * shade[:, None], np.float32(0.002)).astype(np.float32))


def _blend(below: Array32, above: Array32, amount: Array32) -> Array32:
    return cast(Array32, below + (above - below) * amount[:, None])
