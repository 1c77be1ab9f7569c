"""The names that a pickle of arrays may look up, and the inert descriptions that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ffngen.head.pickled import PickledArray, PickledChumpy, PickledDtype, PickledSparse


class ForbiddenError(Exception):
    """A name or an instruction outside the list."""


@dataclass(frozen=True)
class PermittedName:
    """A permitted name: what it makes of its arguments, or None where it cannot be called."""

    name: str
    make: Callable[..., object] | None


def _make_scalar(dtype: PickledDtype, raw: Any = b"") -> PickledArray:
    return PickledArray(shape=(), dtype=dtype, raw=raw)


def _make_from_buffer(raw: Any, dtype: PickledDtype, shape: Any, order: str) -> PickledArray:
    return PickledArray(shape=shape, dtype=dtype, fortran=order == "F", raw=raw)


def _make_dtype(code: Any, *_: Any) -> PickledDtype:
    if not isinstance(code, str):
        raise ValueError("a dtype that is not a code")
    return PickledDtype(code)


# No constructor copies what it is given: a pickle can name the same large value a million times.


def _make_bytes(text: Any = "", encoding: str = "latin1") -> str:
    # Protocols 0 to 2 of Python 3 write bytes as _codecs.encode(text, "latin1"). They stay text here, as those of
    # Python 2 do, until an array is made of them.
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes in an unknown form")
    return text


def _make_items(items: Any = ()) -> Any:
    # Sets stay the list they were pickled as: their items need not be hashable, and no array hides in a set.
    if type(items) not in (list, tuple):
        raise ValueError("a collection in an unknown form")
    return items


def _make_instance(kind: Any, *_: Any) -> object:
    if not isinstance(kind, PermittedName) or kind.make is None:
        raise ForbiddenError("an object of unknown kind")
    return kind.make()


def _names() -> Iterator[tuple[str, Callable[..., object] | None]]:
    for core in ("numpy.core", "numpy._core"):
        yield f"{core}.multiarray._reconstruct", lambda *_: PickledArray()
        yield f"{core}.multiarray.scalar", _make_scalar
        yield f"{core}.numeric._frombuffer", _make_from_buffer
    yield "numpy.ndarray", None
    yield "numpy.dtype", _make_dtype
    for form in ("csc", "csr", "coo"):
        for module in (form, f"_{form}"):
            for kind in ("matrix", "array"):
                yield f"scipy.sparse.{module}.{form}_{kind}", lambda *_, form=form: PickledSparse(form)
    yield "chumpy.ch.Ch", lambda *_: PickledChumpy()
    yield "chumpy.reordering.Select", lambda *_: PickledChumpy()
    for builtins in ("builtins", "__builtin__"):
        yield f"{builtins}.object", None
        yield f"{builtins}.bytes", _make_bytes
        for collection in ("list", "tuple", "set", "frozenset"):
            yield f"{builtins}.{collection}", _make_items
    yield "_codecs.encode", _make_bytes
    for copyreg in ("copyreg", "copy_reg"):
        yield f"{copyreg}._reconstructor", _make_instance


PERMITTED = {name: PermittedName(name, make) for name, make in _names()}
