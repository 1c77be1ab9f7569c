"""Writing files so that a reader sees a whole file or none, and looking at files before they are trusted."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import stat
from collections.abc import Callable
from pathlib import Path

from ffngen.errors import DatasetError, InputFileError, OutOfSpaceError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_counter = itertools.count()


def _umask() -> int:
    """The process's mask for new files, which can be read only by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


_UMASK = _umask()


def write_atomic(path: str | Path, content: bytes | Callable[[Path], None]) -> None:
    """Put a file in place in one step.

    The content goes to a temporary name in the same folder, reaches the disk, and is renamed.

    :param path: the file; its folder must exist. A file of that name is replaced.
    :param content: the bytes, or a function that writes the whole file at the path it is given. That
        path keeps the file's suffix.
    :raises OutOfSpaceError: the disk or the quota is full; nothing is left behind.
    :raises DatasetError: the file cannot be written for another reason.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}-{next(_counter)}.tmp{path.suffix}")
    try:
        _write_and_rename(path, temporary, content)
    except OSError as error:
        raise _write_fault(error, path) from error
    except Exception as error:
        # Image libraries report a full disk as errors of their own, with the system's words in the text.
        if any(os.strerror(code) in str(error) for code in _FULL):
            raise OutOfSpaceError("the disk is full", where=path, mend="free some space and run again") from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _write_and_rename(path: Path, temporary: Path, content: bytes | Callable[[Path], None]) -> None:
    if callable(content):
        content(temporary)
        # Some libraries make files for their owner alone.
        temporary.chmod(0o666 & ~_UMASK)
    else:
        temporary.write_bytes(content)
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def link_or_copy(source: Path, target: Path, max_bytes: int) -> None:
    """Give a file a second name, or, on another file system or one without links, a copy.

    :param target: where nothing is yet; its folder must exist.
    :param max_bytes: a larger file is not copied.
    :raises InputFileError, OutOfSpaceError, DatasetError: it cannot be copied.
    """
    try:
        os.link(source, target)
    except OSError:
        write_atomic(target, read_bounded(source, max_bytes))


def sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, have reached the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_fault(error: OSError, path: Path) -> DatasetError | OutOfSpaceError:
    if error.errno in _FULL:
        return OutOfSpaceError("the disk is full", where=path, mend="free some space and run again")
    return DatasetError(f"cannot be written: {error.strerror or error}", where=path, mend="check the folder")


def sha256_file(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, as 64 hexadecimal digits; raises :class:`OSError` when unreadable."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_size(path: str | Path) -> int:
    """The size in bytes of an ordinary file that can be opened; what is missing or no file is refused.

    Opening a pipe or a device that stands where a file should be would block for ever.

    :raises InputFileError: missing, a folder, a pipe, a device, or hidden from this user.
    """
    path = Path(path)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise InputFileError(f"cannot be read: {getattr(error, 'strerror', None) or error}", where=path) from error
    if not stat.S_ISREG(status.st_mode):
        raise InputFileError("not a file", where=path)
    return status.st_size


def read_bounded(path: str | Path, max_bytes: int) -> bytes:
    """The bytes of an ordinary file of at most ``max_bytes``; raises :class:`InputFileError` for any other."""
    size = file_size(path)
    if size > max_bytes:
        raise InputFileError(f"{size} bytes, of which at most {max_bytes} are read", where=path)
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputFileError(f"cannot be read: {error.strerror or error}", where=path) from error
