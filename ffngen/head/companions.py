"""What may lie beside a FLAME file: its texture coordinates, its landmarks and the trackers' eyelids."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import HeadModelError, InputFileError
from ffngen.head.arrays import FieldReader
from ffngen.head.npz import read_npy
from ffngen.head.obj import read_obj_uv
from ffngen.head.pickles import read_pickle
from ffngen.head.uv_map import UvMap

#: FLAME's template with texture coordinates, as its archives and the trackers name it.
TEMPLATE_NAMES = ("head_template.obj", "head_template_mesh.obj")
UV_ARRAY_NAMES = ("flame_vt.npy", "flame_ft.npy")
LANDMARK_NAME = "flame_static_embedding.pkl"
#: The left lid and the right one, as SMIRK and metrical-tracker name them.
EYELID_NAMES = ("l_eyelid.npy", "r_eyelid.npy")

#: Landmarks 17 to 67: all but the contour of the jaw.
INNER_COUNT = 51


def companion_uv(folder: Path, faces: NDArray[np.int32]) -> UvMap | None:
    """The texture coordinates that lie beside a model, or None where there are none.

    :param folder: the model's folder.
    :param faces: (F, 3), the model's faces, which the file must have in the same order.
    :raises InputFileError: when the files are damaged.
    :raises HeadModelError: when they belong to another mesh.
    """
    for name in TEMPLATE_NAMES:
        path = folder / name
        if path.exists():
            uv, vertex_faces = read_obj_uv(path)
            if not np.array_equal(vertex_faces, faces):
                raise HeadModelError("has other faces than the head model beside it", where=path)
            return checked_uv(uv, len(faces), path)
    coordinates, texture_faces = (folder / name for name in UV_ARRAY_NAMES)
    if coordinates.exists() and texture_faces.exists():
        fields = FieldReader(folder, {"vt": read_npy(coordinates), "ft": read_npy(texture_faces)})
        return uv_from_fields(fields, len(faces), folder)
    return None


def uv_from_fields(fields: FieldReader, face_count: int, path: Path) -> UvMap:
    """The texture coordinates of the keys ``vt`` and ``ft``."""
    coordinates = fields.numbers("vt", (None, 2)).astype(np.float32)
    return checked_uv(UvMap(coordinates, fields.indices("ft", (face_count, 3), len(coordinates))), face_count, path)


def checked_uv(uv: UvMap, face_count: int, path: Path) -> UvMap:
    """``uv`` where it fits a model of ``face_count`` faces; raises :class:`HeadModelError` elsewhere."""
    if uv.coordinates.ndim != 2 or uv.faces.shape != (face_count, 3):
        raise HeadModelError(f"has texture coordinates for {len(uv.faces)} faces, not {face_count}", where=path)
    if uv.faces.min() < 0 or uv.faces.max() >= len(uv.coordinates):
        raise HeadModelError("has a texture index out of range", where=path)
    # NaN fails this comparison too.
    if not (np.abs(uv.coordinates - 0.5) <= 0.5 + 1e-3).all():
        raise HeadModelError("has texture coordinates outside 0 to 1", where=path)
    return UvMap(np.clip(uv.coordinates, 0.0, 1.0), uv.faces)


def companion_landmarks(folder: Path, face_count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]] | None:
    """The 51 inner landmarks that lie beside a FLAME model, or None where there are none.

    :returns: faces (51,) int32 and barycentric coordinates (51, 3) float64.
    :raises InputFileError: when the file is damaged or hostile.
    :raises HeadModelError: when it does not fit the model.
    """
    path = folder / LANDMARK_NAME
    if not path.exists():
        return None
    fields = FieldReader(path, read_pickle(path, ("lmk_face_idx", "lmk_b_coords")))
    return landmark_fields(fields, INNER_COUNT, face_count)


def landmark_fields(fields: FieldReader, count: int, face_count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """The landmarks of the keys ``lmk_face_idx`` (count,) and ``lmk_b_coords`` (count, 3)."""
    if "lmk_face_idx" not in fields or "lmk_b_coords" not in fields:
        raise InputFileError("has no 'lmk_face_idx' and 'lmk_b_coords'", where=fields.path)
    face_index = fields.indices("lmk_face_idx", (count,), face_count)
    barycentric = fields.numbers("lmk_b_coords", (count, 3))
    if np.abs(barycentric.sum(axis=1) - 1.0).max() > 1e-3:
        raise fields.fault("'lmk_b_coords' must sum to 1 for every landmark")
    return face_index, barycentric


#: Metres; no lid moves as far.
_MAX_LID_MOTION = 0.1


def companion_eyelids(folder: Path, vertex_count: int) -> NDArray[np.float32] | None:
    """The eyelid blendshapes that lie beside a model, or None where there are none.

    :returns: (2, V, 3) float32, metres, of the left and the right lid.
    :raises InputFileError: when a file is damaged, or one of the two is missing.
    :raises HeadModelError: when they belong to another mesh.
    """
    paths = [folder / name for name in EYELID_NAMES]
    missing = [path for path in paths if not path.exists()]
    if len(missing) == len(paths):
        return None
    if missing:
        raise InputFileError("is missing, and the other lid is there", where=missing[0], mend="copy both or none")
    return np.stack([_eyelid(path, vertex_count) for path in paths])


def _eyelid(path: Path, vertex_count: int) -> NDArray[np.float32]:
    array = read_npy(path)
    # One tool keeps an axis of frames in front.
    fields = FieldReader(path, {"lid": array[0] if array.ndim == 3 and len(array) == 1 else array})
    lid = fields.numbers("lid", (vertex_count, 3))
    if np.abs(lid).max() > _MAX_LID_MOTION:
        raise fields.fault(f"moves a vertex by {np.abs(lid).max():.3g} m, which no lid does")
    return lid.astype(np.float32)
