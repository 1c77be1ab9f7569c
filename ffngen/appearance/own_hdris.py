"""The user's own surroundings: a folder of equirectangular .hdr and .exr files.

Each file is decoded in a process of its own (:mod:`ffngen.appearance.decode_hdri`), as the decoders of these formats
trust what they read, and kept in the cache folder in one form: half floats, :data:`ffngen.appearance.hdri.OWN_SHAPE`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ffngen.appearance.folders import files_in
from ffngen.atomic import file_size, sha256_file
from ffngen.errors import InputFileError

SUFFIXES = frozenset({".hdr", ".exr"})

#: A picture of 16384 x 8192 in floats has 1.6 GB.
_MAX_BYTES = 2 << 30
_TIMEOUT = 300.0


def own_hdris(folder: str | Path, progress: Callable[[str], None] | None = None) -> tuple[str, ...]:
    """The paths of a folder's surroundings in the cache, in the order of their names; decoded where they are new.

    Each lies in a folder that is named by the file's sha256.

    :param progress: is told what is being read.
    :raises InputFileError: no such folder, no .hdr or .exr file in it, or one that cannot be used.
    """
    return tuple(str(_cached(path, progress)) for path in files_in(folder, "surroundings", SUFFIXES))


def hdris_digest(paths: tuple[str, ...]) -> str:
    """sha256 of the names and contents of surroundings of :func:`own_hdris`."""
    parts = [f"{Path(path).name}\0{Path(path).parent.name}\0" for path in paths]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def hdri_cache() -> Path:
    """Where decoded surroundings are kept: below ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "ffngen" / "hdris"


def _cached(path: Path, progress: Callable[[str], None] | None) -> Path:
    if file_size(path) > _MAX_BYTES:
        raise InputFileError("is larger than 2 GB", where=path)
    try:
        path.name.encode()
    except UnicodeEncodeError:
        # Metadata names the file.
        raise InputFileError("a file whose name is not UTF-8", where=path, mend="rename it") from None
    cached = hdri_cache() / sha256_file(path) / f"{path.name}.exr"
    if not cached.is_file():
        if progress is not None:
            progress(f"reading the surroundings {path.name}")
        cached.parent.mkdir(parents=True, exist_ok=True)
        _decode(path, cached)
    return cached


def _decode(path: Path, cached: Path) -> None:
    part = cached.with_name(f".{os.getpid()}.exr")
    command = [sys.executable, "-m", "ffngen.appearance.decode_hdri", str(path.absolute()), str(part)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT, check=False)
        if done.returncode == 0:
            part.replace(cached)
            return
        reason = done.stdout.strip() if done.returncode == 1 else "the decoder gave up"
    except subprocess.TimeoutExpired:
        reason = f"not decoded within {_TIMEOUT:.0f} s"
    finally:
        part.unlink(missing_ok=True)
    raise InputFileError(f"not surroundings that can be read: {reason[-200:]}", where=path)
