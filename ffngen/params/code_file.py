"""Files in which people keep a network's codes: a dict of arrays as .npz, .npy, .pkl, .pt or .mat."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.head.npz import checked_size, read_npz
from ffngen.head.pickle_names import ForbiddenError
from ffngen.head.pickled import PickledArray, dense_array
from ffngen.head.pickles import ArrayUnpickler
from ffngen.params.mat_file import read_mat
from ffngen.params.torch_file import MAX_INSTRUCTIONS, NAMES, read_torch

#: Bytes; larger files hold something else, such as a network's weights.
MAX_BYTES = 1 << 26

SUFFIXES = (".npz", ".npy", ".pkl", ".pickle", ".pt", ".pth", ".mat")
_MAX_LIST = 100_000


@dataclass(frozen=True)
class CodeFile:
    """A dict of arrays.

    :param names: of all of its entries.
    :param arrays: those that were asked for and are there.
    """

    names: frozenset[str]
    arrays: dict[str, NDArray[Any]]


def read_code_file(path: Path, names: Collection[str]) -> CodeFile | None:
    """The named arrays of a dict in a file, whose suffix (:data:`SUFFIXES`) tells its form.

    Nothing of the file is run.

    :param names: a dot leads into a dict within the dict.
    :returns: None where the file holds something other than a dict, such as a single array.
    :raises InputFileError: when the file is missing, damaged, too large, or asks for anything but arrays.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        arrays = read_npz(path, names, max_bytes=MAX_BYTES)
        return CodeFile(frozenset(arrays), arrays)
    if suffix == ".mat":
        present, arrays = read_mat(path, names)
        return CodeFile(frozenset(present), arrays)
    if suffix in (".pt", ".pth", ".frame"):
        return _code_file(read_torch(path), names, path)
    content = _pickled(path) if suffix in (".pkl", ".pickle") else _pickled_npy(path)
    return None if content is None else _code_file(content, names, path)


def _code_file(content: dict[Any, Any], names: Collection[str], path: Path) -> CodeFile:
    arrays = {}
    for name in names:
        value: Any = content
        for part in name.split("."):
            value = value.get(part) if type(value) is dict else None
        if value is not None:
            try:
                arrays[name] = _array(value)
            except (ValueError, OverflowError) as error:
                raise InputFileError(f"{name!r} is {str(error)[:100]}", where=path) from error
    return CodeFile(frozenset(key for key in content if type(key) is str), arrays)


def _array(value: Any) -> NDArray[Any]:
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, PickledArray):
        return dense_array(value)
    if type(value) in (int, float):
        value = [value]
    if type(value) in (list, tuple) and len(value) <= _MAX_LIST and all(type(n) in (int, float) for n in value):
        return np.array([float(n) for n in value])
    raise ValueError("something that is not an array")


def _pickled_npy(path: Path) -> dict[Any, Any] | None:
    """The dict that ``numpy.save`` pickled as an array of one object."""
    checked_size(path, MAX_BYTES)
    try:
        with path.open("rb") as stream:
            version = npy.read_magic(stream)  # type: ignore[no-untyped-call]
            read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read(stream)  # type: ignore[no-untyped-call]
            if dtype.kind != "O" or shape != ():
                return None
            data = stream.read()
    except Exception as error:  # damaged headers raise nearly anything
        what = f"not a readable .npy file ({type(error).__name__}: {str(error)[:200]})"
        raise InputFileError(what, where=path, mend="copy the file again") from error
    content = _unpickled(data, path)
    if isinstance(content, PickledArray) and content.shape == () and type(content.raw) is list:
        content = content.raw[0] if len(content.raw) == 1 else None
    return content if type(content) is dict else None


def _pickled(path: Path) -> dict[Any, Any] | None:
    checked_size(path, MAX_BYTES)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputFileError(f"cannot be read ({error.strerror})", where=path) from error
    content = _unpickled(data, path)
    return content if type(content) is dict else None


def _unpickled(data: bytes, path: Path) -> Any:
    mend = "save the codes as NumPy arrays, with numpy.savez"
    try:
        return ArrayUnpickler(data, names=NAMES, max_instructions=MAX_INSTRUCTIONS).load()
    except ForbiddenError as error:
        what = f"the pickle asks for {error}, but only arrays are read; nothing in it was run"
        raise InputFileError(what, where=path, mend=mend) from error
    except Exception as error:  # damaged pickles raise nearly anything
        what = f"not a readable pickle of arrays ({(str(error) or type(error).__name__)[:200]})"
        raise InputFileError(what, where=path, mend=mend) from error


def is_code_file(name: str) -> bool:
    """Whether a file's name is one of a dict of arrays."""
    return Path(name).suffix.lower() in SUFFIXES
