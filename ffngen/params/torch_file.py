"""Arrays from files that ``torch.save`` wrote, without PyTorch, and without running anything of the file.

Such a file is a ZIP archive, uncompressed: ``NAME/data.pkl`` is a pickle whose tensors name their storages,
``NAME/data/KEY`` is a storage's numbers (PyTorch 1.6 and later; ``torch/serialization.py``). The pickle is read as
:mod:`ffngen.head.pickles` reads others: it can name nothing but arrays and tensors, which stay inert descriptions.
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import InputFileError
from ffngen.head.npz import checked_size
from ffngen.head.pickle_names import PERMITTED, ForbiddenError, PermittedName
from ffngen.head.pickles import ArrayUnpickler

#: Bytes; a tracker's frame takes some kilobytes, a batch of codes with its images a few megabytes.
MAX_BYTES = 1 << 26
_MAX_PICKLE_BYTES = 1 << 24
_MAX_MEMBERS = 4096
MAX_INSTRUCTIONS = 100_000

_STORAGES = {
    "torch.DoubleStorage": "<f8",
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "<i1",
    "torch.ByteStorage": "<u1",
    "torch.BoolStorage": "|b1",
}

_MEND = "save it again with torch.save, as plain tensors or arrays"


@dataclass(frozen=True)
class _Storage:
    """A storage that a pickle names: its member's key, dtype and count of numbers."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class PickledTensor:
    """``torch.Tensor``: a view of a storage."""

    storage: Any
    offset: Any
    size: Any
    stride: Any


def read_torch(path: Path) -> dict[str, Any]:
    """The dict that a file of ``torch.save`` holds.

    :returns: its entries: dicts, numbers and text as they are, arrays as
        :class:`ffngen.head.pickled.PickledArray`, tensors as NumPy arrays.
    :raises InputFileError: when the file is missing, damaged, too large, older than PyTorch 1.6, or asks for anything
        but arrays.
    """
    checked_size(path, MAX_BYTES)
    try:
        with path.open("rb") as stream:
            if stream.read(4) != b"PK\x03\x04":
                raise InputFileError(
                    "is no file that torch.save of PyTorch 1.6 or later writes", where=path, mend=_MEND
                )
        with zipfile.ZipFile(path) as archive:
            return _read_archive(archive)
    except InputFileError:
        raise
    except ForbiddenError as error:
        what = f"the pickle asks for {error}, but only arrays are read; nothing in it was run"
        raise InputFileError(what, where=path, mend=_MEND) from error
    except Exception as error:  # damaged archives and pickles raise nearly anything
        what = f"not a readable file of torch.save ({(str(error) or type(error).__name__)[:200]})"
        raise InputFileError(what, where=path, mend=_MEND) from error


def _read_archive(archive: zipfile.ZipFile) -> dict[str, Any]:
    infos = archive.infolist()
    if len(infos) > _MAX_MEMBERS:
        raise ValueError(f"{len(infos)} members, more than {_MAX_MEMBERS}")
    members = {info.filename.partition("/")[2]: info for info in infos}
    if "byteorder" in members and _bytes(archive, members["byteorder"], 16) != b"little":
        raise ValueError("numbers that are not little-endian")
    if "data.pkl" not in members:
        raise ValueError("no data.pkl")
    pickled = _bytes(archive, members["data.pkl"], _MAX_PICKLE_BYTES)
    content = _TorchUnpickler(pickled, names=NAMES, max_instructions=MAX_INSTRUCTIONS, more=("BINPERSID",)).load()
    if type(content) is not dict:
        raise ValueError("not a dict")
    return _with_tensors(content, _Tensors(archive, members), depth=0, made={})


class _TorchUnpickler(ArrayUnpickler):
    """A pickle that may name storages."""

    def persistent_load(self, pid: Any) -> _Storage:
        """The storage that ``("storage", type, key, place, count)`` names."""
        if type(pid) is not tuple or len(pid) != 5 or pid[0] != "storage":
            raise ForbiddenError("something that is kept outside the pickle and is no storage")
        _, kind, key, _, count = pid
        if not isinstance(kind, PermittedName) or kind.name not in _STORAGES:
            raise ValueError("a storage of an unknown type")
        if type(key) is not str or type(count) is not int or count < 0:
            raise ValueError("a storage without a key or a count")
        return _Storage(key, _STORAGES[kind.name], count)


class _Tensors:
    """Makes arrays of tensors, all together no larger than a file may be."""

    def __init__(self, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> None:
        self._archive = archive
        self._members = members
        self._left = MAX_BYTES

    def array(self, tensor: PickledTensor) -> NDArray[Any]:
        """The tensor's numbers; raises ValueError where its parts do not agree."""
        storage, size, stride, offset = tensor.storage, tensor.size, tensor.stride, tensor.offset
        if not isinstance(storage, _Storage):
            raise ValueError("a tensor without a storage")
        for lengths in (size, stride, (offset,)):
            if type(lengths) is not tuple or not all(type(n) is int and n >= 0 for n in lengths):
                raise ValueError("a tensor with an impossible shape")
        if len(size) != len(stride) or len(size) > 8:
            raise ValueError("a tensor with an impossible shape")
        count, dtype = math.prod(size), np.dtype(storage.dtype)
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if count and last >= storage.count:
            raise ValueError("a tensor beyond its storage")
        self._left -= count * dtype.itemsize + storage.count * dtype.itemsize
        if self._left < 0:
            raise ValueError(f"tensors of more than {MAX_BYTES} bytes")
        if not count:
            return np.empty(size, dtype=dtype)
        info = self._members.get(f"data/{storage.key}")
        if info is None or info.file_size != storage.count * dtype.itemsize:
            raise ValueError("a storage that is not there in its length")
        flat = np.frombuffer(_bytes(self._archive, info, info.file_size), dtype=dtype)
        view = np.lib.stride_tricks.as_strided(
            flat[offset:], shape=size, strides=[step * dtype.itemsize for step in stride], writeable=False
        )
        return view.copy()


def _with_tensors(
    entries: dict[Any, Any], tensors: _Tensors, depth: int, made: dict[tuple[int, int], dict[str, Any]]
) -> dict[str, Any]:
    """The dict with its tensors as arrays; what is no text for a key is left out, as is what lies deeper than 4.

    :param made: by identity and depth: dicts that hold one dict many times must not make it many times.
    """
    if (id(entries), depth) in made:
        return made[id(entries), depth]
    result: dict[str, Any] = {}
    made[id(entries), depth] = result
    for key, value in entries.items():
        if isinstance(value, PickledTensor):
            value = tensors.array(value)
        elif type(value) is dict:
            value = _with_tensors(value, tensors, depth + 1, made) if depth < 4 else None
        if type(key) is str:
            result[key] = value
    return result


def _bytes(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limit: int) -> bytes:
    # torch.save compresses nothing, so that whatever is compressed is no work of its.
    if info.compress_type != zipfile.ZIP_STORED or info.file_size > limit:
        raise ValueError(f"a member of {info.file_size} bytes, compressed or larger than {limit}")
    with archive.open(info) as stream:
        data = stream.read(limit + 1)
    if len(data) != info.file_size:
        raise ValueError("truncated")
    return data


def _make_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> PickledTensor:
    return PickledTensor(storage, offset, size, stride)


def _make_parameter(data: Any, *_: Any) -> Any:
    if not isinstance(data, PickledTensor):
        raise ValueError("a parameter that is no tensor")
    return data


def _make_dict(*arguments: Any) -> dict[Any, Any]:
    if arguments:
        raise ValueError("a dict in an unknown form")
    return {}


NAMES = {
    **PERMITTED,
    **{name: PermittedName(name, None) for name in _STORAGES},
    "torch._utils._rebuild_tensor_v2": PermittedName("torch._utils._rebuild_tensor_v2", _make_tensor),
    "torch._utils._rebuild_parameter": PermittedName("torch._utils._rebuild_parameter", _make_parameter),
    "collections.OrderedDict": PermittedName("collections.OrderedDict", _make_dict),
}
