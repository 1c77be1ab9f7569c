"""Eyelashes and the hairs of brows: tapered strips rooted in the skin, which move with it."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from ffngen.appearance import hair
from ffngen.appearance.look import Look
from ffngen.props.prop import Array64, Prop
from ffngen.props.shapes import strips
from ffngen.props.site import Site

_LASH_COLOUR = np.array([0.012, 0.009, 0.008])

#: iBUG landmarks along the upper and the lower lid from the outer to the inner corner, for both eyes.
_LIDS = (((45, 44, 43, 42), (45, 46, 47, 42)), ((36, 37, 38, 39), (36, 41, 40, 39)))
#: Of the upper and the lower lid: how many lashes, their length and width at the root in millimetres.
_LASHES = ((46, 8.0, 0.34), (26, 4.0, 0.24))
#: How many hairs of a brow of density 1 are geometry; the others are painted.
_BROW_HAIRS = 130


def lashes(site: Site, rng: np.random.Generator) -> Prop:
    """The lashes of both eyes; the model must have landmarks."""
    curves, widths = [], []
    for eye, lids in zip(site.layout.eyes, _LIDS, strict=True):
        for lid, (count, length, width), upward in zip(lids, _LASHES, (1, -1), strict=True):
            spine = CubicSpline(np.linspace(0, 1, 4), site.layout.landmarks[list(lid)])
            t = np.clip((np.arange(count) + rng.uniform(0.1, 0.9, count)) / count, 0.04, 0.94)
            root = spine(t)
            # Lashes fan away from the eye's centre; the outer ones are longest.
            outward = np.sign(eye.center[0]) * np.interp(t, [0, 0.5, 1], [0.75, 0.15, -0.35])
            long = length * np.interp(t, [0, 0.2, 0.6, 1], [0.8, 1.0, 0.85, 0.5]) * rng.uniform(0.75, 1.1, count)
            rise = np.linspace(0, 1, 5)[None]
            forward = long[:, None] * (rise - 0.28 * rise**2)
            # Upper lashes first lean forward, then curl up; lower ones lean down.
            lift = long[:, None] * upward * (0.10 * rise + 0.55 * rise**2)
            aside = long[:, None] * outward[:, None] * rise
            curves.append(root[:, None] + np.stack([aside, lift, forward], axis=-1))
            widths.append(width * rng.uniform(0.8, 1.2, count))
    return _hairs(site, "lashes", np.concatenate(curves), np.concatenate(widths), _LASH_COLOUR)


def brows(site: Site, look: Look, rng: np.random.Generator) -> Prop:
    """Hairs that stand out of the painted brows; the model must have landmarks."""
    found = []
    for side in (1, -1):
        spine = hair.brow_spine(site.layout, side)
        count = round(_BROW_HAIRS * look.brow_density)
        strokes, _ = hair.brow_hairs(spine, side, count, look.brow_thickness, rng)
        found.append(strokes)
    curves = site.on_front(np.concatenate(found))
    curves = curves[np.isfinite(curves).all(axis=(1, 2))]
    # They leave the skin at their roots and lie close above it.
    curves[..., 2] += np.array([-0.1, 0.45, 0.75, 0.95, 1.0])
    colour = hair.brow_colour(look) * rng.uniform(0.6, 1.25, (len(curves), 1))
    return _hairs(site, "brows", curves, rng.uniform(0.22, 0.36, len(curves)), colour)


def _hairs(site: Site, kind: str, curves: Array64, widths: Array64, colours: Array64) -> Prop:
    """Strips (S, K, 3) fixed to the skin at their roots, facing forward."""
    direction = curves[:, -1] - curves[:, 0]
    across = np.cross(direction, [0.0, 0.0, 1.0]) + 1e-6
    points, faces, places = strips(curves, widths, across)
    per_strip = len(points) // len(curves)
    anchors = np.repeat(site.skin_anchors(curves[:, 0]), per_strip, axis=0)
    tints = np.repeat(np.broadcast_to(colours, (len(curves), 3)), per_strip, axis=0)
    return site.fixed(kind, "hair", points, faces, tints, places[:, [0, 2]], anchors)
