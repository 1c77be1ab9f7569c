"""Hair on the head as a surface of combed locks, rigid on the skull.

A grid runs from the crown (row 0) down to the hair's edge, column by column around the skull. Its thickness above
the scalp makes the cut; at the hairline it dives below the skin, where the painted roots go on. Locks, strips
that lie on that surface along its columns, break up its outline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from ffngen.appearance.hair import hairline
from ffngen.appearance.look import Look
from ffngen.appearance.noise import FINE, SpatialNoise
from ffngen.props.prop import Array64, Prop
from ffngen.props.shapes import grid_faces, strips
from ffngen.props.site import Site
from ffngen.props.wardrobe import Wardrobe

_COLUMNS, _ROWS, _CURTAIN_ROWS = 96, 30, 12
#: Where the skull's middle lies above the eyes, millimetres.
_CENTRE_HEIGHT = 42.0
#: How many locks end below a fringe's edge, within how many degrees from the front, and which share of each lies on it.
_FRINGE_ENDS, _FRONT, _ON_SURFACE = 170, 50.0, 0.6
_LOCKS = {"cropped": 0, "short": 320, "fringe": 380, "long": 420}


@dataclass(frozen=True)
class _Shell:
    """The hair's surface: points (R, C, 3), and the outward directions (R, C, 3) of its rows and columns."""

    points: Array64
    outward: Array64


def scalp_hair(site: Site, look: Look, wardrobe: Wardrobe, rng: np.random.Generator) -> list[Prop]:
    """The hair's surface and its locks."""
    shell = _shell(site, look, wardrobe, SpatialNoise(rng))
    rows, columns = shell.points.shape[:2]
    colour = np.array(look.hair)
    # Roots are darker, and locks differ.
    streak = SpatialNoise(rng)(_combed(rows, rows / _ROWS), 9.0)
    shade = np.exp(0.22 * streak)[:, None] * np.repeat(np.linspace(0.8, 1.05, rows), columns)[:, None]
    across, along = np.meshgrid(np.linspace(0, 1, columns), np.linspace(0, 1, rows))
    places = np.stack([across, along], axis=-1).reshape(-1, 2)
    faces = grid_faces(rows, columns, closed=False)
    props = [site.fixed("hair", "hair", shell.points.reshape(-1, 3), faces, colour * shade, places)]
    count = _LOCKS[wardrobe.hair]
    if count:
        props.append(_locks(site, shell, colour, count, rng))
    if wardrobe.hair == "fringe":
        props.append(_fringe_ends(site, shell, colour, rng))
    return props


def _shell(site: Site, look: Look, wardrobe: Wardrobe, noise: SpatialNoise) -> _Shell:
    theta = np.radians(np.linspace(-180, 180, _COLUMNS))
    fine = np.linspace(0.02, np.radians(140), 90)
    directions = _directions(fine, theta)
    centre = np.array([0.0, _CENTRE_HEIGHT, site.layout.skull_z])
    # Hair lies behind the ears unless it is long enough to cover them.
    bare = site.without("ears") if wardrobe.hair != "long" else site.skin_faces
    triangles = site.vertices[site.model.faces[bare]]
    triangles = triangles[triangles[:, :, 1].max(axis=1) > -100]
    # The skull is smooth: every other column and row are cast, and those between interpolated.
    some = _distances(triangles, centre, directions[::2, ::2])
    between = RegularGridInterpolator((fine[::2], theta[::2]), some, bounds_error=False, fill_value=None)
    distance = between(np.stack(np.meshgrid(fine, theta, indexing="ij"), axis=-1))
    surface = centre + directions * distance[..., None]
    edge = hairline(look)(np.degrees(np.abs(theta)))
    # Hair does not end in a line: it begins above where its roots are painted, unevenly.
    ragged = noise(np.stack([30 * np.sin(theta), 0 * theta, 30 * np.cos(theta)], axis=-1).astype(np.float32), 9.0)
    edge = edge + 2.5 + 2.2 * ragged
    front = _step(58, 40, np.degrees(np.abs(theta)))
    if wardrobe.hair == "fringe":
        edge = edge - (24 + 4 * ragged) * front
    # The first angle at which the scalp is as low as the edge.
    below = surface[..., 1] <= edge
    below[-1] = True
    ends = fine[np.argmax(below, axis=0)]
    ends = np.convolve(np.concatenate([ends[-3:-1], ends, ends[1:3]]), np.ones(5) / 5, mode="valid")
    share = np.linspace(0, 1, _ROWS)
    angle = 0.02 + share[:, None] * (ends - 0.02)
    outward = _directions_at(angle, theta)
    radius = np.stack([np.interp(angle[:, c], fine, distance[:, c]) for c in range(_COLUMNS)], axis=1)
    thickness = _thickness(wardrobe, share, theta, front)
    base = centre + outward * radius[..., None]
    rough = noise(_combed(_ROWS, 1.0), 12.0, roughness=FINE).reshape(thickness.shape)
    thickness = thickness + np.clip(0.10 * thickness, 0, 2.2) * rough * _step(0.0, 0.25, share)[:, None]
    points = base + outward * thickness[..., None]
    if wardrobe.hair == "long":
        points, outward = _with_curtain(points, outward, wardrobe, theta, centre)
    # The seam behind is one line.
    points[:, -1] = points[:, 0]
    return _Shell(points, outward)


def _thickness(wardrobe: Wardrobe, share: Array64, theta: Array64, front: Array64) -> Array64:
    """(R, C) millimetres above the scalp."""
    # Share 0 is the crown; the sides begin where the skull turns down.
    side = _step(0.25, 0.75, share)[:, None]
    degrees = np.degrees(theta)
    body = wardrobe.hair_top * (1 - side) + wardrobe.hair_sides * side
    quiff = 0.35 * wardrobe.hair_top * np.exp(-(((degrees - wardrobe.parting / 2) / 45) ** 2))
    body = body + quiff * np.exp(-(((share[:, None] - 0.62) / 0.25) ** 2))
    groove = np.exp(-(((degrees - wardrobe.parting) / 7) ** 2)) * _step(0.05, 0.3, share)[:, None]
    body = body * (1 - 0.45 * groove * (wardrobe.hair in ("short", "long")))
    dive = _step(0.72 if wardrobe.hair == "cropped" else 0.84, 1.0, share)[:, None]
    if wardrobe.hair == "long":
        dive = dive * front
    if wardrobe.hair == "fringe":
        # Over the forehead the hair hangs free, close to the skin.
        body = body * (1 - 0.55 * front * _step(0.6, 0.95, share)[:, None])
        dive = dive * (1 - front)
    return np.asarray(body * (1 - dive) - 2.0 * dive)


def _with_curtain(
    points: Array64, outward: Array64, wardrobe: Wardrobe, theta: Array64, centre: Array64
) -> tuple[Array64, Array64]:
    """Long hair falls from the sides and the back; in front its columns end at the hairline."""
    degrees = np.abs(np.degrees(theta))
    falls = _step(52, 72, degrees)
    level = np.linspace(0, 1, _CURTAIN_ROWS + 1)[1:, None]
    last = points[-1]
    flat = (last - centre) * [1, 0, 1]
    reach = np.linalg.norm(flat, axis=1)
    flat = flat / reach[:, None]
    # Beside the face hair hangs down from its widest place; behind, it follows the nape.
    widest = np.maximum(reach, np.linalg.norm((points - centre)[..., [0, 2]], axis=-1).max(axis=0) - 3)
    spread = reach + (widest - reach) * np.sin(np.pi / 2 * np.clip(level * 2, 0, 1)) * falls
    spread = spread - 9 * np.clip(level - 0.6, 0, 1) ** 2 * falls
    bottom = last[:, 1].min() + 0.4 * (last[:, 1] - last[:, 1].min()) - wardrobe.hair_length
    height = last[:, 1] + (bottom - last[:, 1]) * level * falls
    curtain = centre * [1, 0, 1] + flat * spread[..., None]
    curtain[..., 1] = height
    where = falls[None, :, None]
    curtain = last * (1 - where) + curtain * where
    aside = np.broadcast_to(flat, curtain.shape)
    return np.concatenate([points, curtain]), np.concatenate([outward, aside])


def _locks(site: Site, shell: _Shell, colour: Array64, count: int, rng: np.random.Generator) -> Prop:
    """Strips along the columns of the surface, a little above it."""
    rows, columns = shell.points.shape[:2]
    at = (np.linspace(0, 1, rows), np.linspace(0, 1, columns))
    surface, outward = (RegularGridInterpolator(at, values) for values in (shell.points, shell.outward))
    start = rng.uniform(0.2, 0.78, count)
    end = np.minimum(start + rng.uniform(0.14, 0.35, count), 0.97)
    column = rng.uniform(0, 1, count)
    steps = np.linspace(0, 1, 6)
    along = start[:, None] + (end - start)[:, None] * steps
    drift = rng.normal(0, 0.012, (count, 1)) * steps
    where = np.stack([along, np.clip(column[:, None] + drift, 0, 1)], axis=-1)
    # Both ends lie below the surface, so that no strip ends in mid-air.
    lift = rng.uniform(0.8, 2.4, (count, 1)) * np.interp(steps, [0, 0.2, 0.8, 1], [0, 1, 1, 0.2]) - 0.5
    curves = surface(where) + outward(where) * lift[..., None]
    return _strips(site, curves, outward(where), rng.uniform(3.0, 7.5, count), colour, rng)


def _fringe_ends(site: Site, shell: _Shell, colour: Array64, rng: np.random.Generator) -> Prop:
    """Locks that run on below a fringe's edge, each to a point of its own: hair is not cut in a line."""
    rows, columns = shell.points.shape[:2]
    at = (np.linspace(0, 1, rows), np.linspace(0, 1, columns))
    surface, outward = (RegularGridInterpolator(at, values) for values in (shell.points, shell.outward))
    column = 0.5 + rng.uniform(-_FRONT, _FRONT, _FRINGE_ENDS) / 360
    begin = rng.uniform(0.72, 0.93, _FRINGE_ENDS)
    steps = np.linspace(0, 1, 7)
    along = begin[:, None] + (1 - begin)[:, None] * np.minimum(steps / _ON_SURFACE, 1)
    drift = rng.normal(0, 0.008, (_FRINGE_ENDS, 1)) * steps
    where = np.stack([along, np.clip(column[:, None] + drift, 0, 1)], axis=-1)
    lift = rng.uniform(0.4, 1.6, (_FRINGE_ENDS, 1)) * np.interp(steps, [0, 0.2, 1], [-0.5, 1, 1])
    curves = surface(where) + outward(where) * lift[..., None]
    # Past the edge they go on as the surface ends, more or less askew, and bend towards the skin.
    edge = where[:, -1] * [0, 1] + [1, 0]
    down = surface(edge) - surface(edge - [0.06, 0])
    down /= np.linalg.norm(down, axis=1, keepdims=True)
    down[:, 0] += rng.normal(0, 0.15, _FRINGE_ENDS)
    past = np.maximum(steps - _ON_SURFACE, 0) / (1 - _ON_SURFACE)
    length = rng.gamma(2.0, 2.2, _FRINGE_ENDS)
    curves = curves + down[:, None] * (length[:, None] * past)[..., None] - outward(where) * (lift * past**2)[..., None]
    return _strips(site, curves, outward(where), rng.uniform(2.0, 5.0, _FRINGE_ENDS), colour, rng)


def _strips(
    site: Site, curves: Array64, outward: Array64, width: Array64, colour: Array64, rng: np.random.Generator
) -> Prop:
    """Locks along curves (S, K, 3), flat across the outward directions (S, K, 3), each of a shade of its own."""
    points, faces, places = strips(curves, width, np.cross(np.gradient(curves, axis=1), outward))
    shade = np.repeat(np.exp(rng.normal(0, 0.25, len(curves))), len(points) // len(curves))[:, None]
    # A lock's share of the pattern that runs around the skull is as wide as the lock.
    grain = np.stack([places[:, 0] + 0.012 * places[:, 1], 0.3 * places[:, 2]], axis=-1)
    return site.fixed("hair", "hair", points, faces, colour * shade, grain)


def _combed(rows: int, length: float) -> NDArray[np.float32]:
    """(rows * columns, 3): places for noise that varies across the columns, and little along them."""
    theta = np.linspace(-np.pi, np.pi, _COLUMNS)
    along = np.linspace(0, 25 * length, rows)[:, None]
    places = np.stack(np.broadcast_arrays(60 * np.sin(theta), along, 60 * np.cos(theta)), axis=-1)
    flat: NDArray[np.float32] = places.reshape(-1, 3).astype(np.float32)
    return flat


def _directions(angle: Array64, theta: Array64) -> Array64:
    return _directions_at(np.broadcast_to(angle[:, None], (len(angle), len(theta))), theta)


def _directions_at(angle: Array64, theta: Array64) -> Array64:
    """(R, C, 3) unit vectors at an angle from the crown, which lies a little behind the top, around the skull."""
    direction: Array64 = np.stack(
        [np.sin(angle) * np.sin(theta), np.cos(angle), np.sin(angle) * np.cos(theta)], axis=-1
    )
    back = np.radians(18.0) * np.clip(np.cos(angle), 0, 1)
    y, z = direction[..., 1].copy(), direction[..., 2].copy()
    direction[..., 1] = np.cos(back) * y + np.sin(back) * z
    direction[..., 2] = -np.sin(back) * y + np.cos(back) * z
    return direction


def _distances(triangles: Array64, centre: Array64, directions: Array64) -> Array64:
    """How far the outermost surface lies from ``centre`` along each direction; Moller-Trumbore, by chunks."""
    a = triangles[:, 0] - centre
    first, second = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    flat = directions.reshape(-1, 3)
    found = np.full(len(flat), np.nan)
    normal = np.cross(first, second)
    across_second, across_first = np.cross(a, second), np.cross(first, a)
    height = (normal * a).sum(axis=1)
    for begin in range(0, len(flat), 1024):
        d = flat[begin : begin + 1024]
        facing = _dots(d, normal)
        with np.errstate(divide="ignore", invalid="ignore"):
            t = height / facing
            u, v = -_dots(d, across_second) / facing, -_dots(d, across_first) / facing
        inside = (facing > 1e-9) & (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6) & (t > 0)
        found[begin : begin + 1024] = np.where(inside, t, -np.inf).max(axis=1)
    found = found.reshape(directions.shape[:2])
    # A ray that leaves through the neck's end is as long as the one above it.
    for row in range(1, len(found)):
        missing = ~np.isfinite(found[row])
        found[row, missing] = found[row - 1, missing]
    return found


def _dots(one: Array64, other: Array64) -> Array64:
    """(N, M) products of (N, 3) and (M, 3); not by BLAS, whose sums may depend on the number of threads."""
    product: Array64 = sum(one[:, axis, None] * other[None, :, axis] for axis in range(3))  # type: ignore[assignment]
    return product


def _step(low: float, high: float, x: Array64) -> Array64:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))
