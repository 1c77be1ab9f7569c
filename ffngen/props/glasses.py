"""Glasses: two rims, a bridge and the arms, rigid on the skull; dark ones have opaque lenses.

Clear lenses are left away: a pane that one sees through would have two motions in one pixel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ffngen.props.prop import Array64, Prop
from ffngen.props.shapes import tube
from ffngen.props.site import Site
from ffngen.props.wardrobe import Wardrobe

_LENS = np.array([0.006, 0.006, 0.007])
#: Millimetres between the frames and the skin; degrees by which they lean towards the cheeks.
_GAP, _TILT = 3.0, 7.0
_RIM_POINTS, _SIDES = 44, 7


def glasses(site: Site, wardrobe: Wardrobe) -> list[Prop]:
    """The frames, and the lenses of dark ones; the model must have landmarks."""
    radius = wardrobe.glasses_thickness / 2
    plane = _plane(site, wardrobe)
    rims = [_rim(site, wardrobe, eye, plane) for eye in (0, 1)]
    inner = [rim[_nearest(rim, [0, rim[:, 1].mean() + 4])] for rim in rims]
    nose = site.layout.landmarks[27]
    arch = np.array([0.0, max(inner[0][1], inner[1][1]) + 2.5, max(nose[2] + _GAP + radius, inner[0][2])])
    parts = [(rim, True) for rim in rims]
    parts.append((_curve([inner[0], arch, inner[1]], 11), False))
    parts += [(_arm(site, rim, side), False) for rim, side in zip(rims, (1, -1), strict=True)]
    points, faces, places, count = [], [], [], 0
    for path, closed in parts:
        some, triangles, where = tube(path, radius, _SIDES, closed=closed)
        points.append(some)
        faces.append(triangles + count)
        places.append(where)
        count += len(some)
    colour = np.array(wardrobe.glasses_colour)
    tubes, triangles = np.concatenate(points), np.concatenate(faces)
    frame = site.fixed("glasses", "frame", tubes, triangles, colour, np.concatenate(places))
    if wardrobe.glasses != "dark":
        return [frame]
    lenses = [_lens(rim) for rim in rims]
    offset = np.array([[0], [len(lenses[0][0])]])
    triangles = np.concatenate([lens[1] + start for lens, start in zip(lenses, offset, strict=True)])
    lens_points = np.concatenate([lens[0] for lens in lenses])
    return [frame, site.fixed("glasses", "lens", lens_points, triangles, _LENS, np.zeros((len(lens_points), 2)))]


def _plane(site: Site, wardrobe: Wardrobe) -> float:
    """How far in front of the eyes' centres the rims stand at the height of the eyes."""
    marks = site.layout.landmarks
    foremost = max(marks[17:27, 2].max() - 3, marks[27, 2], max(eye.radius for eye in site.layout.eyes) + 6)
    # Lashes and cheeks must not touch.
    probe = site.on_front(np.array([[x, -wardrobe.glasses_height] for x in (-34.0, -24.0, 24.0, 34.0)]))[:, 2]
    lean = np.tan(np.radians(_TILT)) * wardrobe.glasses_height
    return float(max(foremost, np.nanmax(probe) + lean) + _GAP)


def _rim(site: Site, wardrobe: Wardrobe, eye: int, plane: float) -> Array64:
    """(K, 3) a closed curve around an eye."""
    angle = np.linspace(0, 2 * np.pi, _RIM_POINTS, endpoint=False)
    power = 2 / wardrobe.glasses_squareness
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power * wardrobe.glasses_width
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power * wardrobe.glasses_height
    centre = site.layout.eyes[eye].center
    side = np.sign(centre[0])
    # The nose needs room: rims stand a little further out than the eyes.
    across = side * max(abs(centre[0]) + 1.5, wardrobe.glasses_width + 9.0) + x
    height = centre[1] - 3 + y
    wrap = -0.0016 * across**2
    return np.stack([across, height, plane + wrap + np.tan(np.radians(_TILT)) * height], axis=-1)


def _arm(site: Site, rim: Array64, side: int) -> Array64:
    """From the rim's upper outer corner over the ear."""
    hinge = rim[_nearest(rim, [side * 200.0, rim[:, 1].mean() + 9])]
    skin = site.vertices[np.unique(site.model.faces[site.without("ears", "neck")])]
    ears = site.model.regions.get("ears")
    if ears is not None:
        ear = site.vertices[np.unique(site.model.faces[ears])]
        ear = ear[ear[:, 0] * side > 0]
        back, height = float(np.median(ear[:, 2])), float(np.percentile(ear[:, 1], 90))
    else:
        back, height = site.layout.skull_z + 5.0, hinge[1] - 4.0
    stations = np.linspace(hinge[2] - 6, back, 9)
    heights = np.linspace(hinge[1], height, 9)
    path = [hinge, hinge + np.array([side * 3.0, 0.0, -2.0])]
    widest = abs(hinge[0]) + 3.0
    for z, y in zip(stations, heights, strict=True):
        near = skin[(np.abs(skin[:, 2] - z) < 9) & (np.abs(skin[:, 1] - y) < 9) & (skin[:, 0] * side > 0)]
        if len(near):
            widest = max(widest, float(np.abs(near[:, 0]).max()) + 2.0)
        path.append(np.array([side * widest, y, z]))
    path.append(path[-1] + [0.0, -14.0, -16.0])
    return _curve(path, 24)


def _curve(points: list[Array64], count: int) -> Array64:
    """A polyline resampled to ``count`` points at even distances, its corners rounded."""
    line = np.array(points)
    length = np.append(0, np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1)))
    even = np.linspace(0, length[-1], count)
    sampled = np.stack([np.interp(even, length, line[:, axis]) for axis in range(3)], axis=-1)
    for _ in range(2):
        sampled[1:-1] = 0.25 * sampled[:-2] + 0.5 * sampled[1:-1] + 0.25 * sampled[2:]
    return sampled


def _nearest(rim: Array64, place: list[float]) -> int:
    return int(np.argmin(((rim[:, :2] - place) ** 2).sum(axis=1)))


def _lens(rim: Array64) -> tuple[Array64, NDArray[np.int64]]:
    """A slightly bulging fan inside a rim."""
    count = len(rim)
    centre = rim.mean(axis=0) + np.array([0.0, 0.0, 1.0])
    half = centre + 0.55 * (rim - centre) + [0.0, 0.0, 0.4]
    points = np.concatenate([rim, half, centre[None]])
    here, ahead = np.arange(count), (np.arange(count) + 1) % count
    faces = np.concatenate(
        [
            np.stack([here, ahead, here + count], axis=-1),
            np.stack([ahead, ahead + count, here + count], axis=-1),
            np.stack([here + count, ahead + count, np.full(count, 2 * count)], axis=-1),
        ]
    )
    return points, faces
