"""What a pickle of arrays describes, as inert descriptions, and how these become arrays.

NumPy's, SciPy's and chumpy's own constructors are never called with a pickle's arguments: a description holds
the claimed shape, dtype and bytes, and is made an array only after they agree.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

#: Booleans, integers and floats as NumPy writes them in a pickle.
_PLAIN_DTYPE = re.compile(r"b1|\?|[iu][1248]|f[248]")

_MAX_DEPTH = 8
_MAX_SPARSE_SIDE = 10_000_000


@dataclass
class PickledDtype:
    """``numpy.dtype``: its code, such as ``f8``, and its byte order."""

    code: str
    order: Literal["<", ">", "|", "="] = "="

    def build(self, state: Any) -> None:
        """Take the state: a tuple whose second item is the byte order."""
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError("unknown byte order")
        self.order = order

    def dtype(self) -> np.dtype[Any]:
        """The dtype; raises ValueError unless it is plain numbers."""
        if not _PLAIN_DTYPE.fullmatch(self.code):
            raise ValueError(f"an array of dtype {self.code[:20]!r}, not of plain numbers")
        return np.dtype(self.code).newbyteorder(self.order)


@dataclass
class PickledArray:
    """``numpy.ndarray``: shape, dtype and bytes."""

    shape: Any = None
    dtype: Any = None
    fortran: bool = False
    raw: Any = b""

    def build(self, state: Any) -> None:
        """Take the state: (version,) shape, dtype, whether in Fortran order, bytes."""
        self.shape, self.dtype, fortran, self.raw = state[-4:]
        self.fortran = bool(fortran)

    def array(self) -> NDArray[Any]:
        """The array; raises ValueError where shape, dtype and bytes do not agree."""
        if not isinstance(self.dtype, PickledDtype):
            raise ValueError("an array without a dtype")
        dtype = self.dtype.dtype()
        if not isinstance(self.shape, tuple) or not all(type(n) is int and n >= 0 for n in self.shape):
            raise ValueError("an array with an impossible shape")
        raw = self.raw.encode("latin-1") if isinstance(self.raw, str) else self.raw
        if not isinstance(raw, bytes) or math.prod(self.shape) * dtype.itemsize != len(raw):
            raise ValueError("an array whose shape does not fit its bytes")
        flat = np.frombuffer(raw, dtype=dtype) if raw else np.empty(0, dtype=dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")


@dataclass
class PickledChumpy:
    """``chumpy.Ch``: an array ``x``, or a selection ``a.ravel()[idxs]`` of another one."""

    state: dict[str, Any] = field(default_factory=dict)

    def build(self, state: Any) -> None:
        """Take the state, a dict of attributes."""
        if not isinstance(state, dict):
            raise ValueError("a chumpy array without attributes")
        self.state = state


@dataclass
class PickledSparse:
    """A SciPy sparse matrix in ``csc``, ``csr`` or ``coo`` form."""

    form: str
    state: dict[str, Any] = field(default_factory=dict)

    def build(self, state: Any) -> None:
        """Take the state, a dict of attributes."""
        if not isinstance(state, dict):
            raise ValueError("a sparse matrix without attributes")
        self.state = state

    def matrix(self) -> scipy.sparse.csr_matrix:
        """The matrix as CSR; raises ValueError where its parts do not agree."""
        shape = self.state.get("_shape", self.state.get("shape"))
        if not isinstance(shape, tuple) or len(shape) != 2:
            raise ValueError("a sparse matrix without a shape")
        if not all(type(n) is int and 0 <= n <= _MAX_SPARSE_SIDE for n in shape):
            raise ValueError("a sparse matrix with an impossible shape")
        data = dense_array(self.state.get("data"))
        if self.form == "coo":
            # SciPy 1.13 replaced row and col by a pair.
            pair = self.state.get("coords", (self.state.get("row"), self.state.get("col")))
            rows, columns = dense_array(pair[0]), dense_array(pair[1])
        else:
            minor = dense_array(self.state.get("indices"))
            starts = dense_array(self.state.get("indptr"))
            major = _expand(starts, shape[1] if self.form == "csc" else shape[0], len(minor))
            rows, columns = (minor, major) if self.form == "csc" else (major, minor)
        for index, length in ((rows, shape[0]), (columns, shape[1])):
            if index.shape != data.shape or index.ndim != 1 or index.dtype.kind not in "iu":
                raise ValueError("a sparse matrix whose indices do not fit its data")
            if index.size and (index.min() < 0 or index.max() >= length):
                raise ValueError("a sparse matrix with an index out of range")
        return scipy.sparse.csr_matrix((data, (rows, columns)), shape=shape)


def dense_array(value: Any, *, depth: int = 0) -> NDArray[Any]:
    """The dense array that a description stands for.

    :raises ValueError: when it stands for something else, or does not agree with itself.
    """
    if isinstance(value, PickledArray):
        return value.array()
    if isinstance(value, PickledChumpy) and depth < _MAX_DEPTH:
        if "x" in value.state:
            return dense_array(value.state["x"], depth=depth + 1)
        whole = dense_array(value.state.get("a"), depth=depth + 1).ravel()
        index = dense_array(value.state.get("idxs"), depth=depth + 1).ravel()
        if index.dtype.kind not in "iu" or (index.size and (index.min() < 0 or index.max() >= whole.size)):
            raise ValueError("a chumpy selection out of range")
        selection: NDArray[Any] = whole[index]
        return selection.reshape(_selection_shape(value.state.get("preferred_shape"), index.size))
    raise ValueError("something that is not an array")


def _selection_shape(shape: Any, size: int) -> tuple[int, ...]:
    """The shape of a chumpy selection: a tuple, an array of lengths, or None for flat."""
    if shape is None:
        return (size,)
    lengths = dense_array(shape).ravel().tolist() if isinstance(shape, PickledArray) else list(shape)
    if not all(type(n) is int and n >= 0 for n in lengths) or math.prod(lengths) != size:
        raise ValueError("a chumpy selection whose shape does not fit")
    return tuple(lengths)


def _expand(starts: NDArray[Any], count: int, total: int) -> NDArray[np.int64]:
    """The major index of each entry of a compressed sparse matrix."""
    if starts.shape != (count + 1,) or starts.dtype.kind not in "iu":
        raise ValueError("a sparse matrix whose pointers do not fit its shape")
    lengths = np.diff(starts.astype(np.int64))
    if starts[0] != 0 or starts[-1] != total or (lengths < 0).any():
        raise ValueError("a sparse matrix with impossible pointers")
    return np.repeat(np.arange(count, dtype=np.int64), lengths)
