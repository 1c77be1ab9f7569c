"""The folder of one run's unfinished work, and the clearing away of dead runs' folders."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from ffngen.dataset.layout import PARTIAL_FOLDER
from ffngen.errors import DatasetError


def _started(pid: int) -> str | None:
    """When a process of this machine started, in the kernel's ticks; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
        # Without /proc a process can only be asked for.
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, OverflowError):
            return None
        except PermissionError:
            return "0"
        return "0"
    # The fields after the name, which may itself hold spaces and parentheses; a zombie is dead.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())


def _clear_dead(partial: Path) -> None:
    for entry in partial.iterdir():
        host, _, rest = entry.name.partition("~")
        pid, _, started = rest.partition("~")
        if host == _host() and (not pid.isdecimal() or _started(int(pid)) != started):
            shutil.rmtree(entry, ignore_errors=True)


@contextlib.contextmanager
def run_folder(root: Path) -> Iterator[Path]:
    """A folder below ``.partial`` for this run alone, removed at the end, with ``root`` where that is new and empty.

    Folders of this machine's runs that were killed are removed first. Runs on other machines that
    share the dataset are left alone.

    :raises DatasetError: the folder cannot be made.
    """
    is_new = not root.exists()
    partial = root / PARTIAL_FOLDER
    folder = partial / f"{_host()}~{os.getpid()}~{_started(os.getpid())}"
    try:
        # First, so that another run that ends just now does not find the folder of folders empty and remove it.
        folder.mkdir(parents=True, exist_ok=True)
        _clear_dead(partial)
    except OSError as error:
        raise DatasetError(f"the folder cannot be used: {error.strerror}", where=partial) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # Another run may still be at work there.
        with contextlib.suppress(OSError):
            partial.rmdir()
            if is_new:
                root.rmdir()
