"""A collar and the cloth below it: a surface around the neck that follows the neck's lower skin."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from ffngen.props.prop import Array64, Prop
from ffngen.props.shapes import grid_faces
from ffngen.props.site import Site
from ffngen.props.wardrobe import Wardrobe

_ANGLES = 72
#: Profiles from the inner edge outwards: (millimetres off the skin, millimetres above the collar's height).
_ROUND = (
    (-4.0, -6.0),
    (1.0, 0.0),
    (3.5, 2.2),
    (6.0, 0.5),
    (8.0, -4.0),
    (18.0, -9.0),
    (45.0, -20.0),
    (90.0, -34.0),
    (125.0, -62.0),
)
_TURTLENECK = (
    (-3.0, 20.0),
    (1.5, 26.0),
    (4.5, 27.5),
    (6.5, 25.0),
    (7.0, 10.0),
    (9.0, -2.0),
    (20.0, -10.0),
    (48.0, -22.0),
    (90.0, -36.0),
    (125.0, -64.0),
)


def collar(site: Site, wardrobe: Wardrobe, rng: np.random.Generator) -> Prop:
    """The collar; the model must have a region ``neck``."""
    faces = site.model.regions["neck"]
    neck = site.vertices[np.unique(site.model.faces[faces])]
    low, high = float(neck[:, 1].min()), float(neck[:, 1].max())
    height = low + 0.30 * (high - low)
    band = neck[np.abs(neck[:, 1] - height) < max(0.2 * (high - low), 8.0)]
    axis = np.array([0.0, (band[:, 2].min() + band[:, 2].max()) / 2])
    angle = np.linspace(-np.pi, np.pi, _ANGLES, endpoint=False)
    around = np.arctan2(band[:, 0], band[:, 2] - axis[1])
    radius = _periodic(around, np.hypot(band[:, 0], band[:, 2] - axis[1]), angle)
    profile = np.array(_TURTLENECK if wardrobe.collar == "turtleneck" else _ROUND)
    fine = PchipInterpolator(np.arange(len(profile)), profile)(np.linspace(0, len(profile) - 1, 3 * len(profile)))
    # Shoulders are wider than deep, and a collar sits lower in front.
    out = fine[:, 0][:, None]
    shoulders = 1 + np.clip(out - 10, 0, None) / 100 * (np.abs(np.sin(angle)) - 0.35)
    folds = 0.6 * np.sin(3 * angle + rng.uniform(0, 6)) + 0.4 * np.sin(7 * angle + rng.uniform(0, 6))
    spread = radius + out * shoulders + folds * np.clip(out / 10, 0, 1.2)
    drop = 7 * np.cos(angle) * np.clip(1 - np.abs(out - 10) / 80, 0, 1)
    points = np.stack(
        np.broadcast_arrays(
            spread * np.sin(angle), height + fine[:, 1][:, None] - drop, axis[1] + spread * np.cos(angle)
        ),
        axis=-1,
    ).reshape(-1, 3)
    triangles = grid_faces(len(fine), _ANGLES, closed=True)
    shade = np.array(wardrobe.cloth) * rng.uniform(0.94, 1.06, (len(points), 1))
    along, across = np.meshgrid(np.linspace(0, 1, len(fine)), np.linspace(0, 1, _ANGLES), indexing="ij")
    anchors = site.skin_anchors(points, faces)
    return site.fixed(
        "collar", "cloth", points, triangles[:, ::-1], shade, np.stack([across, along], axis=-1).reshape(-1, 2), anchors
    )


def _periodic(angles: Array64, values: Array64, at: Array64) -> Array64:
    """Values at angles as a smooth function of the angle, evaluated at other angles: means of a window around each."""
    difference = np.angle(np.exp(1j * (at[:, None] - angles[None])))
    weight = np.exp(-0.5 * (difference / 0.12) ** 2) + 1e-9
    smooth: Array64 = (weight * values).sum(axis=1) / weight.sum(axis=1)
    return smooth
