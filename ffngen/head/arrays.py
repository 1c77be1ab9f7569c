"""The arrays of a model file in FLAME's schema, checked against each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ffngen.errors import HeadModelError, InputFileError

REQUIRED_KEYS = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table")

PARENTS = (-1, 0, 1, 1, 1)
_JOINTS = 5
_POSE_FEATURES = 36
#: FLAME's own split of ``shapedirs``.
_FLAME_SHAPE_COUNT, _FLAME_WIDTH = 300, 400
_WEIGHT_TOLERANCE = 1e-4


@dataclass(frozen=True, eq=False)
class ModelArrays:
    """What :class:`ffngen.head.model.HeadModel` needs of a file; its fields are described there."""

    template: NDArray[np.float64]
    faces: NDArray[np.int32]
    shape_basis: NDArray[np.float32]
    expression_basis: NDArray[np.float32]
    pose_basis: NDArray[np.float32]
    joint_regressor: scipy.sparse.csr_matrix
    skin_weights: NDArray[np.float64]


class FieldReader:
    """Takes arrays by key from what was read of one file, and names file and key in every fault."""

    def __init__(self, path: Path, raw: Mapping[str, Any]) -> None:
        self.path = path
        self._raw = raw

    def __contains__(self, key: str) -> bool:
        return key in self._raw

    def fault(self, what: str) -> HeadModelError:
        """An error about this file."""
        return HeadModelError(what, where=self.path)

    def raw(self, key: str) -> Any:
        """The value as it was read; raises InputFileError where it is missing."""
        if key not in self._raw:
            raise InputFileError(
                f"has no {key!r}, so it is not a head model in FLAME's form", where=self.path, mend="name a model file"
            )
        return self._raw[key]

    def numbers(self, key: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
        """Finite numbers of a shape, None standing for any length above 0."""
        array = self._shaped(key, shape)
        if array.dtype.kind not in "iuf":
            raise self.fault(f"{key!r} holds {array.dtype}, not numbers")
        numbers: NDArray[np.float64] = array.astype(np.float64)
        if not np.isfinite(numbers).all():
            raise self.fault(f"{key!r} holds a value that is not finite")
        return numbers

    def indices(self, key: str, shape: tuple[int | None, ...], limit: int) -> NDArray[np.int32]:
        """Whole numbers from 0 to below a limit."""
        array = self._shaped(key, shape)
        if array.dtype.kind not in "iu":
            raise self.fault(f"{key!r} holds {array.dtype}, not whole numbers")
        if array.min() < 0 or array.max() >= limit:
            raise self.fault(
                f"{key!r} holds indices from {array.min()} to {array.max()}; they must be 0 to {limit - 1}"
            )
        indices: NDArray[np.int32] = array.astype(np.int32, order="C")
        return indices

    def texts(self, key: str, shape: tuple[int | None, ...]) -> NDArray[np.str_]:
        """Text of a shape."""
        array = self._shaped(key, shape)
        if array.dtype.kind != "U":
            raise self.fault(f"{key!r} holds {array.dtype}, not text")
        return array

    def flags(self, key: str, shape: tuple[int | None, ...]) -> NDArray[np.bool_]:
        """Booleans of a shape."""
        array = self._shaped(key, shape)
        if array.dtype.kind != "b":
            raise self.fault(f"{key!r} holds {array.dtype}, not booleans")
        return array

    def _shaped(self, key: str, shape: tuple[int | None, ...]) -> NDArray[Any]:
        value = self.raw(key)
        array = value if isinstance(value, np.ndarray) else np.asarray(value.toarray())
        fits = array.ndim == len(shape) and all(
            length == wanted or (wanted is None and length > 0)
            for length, wanted in zip(array.shape, shape, strict=True)
        )
        if not fits:
            wanted = ", ".join("any" if length is None else str(length) for length in shape)
            raise self.fault(f"{key!r} has shape {array.shape}, not ({wanted})")
        return array


def model_arrays(fields: FieldReader) -> ModelArrays:
    """The arrays of a model.

    :raises HeadModelError: when their shapes, types, ranges or values do not make a head model.
    :raises InputFileError: when one is missing.
    """
    template = fields.numbers("v_template", (None, 3))
    count = len(template)
    basis = fields.numbers("shapedirs", (count, 3, None))
    shape_count = _shape_count(fields, basis.shape[2])
    weights = fields.numbers("weights", (count, _JOINTS))
    if np.abs(weights.sum(axis=1) - 1.0).max() > _WEIGHT_TOLERANCE or weights.min() < -_WEIGHT_TOLERANCE:
        raise fields.fault("'weights' must be positive and sum to 1 for every vertex")
    _check_tree(fields)
    return ModelArrays(
        template=template,
        faces=fields.indices("f", (None, 3), count),
        shape_basis=_float32(fields, "shapedirs", basis[:, :, :shape_count]),
        expression_basis=_float32(fields, "shapedirs", basis[:, :, shape_count:]),
        pose_basis=_float32(fields, "posedirs", fields.numbers("posedirs", (count, 3, _POSE_FEATURES))),
        joint_regressor=_regressor(fields, count),
        skin_weights=weights,
    )


def _shape_count(fields: FieldReader, width: int) -> int:
    if "shape_count" in fields:
        return int(fields.indices("shape_count", (), width + 1))
    if width != _FLAME_WIDTH:
        raise fields.fault(
            f"'shapedirs' has {width} components, not FLAME's {_FLAME_WIDTH}, "
            "and no 'shape_count' says how many of them are identity"
        )
    return _FLAME_SHAPE_COUNT


def _float32(fields: FieldReader, key: str, array: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        small = np.ascontiguousarray(array, dtype=np.float32)
    if not np.isfinite(small).all():
        raise fields.fault(f"{key!r} holds a value beyond float32")
    return small


def _regressor(fields: FieldReader, count: int) -> scipy.sparse.csr_matrix:
    # Through the dense form: the same numbers must give the same matrix, however sparse the file had them.
    regressor = scipy.sparse.csr_matrix(fields.numbers("J_regressor", (_JOINTS, count)))
    regressor.sort_indices()
    return regressor


def _check_tree(fields: FieldReader) -> None:
    tree = fields.numbers("kintree_table", (2, _JOINTS)).tolist()
    # The root's parent is -1, which older files hold as an unsigned number.
    if tree[0][0] not in (-1, 2**32 - 1, 2**64 - 1) or tree[0][1:] != [0, 1, 1, 1] or tree[1] != [0, 1, 2, 3, 4]:
        raise fields.fault("'kintree_table' is not FLAME's tree of root, neck, jaw, left eye and right eye")
