"""A restricted reader of pickles of arrays, such as FLAME's official model files.

A pickle is a program. This reader runs only the instructions that describe data; every name that it looks up
must be in a short list, and stands for one of our own inert descriptions (:mod:`ffngen.head.pickled`). Pickles
of Python 2 are read with their byte strings as Latin-1.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import scipy.sparse
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.head.npz import MAX_BYTES, checked_size
from ffngen.head.pickle_names import PERMITTED, ForbiddenError, PermittedName
from ffngen.head.pickled import PickledArray, PickledChumpy, PickledDtype, PickledSparse, dense_array

#: FLAME's files take some thousand instructions; a bomb of tiny objects takes as many as it has bytes.
MAX_INSTRUCTIONS = 1_000_000

_MAX_ARGUMENTS = 8


def read_pickle(
    path: Path, keys: Collection[str], *, max_bytes: int = MAX_BYTES
) -> dict[str, NDArray[Any] | scipy.sparse.csr_matrix]:
    """The named arrays of a pickled dict.

    :param path: the file.
    :param keys: which entries to read, where the dict has them; the others are never made.
    :param max_bytes: the largest file that is read.
    :returns: name -> dense array, or sparse CSR matrix.
    :raises InputFileError: when the file is missing, damaged, too large, or asks for anything but arrays.
    """
    checked_size(path, max_bytes)
    try:
        content = ArrayUnpickler(path.read_bytes()).load()
        if type(content) is not dict:
            raise ValueError("not a dict of arrays")
        return {key: _array(key, content[key]) for key in keys if key in content}
    except ForbiddenError as error:
        raise InputFileError(
            f"the pickle asks for {error}, but only arrays are read; nothing in it was run",
            where=path,
            mend="use the model file as its authors publish it",
        ) from error
    except Exception as error:  # damaged pickles raise nearly anything
        raise InputFileError(
            f"not a readable pickle of arrays ({(str(error) or type(error).__name__)[:200]})",
            where=path,
            mend="use the model file as its authors publish it",
        ) from error


def _array(key: str, value: object) -> NDArray[Any] | scipy.sparse.csr_matrix:
    try:
        return value.matrix() if isinstance(value, PickledSparse) else dense_array(value)
    except ValueError as error:
        raise ValueError(f"{key!r} is {error}") from error


class ArrayUnpickler(pickle._Unpickler):
    """Python's own reader, in its Python form (whose memo cannot be told to allocate), with few instructions.

    :param data: the pickle.
    :param names: the names that it may look up.
    :param max_instructions: after so many instructions it is refused.
    :param more: instructions that are permitted beside those that describe arrays.
    """

    # Set by pickle._Unpickler, whose attributes its stubs do not list.
    stack: list[Any]
    read: Callable[[int], bytes]
    pop_mark: Callable[[], list[Any]]

    def __init__(
        self,
        data: bytes,
        *,
        names: Mapping[str, PermittedName] = PERMITTED,
        max_instructions: int = MAX_INSTRUCTIONS,
        more: Collection[str] = (),
    ) -> None:
        super().__init__(io.BytesIO(data), encoding="latin1")
        self._names = names
        # One per instance, for it counts.
        self.dispatch = _Instructions(max_instructions, more)  # type: ignore[misc, assignment]

    def find_class(self, module: str, name: str) -> Any:
        """One of our own descriptions; raises :class:`ForbiddenError` for every other name."""
        found = self._names.get(f"{module}.{name}")
        if found is None:
            raise ForbiddenError(f"{module}.{name}"[:100])
        return found

    def _load_reduce(self) -> None:
        arguments = self.stack.pop()
        function = self.stack.pop()
        if not isinstance(function, PermittedName) or function.make is None or type(arguments) is not tuple:
            raise ForbiddenError("a call of something that is not a constructor of arrays")
        if len(arguments) > _MAX_ARGUMENTS:
            raise ValueError(f"{len(arguments)} arguments for {function.name}")
        self.stack.append(function.make(*arguments))

    def _load_build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if not isinstance(target, PickledArray | PickledDtype | PickledChumpy | PickledSparse):
            raise ForbiddenError("a change to something that is not an array")
        target.build(state)

    def _load_setitem(self) -> None:
        value = self.stack.pop()
        key = self.stack.pop()
        self._set_items(self.stack[-1], [key, value])

    def _load_setitems(self) -> None:
        items = self.pop_mark()
        self._set_items(self.stack[-1], items)

    def _load_dict(self) -> None:
        items = self.pop_mark()
        self.stack.append({})
        self._set_items(self.stack[-1], items)

    @staticmethod
    def _set_items(target: Any, items: list[Any]) -> None:
        if type(target) is not dict:
            raise ValueError("items for something that is not a dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Hashing a deeply nested tuple would overflow the C stack.
            if type(key) not in (str, bytes, int, float, bool):
                raise ValueError("a dict whose keys are not names")
            target[key] = value

    def _load_empty_set(self) -> None:
        self.stack.append([])

    def _load_additems(self) -> None:
        items = self.pop_mark()
        if type(self.stack[-1]) is not list:
            raise ValueError("items for something that is not a set")
        self.stack[-1].extend(items)

    def _load_frozenset(self) -> None:
        self.stack.append(self.pop_mark())

    def _load_bytearray8(self) -> None:
        # Python's own allocates the claimed length before it reads.
        self.stack.append(self.read(int.from_bytes(self.read(8), "little")))


_PLAIN_INSTRUCTIONS = (
    "PROTO FRAME STOP MARK POP POP_MARK DUP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG LONG1 LONG4 "
    "FLOAT BINFLOAT STRING BINSTRING SHORT_BINSTRING UNICODE BINUNICODE SHORT_BINUNICODE BINUNICODE8 BINBYTES "
    "SHORT_BINBYTES BINBYTES8 TUPLE EMPTY_TUPLE TUPLE1 TUPLE2 TUPLE3 LIST EMPTY_LIST APPEND APPENDS EMPTY_DICT "
    "GET BINGET LONG_BINGET PUT BINPUT LONG_BINPUT MEMOIZE GLOBAL STACK_GLOBAL"
)


def _opcode(name: str) -> int:
    opcode: bytes = getattr(pickle, name)
    return opcode[0]


_OPCODES: Mapping[int, Callable[[Any], None]] = {
    **{_opcode(name): pickle._Unpickler.dispatch[_opcode(name)] for name in _PLAIN_INSTRUCTIONS.split()},
    _opcode("REDUCE"): ArrayUnpickler._load_reduce,
    _opcode("NEWOBJ"): ArrayUnpickler._load_reduce,
    _opcode("BUILD"): ArrayUnpickler._load_build,
    _opcode("SETITEM"): ArrayUnpickler._load_setitem,
    _opcode("SETITEMS"): ArrayUnpickler._load_setitems,
    _opcode("DICT"): ArrayUnpickler._load_dict,
    _opcode("EMPTY_SET"): ArrayUnpickler._load_empty_set,
    _opcode("ADDITEMS"): ArrayUnpickler._load_additems,
    _opcode("FROZENSET"): ArrayUnpickler._load_frozenset,
    _opcode("BYTEARRAY8"): ArrayUnpickler._load_bytearray8,
}


class _Instructions:
    """The permitted instructions, counted as they are looked up."""

    def __init__(self, limit: int, more: Collection[str]) -> None:
        self._left = limit
        self._more = {_opcode(name): pickle._Unpickler.dispatch[_opcode(name)] for name in more}

    def __getitem__(self, opcode: int) -> Callable[[Any], None]:
        self._left -= 1
        if self._left < 0:
            raise ValueError("more instructions than any array needs")
        instruction = _OPCODES.get(opcode) or self._more.get(opcode)
        if instruction is None:
            raise ForbiddenError(f"instruction {opcode:#04x}")
        return instruction
