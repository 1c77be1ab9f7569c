"""The ids of the segmentation: one table for all head models and for whatever else stands in the scene.

Code that adds faces of its own (glasses, a collar) adds a line to :data:`REGION_IDS` and names its faces by that name
in the regions that it hands to :func:`face_ids`. Ids are part of the format: they are never given to another region.
"""

from __future__ import annotations

import colorsys
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

BACKGROUND, SKIN, PROPS = 0, 1, 32

#: Region of a head model -> id. Where regions overlap, the later one counts; a face of none is skin.
REGION_IDS: dict[str, int] = {
    "neck": 2,
    "scalp": 3,
    "ears": 4,
    "nose": 5,
    "eyes": 6,  # the lids and the skin about them
    "brows": 7,
    "lips": 8,
    "eye_sockets": 9,
    "mouth_interior": 10,
    "tongue": 11,
    "teeth": 12,
    "eyeballs": 13,
    "iris": 14,
    "pupil": 15,
    "props": PROPS,
    "lashes": 33,
    "brow_hairs": 34,
    "hair": 35,
    "glasses": 36,
    "collar": 37,
}

#: Id -> name, for legends.
NAMES: dict[int, str] = {BACKGROUND: "background", SKIN: "skin", **{id_: name for name, id_ in REGION_IDS.items()}}


def face_ids(regions: Mapping[str, NDArray[np.int32]], face_count: int, head_face_count: int) -> NDArray[np.uint8]:
    """(F,) uint8: the id of each face.

    :param regions: name -> indices of faces; names that the table lacks (``face``, ``cheeks``) are finer than it.
    :param face_count: F.
    :param head_face_count: how many of them, the first ones, are the head model's; those after them are props.
    """
    ids = np.full(face_count, SKIN, dtype=np.uint8)
    ids[head_face_count:] = PROPS
    for name, id_ in REGION_IDS.items():
        if name in regions:
            ids[regions[name]] = id_
    return ids


def palette() -> NDArray[np.uint8]:
    """(256, 3) uint8 RGB: a colour for each id, for pictures; 0 is black, and neighbouring ids differ clearly."""
    # Hues by the golden angle, brightness by turns.
    hues = [(id_ * 0.618034 % 1, 0.75, (0.95, 0.7)[id_ % 2]) for id_ in range(256)]
    rgb = np.array([colorsys.hsv_to_rgb(*hue) for hue in hues])
    rgb[0] = 0
    return np.asarray(np.round(255 * rgb), dtype=np.uint8)
