"""The folder of one run's unfinished work, and the clearing away of dead runs' folders."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

from ffngen.dataset.layout import PARTIAL_FOLDER
from ffngen.errors import DatasetError

#: How often a run shows that it lives, and how long one that nobody here can ask for may be silent.
HEARTBEAT_SECONDS = 30.0
DEAD_SECONDS = 3600.0

#: How often the folder is made anew where others remove its parent.
_TRIES = 100


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


def _scope() -> str:
    """Where this process's number means something: one boot of one kernel, one PID namespace.

    Containers and copied machines share a name, and would else take each other's runs for dead ones.
    """
    boot, space = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        text = f"{boot.read_text()}{space.readlink()}"
    except OSError:
        text = ""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def run_name() -> str:
    """A name that no other process ever has: host, process number, when it started, and where these are counted."""
    return f"{_host()}~{os.getpid()}~{_started(os.getpid())}~{_scope()}"


def file_server_time(folder: Path) -> float:
    """What time it is, seconds, by the clock that a folder's times are set by; clocks of nodes may differ from it.

    :raises OSError: the folder cannot be touched.
    """
    os.utime(folder)
    return folder.stat().st_mtime


def silent_seconds(folder: Path, now: float) -> float | None:
    """How long ago a run last touched its folder; None where it has none.

    :param now: by the file server's clock (:func:`file_server_time`).
    """
    try:
        return now - folder.stat().st_mtime
    except OSError:
        return None


def _clear_dead(partial: Path, own: Path) -> None:
    now = file_server_time(own)
    for entry in partial.iterdir():
        host, _, rest = entry.name.partition("~")
        pid, started, scope = (*rest.split("~"), "", "", "")[:3]
        if host == _host() and scope == _scope() and pid.isdecimal():
            is_dead = _started(int(pid)) != started
        else:
            is_dead = (silent_seconds(entry, now) or 0.0) > DEAD_SECONDS
        if is_dead and entry != own:
            shutil.rmtree(entry, ignore_errors=True)


def _make(folder: Path) -> None:
    for _ in range(_TRIES):
        # Another run that ends just now removes the folder of folders where it finds it empty.
        with contextlib.suppress(FileNotFoundError):
            folder.mkdir(parents=True, exist_ok=True)
            return
    folder.mkdir(parents=True, exist_ok=True)


def _keep_alive(folder: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_SECONDS):
        with contextlib.suppress(OSError):
            os.utime(folder)


@contextlib.contextmanager
def run_folder(root: Path) -> Iterator[Path]:
    """A folder below ``.partial`` for this run alone, removed at the end, with ``root`` where that is new and empty.

    Its time of change is renewed every :data:`HEARTBEAT_SECONDS`. Folders of this machine's runs that were killed are
    removed first, and those of others that have been silent for :data:`DEAD_SECONDS`.

    :raises DatasetError: the folder cannot be made.
    """
    is_new = not root.exists()
    partial = root / PARTIAL_FOLDER
    folder = partial / run_name()
    try:
        _make(folder)
        _clear_dead(partial, folder)
    except OSError as error:
        raise DatasetError(f"the folder cannot be used: {error.strerror}", where=partial) from error
    ended = threading.Event()
    heartbeat = threading.Thread(target=_keep_alive, args=(folder, ended), daemon=True)
    heartbeat.start()
    try:
        yield folder
    finally:
        ended.set()
        heartbeat.join()
        shutil.rmtree(folder, ignore_errors=True)
        # Another run may still be at work there.
        with contextlib.suppress(OSError):
            partial.rmdir()
            if is_new:
                root.rmdir()
