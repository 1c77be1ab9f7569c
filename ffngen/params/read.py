"""Parameter sets from whatever a tracker wrote, known by its content."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ffngen.errors import InputFileError
from ffngen.params.emoca import read_emoca
from ffngen.params.parameter_set import ParameterSet

#: Reader of one tracker's output: the sets in a folder, or none where the content is not the tracker's.
Reader = Callable[[Path], list[ParameterSet]]

#: By what the tracker's output is called in messages.
READERS: dict[str, Reader] = {
    "EMOCA folders (shape.npy, exp.npy, pose.npy)": read_emoca,
}


def read_parameter_sets(path: str | Path) -> list[ParameterSet]:
    """All parameter sets below a folder, in a fixed order; at least one.

    :raises InputFileError: for a path that is missing, that holds nothing that is supported, or whose
        files are damaged.
    """
    path = Path(path)
    try:
        what = None if path.is_dir() else "is not a folder" if path.exists() else "is missing"
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
    if what is not None:
        raise InputFileError(what, where=path, mend=f"give a folder with {_supported()}")
    for read in READERS.values():
        sets = read(path)
        if sets:
            return sets
    raise InputFileError("holds no parameters that are known", where=path, mend=f"give a folder with {_supported()}")


def _supported() -> str:
    return " or ".join(READERS)
