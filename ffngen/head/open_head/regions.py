"""Named regions of the open head, as sets of faces.

Cavities, lips, ears and the face come from MakeHuman's texture atlas and the masks painted on it; the others are
bounded by the landmarks on the mean head. Regions may overlap: ``face`` holds the lips, the eyes and the nose.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ffngen.head.open_head.source import MakeHumanData
from ffngen.head.open_head.surface import PIECES, HeadSurface

Mask = NDArray[np.bool_]
Array64 = NDArray[np.float64]

#: Boxes (u from, u to, v from, v to) of the islands of the mouth's and the eye sockets' insides in the atlas.
MOUTH_ISLAND = (0.755, 0.927, 0.0, 0.14)
SOCKET_ISLANDS = (0.0, 0.16, 0.54, 0.64)
#: Names in the order in which they are stored.
NAMES = (
    *("face", "lips", "eyes", "eyeballs", "left_eyeball", "right_eyeball", "iris", "pupil", "brows", "nose", "ears"),
    *("forehead", "cheeks", "neck", "scalp", "mouth_interior", "teeth", "tongue", "eye_sockets"),
)
#: Half the height of a brow, metres.
BROW_HALF_HEIGHT = 0.0045
#: The hairline's height above the brows in the middle, and where it would fall to their height, metres.
HAIRLINE_ABOVE_BROWS, HAIRLINE_HALF_WIDTH = 0.047, 0.085
#: Half axes of the ellipse around an eye, metres.
EYE_AROUND = np.array([0.0235, 0.0165])


def skin_parts(surface: HeadSurface, data: MakeHumanData) -> dict[str, Mask]:
    """The parts of the skin that the atlas tells: each (F,) bool.

    ``outer`` is the skin without the insides of mouth and eye sockets; ``face_mask``, ``lips`` and ``ears`` are
    parts of it.
    """
    skin = surface.face_piece == PIECES.index("skin")
    centre = np.where(skin[:, None], _quad_mean(surface, surface.atlas.mean(axis=1)), 0.5)
    mouth, sockets = (skin & _in_box(centre, box) for box in (MOUTH_ISLAND, SOCKET_ISLANDS))
    outer = skin & ~mouth & ~sockets
    painted = {
        name: outer & (_sample(data.uv_mask(mask), centre) > 127)
        for name, mask in (("face_mask", "mpfb_face"), ("lips", "mpfb_lips"), ("ears", "mpfb_ears"))
    }
    return {"mouth_interior": mouth, "eye_sockets": sockets, "outer": outer, **painted}


def find_regions(
    surface: HeadSurface, parts: dict[str, Mask], vertices: Array64, landmarks: Array64
) -> NDArray[np.bool_]:
    """All regions of :data:`NAMES`: (R, F) bool.

    :param parts: of :func:`skin_parts`.
    :param vertices: (V, 3), metres, the mean head in FLAME's frame.
    :param landmarks: (68, 3), metres, on the mean head.
    """
    centre = _quad_mean(surface, vertices[surface.faces].mean(axis=1))
    x, y, z = np.abs(centre[:, 0]), centre[:, 1], centre[:, 2]
    outer, ears, lips = parts["outer"], parts["ears"], parts["lips"]
    left_brow, left_eye, chin = landmarks[22:27], landmarks[42:48], landmarks[8]
    # Between the brows the forehead reaches down to the root of the nose.
    brow_height = np.interp(x, [0.0, *left_brow[:, 0]], [landmarks[27, 1] + BROW_HALF_HEIGHT, *left_brow[:, 1]])

    mirrored = np.stack([x, y], axis=1)
    in_front = outer & (z > 0)
    brows = in_front & (_distance_to_line(mirrored, left_brow[:, :2]) < BROW_HALF_HEIGHT)
    around = ((mirrored - left_eye[:, :2].mean(axis=0)) / EYE_AROUND) ** 2
    eyes = in_front & (around.sum(axis=1) < 1) & ~brows

    # The hairline is highest in the middle and falls towards the temples.
    hairline = left_brow[2, 1] + HAIRLINE_ABOVE_BROWS * (1.0 - (x / HAIRLINE_HALF_WIDTH) ** 2)
    face = parts["face_mask"] & ~ears & (y < hairline)
    nose = face & ~eyes & ~brows & ~lips & _in_nose(x, y, landmarks)
    forehead = face & ~brows & ~nose & ~eyes & (y > brow_height - BROW_HALF_HEIGHT)
    beside_mouth = (x > landmarks[35, 0]) & (y > landmarks[57, 1])
    rest = face & ~nose & ~eyes & ~brows & ~forehead & ~lips
    cheeks = rest & (beside_mouth | (y > landmarks[33, 1]))
    # The neck begins below the line from the chin to behind the ears.
    nape = np.array([landmarks[16, 1] - 0.045, -0.06])
    slope = (nape[0] - chin[1]) / (nape[1] - chin[2])
    neck = outer & ~face & ~ears & (y < chin[1] + slope * (np.maximum(z, -0.09) - chin[2]))
    scalp = outer & ~face & ~ears & ~neck

    eyeballs = {name: surface.face_piece == PIECES.index(name) for name in ("left_eyeball", "right_eyeball")}
    both = eyeballs["left_eyeball"] | eyeballs["right_eyeball"]
    iris, pupil = np.zeros(len(x), dtype=bool), np.zeros(len(x), dtype=bool)
    for eyeball in eyeballs.values():
        iris[eyeball], pupil[eyeball] = surface.eyeball.iris, surface.eyeball.pupil
    regions = {
        **{name: parts[name] for name in ("lips", "ears", "mouth_interior", "eye_sockets")},
        **eyeballs,
        "face": face,
        "eyes": eyes,
        "eyeballs": both,
        "iris": iris,
        "pupil": pupil,
        "brows": brows,
        "nose": nose,
        "forehead": forehead,
        "cheeks": cheeks,
        "neck": neck,
        "scalp": scalp,
        "teeth": np.isin(surface.face_piece, [PIECES.index("upper_teeth"), PIECES.index("lower_teeth")]),
        "tongue": surface.face_piece == PIECES.index("tongue"),
    }
    return np.stack([regions[name] for name in NAMES])


def _quad_mean(surface: HeadSurface, values: Array64) -> Array64:
    """The mean of the values (F, K) over the faces of each quad: both halves of a quad then fall into one region."""
    total = np.zeros((int(surface.face_quad.max()) + 1, values.shape[1]))
    np.add.at(total, surface.face_quad, values)
    mean: Array64 = total[surface.face_quad] / np.bincount(surface.face_quad)[surface.face_quad, None]
    return mean


def _in_box(points: Array64, box: tuple[float, float, float, float]) -> Mask:
    u, v = points[:, 0], points[:, 1]
    return (u > box[0]) & (u < box[1]) & (v > box[2]) & (v < box[3])


def _sample(mask: NDArray[np.uint8], points: Array64) -> NDArray[np.uint8]:
    height, width = mask.shape
    column = np.clip((points[:, 0] * width).astype(np.int64), 0, width - 1)
    row = np.clip(((1.0 - points[:, 1]) * height).astype(np.int64), 0, height - 1)
    sampled: NDArray[np.uint8] = mask[row, column]
    return sampled


def _distance_to_line(points: Array64, line: Array64) -> Array64:
    """The distance of points (N, 2) to a polyline (L, 2)."""
    start, step = line[:-1], np.diff(line, axis=0)
    share = np.clip(((points[:, None] - start) * step).sum(axis=2) / (step**2).sum(axis=1), 0.0, 1.0)
    nearest = start + share[..., None] * step
    distance: Array64 = np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1)
    return distance


def _in_nose(x: Array64, y: Array64, landmarks: Array64) -> Mask:
    """Between the root and the base of the nose, as wide as its bridge above and its wings below."""
    root, wing, base = landmarks[27], landmarks[35], landmarks[33]
    heights = np.array([base[1] - 0.001, wing[1], wing[1] + 0.013, root[1]])
    widths = np.array([0.011, wing[0] + 0.002, wing[0] - 0.002, 0.007])
    inside: Mask = (y > heights[0]) & (y < root[1]) & (x < np.interp(y, heights, widths))
    return inside
