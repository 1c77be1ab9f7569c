"""Reading files of weights that may be hostile: nothing in them is run, and sizes are bounded beforehand."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ffngen.atomic import file_size
from ffngen.errors import InputFileError

#: The largest file that is read; a DecFlow takes 80 MB, one with its optimiser's state 240 MB.
MAX_BYTES = 2**30

#: PyTorch's files have a record for each tensor.
_MAX_RECORDS = 20_000

#: Names under which training scripts keep the weights among other things.
_WRAPPERS = ("state_dict", "model", "model_state_dict")

_PARALLEL_PREFIX = "module."

_MEND = "name a .safetensors file of ffngen's or a .pth file of the network's authors"


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a ``.safetensors`` or ``.pth`` file by name, on the CPU, without the prefix ``module.``.

    :raises InputFileError: missing, damaged, too large, of another kind, or a pickle that asks for code.
    """
    path = Path(path)
    size = file_size(path)
    if size > MAX_BYTES:
        raise InputFileError(f"{size} bytes, of which at most {MAX_BYTES} are read", where=path, mend=_MEND)
    weights = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    return _without_prefix(path, weights)


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no dict
    except (SafetensorError, OSError, ValueError, RuntimeError, TypeError, KeyError) as error:
        raise InputFileError(f"not a readable safetensors file ({_first_line(error)})", where=path) from error


def _read_torch(path: Path) -> Mapping[str, Tensor]:
    _check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged pickles raise nearly anything
        if "Unsupported" in str(error) or "weights_only" in str(error) or "WeightsUnpickler" in str(error):
            what = "the pickle asks for more than tensors, so nothing in it was run"
            raise InputFileError(what, where=path, mend="save the network's state_dict alone") from error
        raise InputFileError(f"not a readable PyTorch file ({_first_line(error)})", where=path) from error
    return _tensors(path, content)


def _check_archive(path: Path) -> None:
    """Refuse what PyTorch would inflate, or read with its older, less careful reader."""
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error, EOFError) as error:
        what = "not a PyTorch file of version 1.6 or later"
        raise InputFileError(what, where=path, mend=f"{_MEND}, or save it again with a newer PyTorch") from error
    if any(name.endswith("constants.pkl") for name in archive.namelist()):
        mend = "save the scripted network's state_dict() with torch.save and name that file"
        raise InputFileError("a TorchScript program, which is not run", where=path, mend=mend)
    if len(records) > _MAX_RECORDS or any(record.compress_type != zipfile.ZIP_STORED for record in records):
        raise InputFileError("a compressed archive, as PyTorch does not write it", where=path, mend=_MEND)


def _tensors(path: Path, content: Any) -> Mapping[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
            break
    if not isinstance(content, dict) or not content:
        raise InputFileError("holds no weights", where=path, mend="save the network's state_dict alone")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            what = f"{str(name)[:60]!r} is not a named plain tensor"
            raise InputFileError(what, where=path, mend="save the network's state_dict alone")
    return content


def _without_prefix(path: Path, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    stripped = {name.removeprefix(_PARALLEL_PREFIX): tensor for name, tensor in weights.items()}
    if len(stripped) != len(weights):
        raise InputFileError(f"names that differ by {_PARALLEL_PREFIX!r} alone", where=path)
    return stripped


def check_fits(path: str | Path, weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str) -> None:
    """Refuse weights whose names, shapes or kinds are not those of a network, or that are not finite.

    :param expected: tensors of the right names, shapes and dtypes; they may be on the meta device.
    :param what: the network, for the message.
    :raises InputFileError: naming the first misfits.
    """
    missing, unknown = expected.keys() - weights.keys(), weights.keys() - expected.keys()
    if missing or unknown:
        parts = [f"lacks {_few(missing)}"] * bool(missing) + [f"has the unknown {_few(unknown)}"] * bool(unknown)
        raise InputFileError(f"not the weights of {what}: {' and '.join(parts)}", where=path)
    for name, tensor in expected.items():
        given = weights[name]
        if given.shape != tensor.shape:
            shapes = f"{tuple(given.shape)} instead of {tuple(tensor.shape)}"
            raise InputFileError(f"{name} has the shape {shapes}", where=path)
        if given.is_floating_point() != tensor.is_floating_point() or given.is_complex():
            raise InputFileError(f"{name} holds {given.dtype} instead of {tensor.dtype}", where=path)
        if not torch.isfinite(given).all():
            raise InputFileError(f"{name} holds values that are not finite", where=path)


def _few(names: set[str]) -> str:
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return ", ".join(name[:60] for name in sorted(names)[:2]) + more


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]
