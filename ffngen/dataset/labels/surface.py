"""What a head model knows of its surface, kept with each sequence so that labels can be checked without the model."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.labels.regions import face_ids
from ffngen.errors import DatasetError, InputFileError
from ffngen.head.model import HeadModel
from ffngen.head.npz import read_npz

_KINDS = {
    "face_ids": (np.dtype(np.uint8), 1),
    "uv_coordinates": (np.dtype(np.float32), 2),
    "uv_faces": (np.dtype(np.int32), 2),
    "landmark_faces": (np.dtype(np.int32), 1),
    "landmark_weights": (np.dtype(np.float64), 2),
}


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface of a mesh of F faces.

    :param face_ids: (F,) uint8, ids of :mod:`ffngen.dataset.labels.regions`.
    :param uv_coordinates: (T, 2) float32, u right, v up (CONVENTIONS.md).
    :param uv_faces: (F, 3) int32 into them, -1 for a face without texture coordinates.
    :param landmark_faces: (L,) int32: the face of each landmark; L is 68 (iBUG's), or 0 where the model has none.
    :param landmark_weights: (L, 3) float64: where on it.
    """

    face_ids: NDArray[np.uint8]
    uv_coordinates: NDArray[np.float32]
    uv_faces: NDArray[np.int32]
    landmark_faces: NDArray[np.int32]
    landmark_weights: NDArray[np.float64]

    @classmethod
    def of(
        cls, model: HeadModel, faces: NDArray[np.int32], props: Mapping[str, NDArray[np.int32]] | None = None
    ) -> Surface:
        """The surface of a sequence's mesh, whose first faces are the model's and whose others are props.

        :param faces: (F, 3) int32.
        :param props: name of a region -> indices of faces.
        :raises DatasetError: the mesh is not the model's.
        """
        count = len(model.faces)
        if len(faces) < count or not np.array_equal(faces[:count], model.faces):
            raise DatasetError(f"its mesh is not that of the head model {model.family}", where=model.path)
        uv_faces = np.full((len(faces), 3), -1, dtype=np.int32)
        if model.uv is not None:
            uv_faces[:count] = model.uv.faces
        landmarks = model.landmarks
        return cls(
            face_ids=face_ids({**model.regions, **(props or {})}, len(faces), count),
            uv_coordinates=np.zeros((0, 2), np.float32) if model.uv is None else model.uv.coordinates,
            uv_faces=uv_faces,
            landmark_faces=np.zeros(0, np.int32) if landmarks is None else landmarks.face_index.astype(np.int32),
            landmark_weights=np.zeros((0, 3)) if landmarks is None else landmarks.barycentric,
        )

    def uv_at(self, triangle: NDArray[np.int64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """(P, 2) float64: texture coordinates of points with weights (P, 3) on triangles (P,); NaN for none."""
        corners = self.uv_faces[triangle]
        # A row of NaN at the end is what -1 finds.
        padded = np.concatenate([self.uv_coordinates, np.full((1, 2), np.nan, np.float32)]).astype(np.float64)
        return np.asarray(np.einsum("pi,pix->px", weights, padded[corners]))


def encode_surface(surface: Surface) -> bytes:
    """The bytes of ``surface.npz``, compressed."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{field.name: getattr(surface, field.name) for field in fields(surface)})
    return buffer.getvalue()


def read_surface(path: str | Path, face_count: int) -> Surface:
    """Read a ``surface.npz`` of a mesh of so many faces.

    :raises InputFileError: missing, damaged, or of another mesh.
    """
    path = Path(path)
    arrays = read_npz(path, _KINDS.keys())
    try:
        for name, (dtype, ndim) in _KINDS.items():
            if name not in arrays or arrays[name].dtype != dtype or arrays[name].ndim != ndim:
                raise ValueError(f"no array {name} of {ndim} axes of {dtype}")
        surface = Surface(**arrays)
        _check(surface, face_count)
    except ValueError as error:
        raise InputFileError(f"not the surface of a head: {error}", where=path) from error
    return surface


def _check(surface: Surface, face_count: int) -> None:
    count = len(surface.landmark_faces)
    if surface.face_ids.shape != (face_count,) or surface.uv_faces.shape != (face_count, 3):
        raise ValueError(f"the mesh has {face_count} faces")
    if surface.uv_coordinates.shape[1] != 2 or surface.landmark_weights.shape != (count, 3):
        raise ValueError("its arrays do not fit each other")
    for indices, end in ((surface.uv_faces, len(surface.uv_coordinates)), (surface.landmark_faces, face_count)):
        if indices.size and (indices.min() < -1 or indices.max() >= end):
            raise ValueError("an index names nothing")
    if count and surface.landmark_faces.min() < 0:
        raise ValueError("an index names nothing")
    if not (np.isfinite(surface.uv_coordinates).all() and np.isfinite(surface.landmark_weights).all()):
        raise ValueError("a value is not finite")
