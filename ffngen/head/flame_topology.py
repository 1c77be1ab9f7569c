"""What is known of FLAME's mesh, which all its versions share: regions of the surface and the jaw's contour.

``assets/flame_topology.npz`` holds indices of faces, and barycentric coordinates in them. The regions were drawn by
geometric rules on the template: outlines about landmarks, and connected parts. ``face`` reaches from the hairline to
the edge of the jaw and holds forehead, cheeks, eyes (the lids and the skin about them), nose and lips; the eyeballs
are apart.
The contour follows the edge of the jaw from ear to ear in steps of equal length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ffngen.head.npz import read_npz
from ffngen.resources import resource

FACE_COUNT = 9976

_FACES_SHA256 = "0e1dc70f945eb944daea3a3c23e5700f2b782e0ec302cd3cfb056c677345475f"


def is_flame(faces: NDArray[np.int32]) -> bool:
    """Whether a model's first faces are FLAME's; models with teeth append theirs."""
    return hashlib.sha256(faces[:FACE_COUNT].astype("<i4").tobytes()).hexdigest() == _FACES_SHA256


def regions() -> Mapping[str, NDArray[np.int32]]:
    """Region -> sorted indices of FLAME's faces."""
    arrays = _arrays()
    return {
        str(name): np.flatnonzero(mask).astype(np.int32)
        for name, mask in zip(arrays["region_names"], arrays["region_faces"], strict=True)
    }


def jaw_contour() -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Landmarks 0 to 16: faces (17,) int32 and barycentric coordinates (17, 3) float64."""
    arrays = _arrays()
    return arrays["jaw_face_idx"].astype(np.int32), arrays["jaw_b_coords"].astype(np.float64)


@cache
def _arrays() -> Mapping[str, NDArray[np.generic]]:
    keys = ("region_names", "region_faces", "jaw_face_idx", "jaw_b_coords")
    return read_npz(resource("assets", "flame_topology.npz"), keys)
