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


def _started(pid: int) -> str | None:
    """When a process of this machine started, in the kernel's ticks; None when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        # Without /proc a process can only be asked for.
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            return "0"
        return None if Path("/proc/self/stat").exists() else "0"
    # The fields after the name, which may itself hold spaces and parentheses; a zombie is dead.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())


@contextlib.contextmanager
def run_folder(root: Path) -> Iterator[Path]:
    """A folder below ``.partial`` for this run alone, removed at the end.

    Folders of this machine's runs that were killed are removed first. Runs on other machines that
    share the dataset are left alone.
    """
    partial = root / PARTIAL_FOLDER
    partial.mkdir(exist_ok=True)
    for entry in partial.iterdir():
        host, _, rest = entry.name.partition("~")
        pid, _, started = rest.partition("~")
        if host == _host() and (not pid.isdigit() or _started(int(pid)) != started):
            shutil.rmtree(entry, ignore_errors=True)
    folder = partial / f"{_host()}~{os.getpid()}~{_started(os.getpid())}"
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        # Another run may still be at work there.
        with contextlib.suppress(OSError):
            partial.rmdir()
