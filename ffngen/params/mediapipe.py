"""Parameter sets from what people save of MediaPipe's Face Landmarker.

A frame is the task's result as JSON. Python's is ``face_blendshapes``, for each face a list of
``{category_name, score}``, and ``facial_transformation_matrixes``, for each face a 4x4 matrix in rows. JavaScript's is
``faceBlendshapes``, for each face ``{categories: [{categoryName, score}]}``, and ``facialTransformationMatrixes``, for
each face ``{rows, columns, data}`` with the matrix in columns. Scores may also stand under their names, and a frame may
be the list of categories alone. A file holds a list of frames, one frame on each line, or ``{"frames": [...]}``.

The names are ARKit's with a small letter; ``_neutral`` is ignored and tongueOut is missing. Left is the subject's,
where the picture was not mirrored (tasks-vision, FaceLandmarkerResult). The matrix maps the canonical face, which
looks along +z with y up, into a right-handed space whose camera looks along -z (MediaPipe, Face Mesh: "Metric 3D
Space"); both have the axes of the head frame, so that its rotation is the head's. Translation and camera are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ffngen.errors import InputFileError
from ffngen.params.arkit import ARKIT_ACTIONS
from ffngen.params.json_stream import read_items
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.recording import (
    ACTION_INDEX,
    MAX_FRAMES,
    Recording,
    checked_activation,
    first_bytes,
    read_recordings,
)

_SHAPES = ("faceBlendshapes", "face_blendshapes", "blendshapes")
_MATRICES = (
    "facialTransformationMatrixes",
    "facial_transformation_matrixes",
    "facialTransformationMatrices",
    "facial_transformation_matrices",
    "transformation_matrix",
)
_MILLISECONDS = ("timestampMs", "timestamp_ms", "timestampInMilliseconds", "timestamp_in_milliseconds")
_LISTS = ("frames", "results")

#: Bytes in which a file of results names its blendshapes: 478 landmarks may come first.
_SNIFF = 1 << 20
_MARKS = (b"categoryName", b"category_name", *(b'"%s"' % name.encode() for name in _SHAPES))
#: How far a rotation, freed of its scale, may be from one.
_ROTATION_TOLERANCE = 0.02


def read_mediapipe(path: Path) -> list[ParameterSet]:
    """The sets of one file of Face Landmarker results, or of all below a folder; empty where there is none.

    Each file is one track. Frames are numbered from 0; those without a face are left out.

    :raises InputFileError: for a damaged file, with the frame and the name at fault, or for more than one face.
    """
    return read_recordings(path, (".json", ".jsonl", ".ndjson"), _is_result, _read_file)


def _is_result(path: Path) -> bool:
    head = first_bytes(path, _SNIFF)
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"[", b"{") and any(mark in head for mark in _MARKS)


def _read_file(path: Path) -> Recording:
    frames: list[int] = []
    activations: list[NDArray[np.float64]] = []
    rotations: list[NDArray[np.float64]] = []
    times: list[float] = []
    for number, result in _results(path):
        if number >= MAX_FRAMES:
            raise InputFileError(f"has more than {MAX_FRAMES} frames", where=path, mend="cut it into several files")
        try:
            time = _milliseconds(result)
            if time is not None:
                times.append(time)
            face = _one_face(_named(result, _SHAPES) if isinstance(result, Mapping) else result, "blendshapes")
            if face is None:
                continue
            activations.append(_activation(face))
            matrix = _one_face(_named(result, _MATRICES), "matrices") if isinstance(result, Mapping) else None
            rotations.append(np.zeros(3) if matrix is None else _rotation(matrix))
        except ValueError as error:
            raise InputFileError(f"frame {number}: {error}", where=path, mend="save the results again") from None
        frames.append(number)
    if not frames:
        raise InputFileError("has no frame with a face", where=path, mend="run the task with output_face_blendshapes")
    return Recording(
        frames=np.array(frames, dtype=np.int64),
        activation=np.array(activations),
        rotation=np.array(rotations),
        fps=_fps(times, number + 1),
    )


def _results(path: Path) -> Iterator[tuple[int, Any]]:
    """The frames and their numbers, of a file of any of the forms."""
    number = 0
    for _, item in read_items(path):
        frames = [item]
        if _is_category(item):
            raise InputFileError("is one list of categories", where=path, mend="give a list of such lists")
        if isinstance(item, Mapping) and _named(item, _SHAPES) is None:
            inner = _named(item, _LISTS)
            frames = inner if isinstance(inner, list) else frames
        for frame in frames:
            yield number, frame
            number += 1


def _named(result: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((result[name] for name in names if name in result), None)


def _one_face(value: Any, what: str) -> Any:
    """The only face's part of a list with one part for each face; None where there is no face."""
    if value is None or value == []:
        return None
    if isinstance(value, list) and not _is_category(value[0]) and not _is_matrix(value):
        if len(value) > 1:
            raise ValueError(f"{what} of {len(value)} faces, and nothing says who is who; use num_faces=1")
        return _one_face(value[0], what) if value[0] == [] else value[0]
    return value


def _is_category(value: Any) -> bool:
    return isinstance(value, Mapping) and ("categoryName" in value or "category_name" in value)


def _is_matrix(value: list[Any]) -> bool:
    """Whether a list is a matrix itself, not a list of matrices: four rows of numbers, or 16 numbers."""
    flat = len(value) == 16 and not isinstance(value[0], list | Mapping)
    return flat or (
        len(value) == 4
        and all(isinstance(row, list) and len(row) == 4 for row in value)
        and not any(isinstance(cell, list | Mapping) for row in value for cell in row)
    )


def _activation(face: Any) -> NDArray[np.float64]:
    """The 52 activations of one face."""
    if isinstance(face, Mapping) and "categories" in face:
        face = face["categories"]
    if isinstance(face, Mapping):
        pairs = list(face.items())
    elif isinstance(face, list) and all(_is_category(item) for item in face):
        pairs = [(item.get("categoryName", item.get("category_name")), item.get("score")) for item in face]
    else:
        raise ValueError("its blendshapes are no list of categories")
    values = np.zeros(len(ARKIT_ACTIONS))
    seen = set()
    for name, score in pairs:
        if name == "_neutral":
            continue
        index = ACTION_INDEX.get(name.lower()) if isinstance(name, str) else None
        if index is None:
            raise ValueError(f"{str(name)[:40]!r} is none of ARKit's blendshapes")
        if index in seen:
            raise ValueError(f"{name} is there twice")
        seen.add(index)
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise ValueError(f"{name}: {str(score)[:30]!r} is not a number")
        try:
            values[index] = checked_activation(float(score))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"{name}: {error}") from None
    if not seen:
        raise ValueError("has no blendshapes; run the task with output_face_blendshapes")
    return values


def _rotation(value: Any) -> NDArray[np.float64]:
    """The rotation of a matrix in any of its forms, axis-angle (3,)."""
    if isinstance(value, Mapping):
        value = value.get("data")
    if isinstance(value, Mapping):
        # A Float32Array becomes {"0": ..., "1": ...} when JSON.stringify writes it.
        value = [value.get(str(index)) for index in range(16)]
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("its matrix does not consist of numbers") from None
    if matrix.size != 16 or matrix.ndim not in (1, 2):
        raise ValueError(f"its matrix has the shape {matrix.shape}, not (4, 4)")
    columns_first = matrix.ndim == 1
    matrix = matrix.reshape(4, 4)
    if columns_first:
        matrix = matrix.T
    if not np.isfinite(matrix).all():
        raise ValueError("its matrix holds a value that is not finite")
    # Rows or columns first: the translation tells it, whoever saved the matrix.
    last = np.array([0.0, 0.0, 0.0, 1.0])
    if not np.allclose(matrix[3], last, atol=1e-4):
        matrix = matrix.T
    if not np.allclose(matrix[3], last, atol=1e-4):
        raise ValueError("its matrix is no rigid transformation")
    linear = matrix[:3, :3]
    determinant = float(np.linalg.det(linear))
    if not 1e-9 < determinant < 1e9:
        raise ValueError("its matrix is no rotation")
    linear = linear / np.cbrt(determinant)
    if np.abs(linear @ linear.T - np.eye(3)).max() > _ROTATION_TOLERANCE:
        raise ValueError("its matrix is no rotation")
    rotation: NDArray[np.float64] = Rotation.from_matrix(linear).as_rotvec()
    return rotation


def _milliseconds(result: Any) -> float | None:
    time = _named(result, _MILLISECONDS) if isinstance(result, Mapping) else None
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time < 1e15:
        return None
    return float(time)


def _fps(times: list[float], count: int) -> float | None:
    """Frames per second where every frame has its time in milliseconds."""
    if len(times) != count or count < 2:
        return None
    step = (times[-1] - times[0]) / (count - 1)
    # Within a day, and no faster than any camera.
    return 1000.0 / step if 1.0 <= step < 8.64e7 and (np.diff(times) > 0).all() else None
