"""Head models from files in FLAME's schema: FLAME's own .pkl and .npz, and the open head's .npz."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.head import flame_topology
from ffngen.head.arrays import PARENTS, REQUIRED_KEYS, FieldReader, model_arrays
from ffngen.head.companions import (
    companion_eyelids,
    companion_landmarks,
    companion_uv,
    landmark_fields,
    uv_from_fields,
)
from ffngen.head.edition import Edition, find_edition
from ffngen.head.landmarks import LANDMARK_COUNT, LandmarkEmbedding
from ffngen.head.model import HeadModel
from ffngen.head.npz import read_npz
from ffngen.head.pickles import read_pickle
from ffngen.head.uv import cylindrical_uv
from ffngen.head.uv_map import UvMap

#: What the schema has beyond FLAME's own keys. All are optional.
EXTRA_KEYS = (
    "shape_count",  # (): how many components of shapedirs are identity
    "vt",  # (T, 2) texture coordinates
    "ft",  # (F, 3) indices into vt
    "expression_names",  # (E,) text
    "region_names",  # (R,) text
    "region_faces",  # (R, F) booleans
    "lmk_face_idx",  # (68,) indices of faces
    "lmk_b_coords",  # (68, 3) barycentric coordinates
    "ffngen_family",  # () text
    "ffngen_version",  # () text
)


def read_model(path: Path, *, family: str | None = None) -> HeadModel:
    """Read a head model.

    Texture coordinates, regions and landmarks come from the file; where it has none, from the files beside it
    and from what is known of FLAME's mesh. A model without texture coordinates gets a generated layout. Eyelids come
    from the files beside it.

    :param path: a .pkl or .npz file in FLAME's schema. Pickles are read without running them.
    :param family: the family, where neither the file nor its name tells (:mod:`ffngen.head.edition`).
    :raises InputFileError: when a file is missing, damaged or hostile.
    :raises HeadModelError: when what it holds is not a head model, or its family cannot be told.
    """
    keys = REQUIRED_KEYS + EXTRA_KEYS
    if path.suffix == ".npz":
        fields = FieldReader(path, read_npz(path, keys))
    elif path.suffix == ".pkl":
        fields = FieldReader(path, read_pickle(path, keys))
    else:
        raise InputFileError("is not a head model", where=path, mend="name a .pkl or .npz file in FLAME's form")
    arrays = model_arrays(fields)
    edition = find_edition(path, family=family, stated=_stated_edition(fields))
    return HeadModel(
        family=edition.family,
        version=edition.version,
        template=arrays.template,
        faces=arrays.faces,
        shape_basis=arrays.shape_basis,
        expression_basis=arrays.expression_basis,
        pose_basis=arrays.pose_basis,
        joint_regressor=arrays.joint_regressor,
        skin_weights=arrays.skin_weights,
        parents=PARENTS,
        uv=_uv(fields, arrays.template, arrays.faces),
        regions=_regions(fields, arrays.faces),
        landmarks=_landmarks(fields, arrays.faces),
        expression_names=_expression_names(fields, arrays.expression_basis.shape[2]),
        path=path,
        eyelids=companion_eyelids(path.parent, len(arrays.template)),
    )


def _stated_edition(fields: FieldReader) -> Edition | None:
    if "ffngen_family" not in fields:
        return None
    return Edition(str(fields.texts("ffngen_family", ())), str(fields.texts("ffngen_version", ())))


def _uv(fields: FieldReader, template: NDArray[np.float64], faces: NDArray[np.int32]) -> UvMap:
    if "vt" in fields:
        return uv_from_fields(fields, len(faces), fields.path)
    return companion_uv(fields.path.parent, faces) or cylindrical_uv(template, faces)


def _regions(fields: FieldReader, faces: NDArray[np.int32]) -> Mapping[str, NDArray[np.int32]]:
    if "region_names" in fields:
        names = fields.texts("region_names", (None,))
        masks = fields.flags("region_faces", (len(names), len(faces)))
        return {str(name): np.flatnonzero(mask).astype(np.int32) for name, mask in zip(names, masks, strict=True)}
    return flame_topology.regions() if flame_topology.is_flame(faces) else {}


def _landmarks(fields: FieldReader, faces: NDArray[np.int32]) -> LandmarkEmbedding | None:
    if "lmk_face_idx" in fields:
        return LandmarkEmbedding(*landmark_fields(fields, LANDMARK_COUNT, len(faces)), faces)
    if not flame_topology.is_flame(faces):
        return None
    inner = companion_landmarks(fields.path.parent, flame_topology.FACE_COUNT)
    if inner is None:
        return None
    jaw = flame_topology.jaw_contour()
    return LandmarkEmbedding(np.concatenate([jaw[0], inner[0]]), np.concatenate([jaw[1], inner[1]]), faces)


def _expression_names(fields: FieldReader, count: int) -> tuple[str, ...]:
    if "expression_names" not in fields:
        return ()
    return tuple(str(name) for name in fields.texts("expression_names", (count,)))
