"""One render process, seen from the parent: start, ask, listen, restart."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ffngen.engine import Engine
from ffngen.errors import InputFileError, JobError, MissingPackageError, RenderError
from ffngen.render.request import Crop, RawPass

#: Blender needs about two seconds to start; a cold disk on a farm, or a GPU's first kernels, far more.
START_TIMEOUT = 600.0

#: Seconds that reading a .blend may take.
INSPECT_TIMEOUT = 120.0

#: How much of a request is rendered.
What = Literal["sequence", "still", "scene"]

#: What is started; messages to and from it are described in :mod:`ffngen.render.child`.
COMMANDS: dict[Engine, tuple[str, ...]] = {
    "cycles": (sys.executable, "-m", "ffngen.blender"),
    "splat": (sys.executable, "-m", "ffngen.splat"),
}
#: The package that each needs, what messages call it, and the extra that brings it.
_NEEDS: dict[Engine, tuple[str, str, str]] = {
    "cycles": ("bpy", "Blender", "render"),
    "splat": ("numba", "the rasteriser", "splat"),
}


class RenderProcessDied(RenderError):
    """The process ended, was killed, or fell silent; a new one may do better."""


@dataclass(frozen=True)
class Device:
    """What a process renders on: a type (CPU, OPTIX, ...), how many GPUs of it there are, and the program's name."""

    kind: str
    gpus: int
    program: str


@dataclass(frozen=True)
class RenderedFrame:
    """A finished raw file; ``seconds`` is what it took in the process."""

    kind: RawPass
    frame: int
    crop: Crop
    seconds: float


class RenderProcess:
    """A persistent program of :data:`COMMANDS`; renders one sequence at a time."""

    def __init__(self, *, device: str, device_index: int, log: Path, engine: Engine = "cycles") -> None:
        self._engine = engine
        self._arguments = ["--device", device, "--device-index", str(device_index)]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = b""

    @property
    def pid(self) -> int | None:
        """The process's id while it runs."""
        return self._process.pid if self._process is not None else None

    def start(self) -> Device:
        """Start the program and wait until it is ready.

        The process dies with the thread that starts it (so that a killed parent leaves none behind).

        :raises JobError: the device that was asked for is absent.
        :raises MissingPackageError: the package that it needs is not installed.
        :raises RenderProcessDied: it did not come up.
        """
        package, program, extra = _NEEDS[self._engine]
        if importlib.util.find_spec(package) is None:
            what = f"{package} ({program}) is not installed"
            raise MissingPackageError(what, mend=f'run: pip install "ffngen[{extra}]"')
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        # Cycles has its own threads; those of NumPy's libraries would only compete with them.
        environment.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
        self._pending = b""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMANDS[self._engine], *self._arguments, "--parent", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
            )
        message = self._receive(START_TIMEOUT)
        if message["event"] == "no_program":
            self.stop()
            raise MissingPackageError(
                f"{program} cannot start: {message['message']}",
                mend="on Debian and Ubuntu: apt-get install libxi6 libxrender1 libxfixes3 libxkbcommon0 libsm6 libgl1",
            )
        if message["event"] == "no_device":
            self.stop()
            raise JobError(message["message"], where="device", mend="use --device auto or --device cpu")
        return Device(message["device"], message["gpus"], message["program"])

    def render(
        self, folder: Path, *, threads: int, timeout: float, save_blend: Path | None = None, what: What = "sequence"
    ) -> Iterator[RenderedFrame]:
        """Render the request in ``folder`` on ``threads`` threads; yields each raw file as it is finished.

        :param save_blend: where to save the scene.
        :param what: the whole sequence; a still: the first facial colour image alone; or a scene: nothing.

        :raises RenderProcessDied: it ended, or said nothing for ``timeout`` seconds.
        :raises RenderError: it reported a fault; the process lives on.
        """
        request: dict[str, Any] = {"folder": str(folder.absolute()), "threads": threads, "what": what}
        if save_blend is not None:
            request["save_blend"] = str(save_blend.absolute())
        self._send(request)
        while (message := self._receive(timeout))["event"] != "done":
            if message["event"] == "error":
                raise RenderError(f"{_NEEDS[self._engine][1]} reported: {message['message']}")
            yield RenderedFrame(RawPass(message["pass"]), message["frame"], Crop(*message["crop"]), message["seconds"])

    def inspect(self, path: Path) -> dict[str, Any]:
        """What a .blend holds (:func:`ffngen.blender.template.inspect`).

        :raises InputFileError: Blender cannot read it; where it died of it, this process is to be stopped.
        """
        try:
            self._send({"inspect": str(path.absolute())})
            message = self._receive(INSPECT_TIMEOUT)
        except RenderProcessDied:
            raise InputFileError("Blender did not survive reading it", where=path) from None
        if message["event"] == "error":
            raise InputFileError(f"not a .blend that can be read: {message['message'][:200]}", where=path)
        seen: dict[str, Any] = message["seen"]
        return seen

    def _send(self, request: dict[str, Any]) -> None:
        assert self._process is not None and self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._died() from None

    def _receive(self, timeout: float) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + timeout
        while b"\n" not in self._pending:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                self.stop()
                raise RenderProcessDied(f"the render process said nothing for {timeout:.0f} s and was stopped")
            chunk = os.read(descriptor, 65536)
            if not chunk:
                raise self._died()
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:
            self.stop()
            raise RenderProcessDied(f"the render process said {line[:80]!r} and was stopped") from None
        return message

    def _died(self) -> RenderProcessDied:
        assert self._process is not None
        code = self._process.wait()
        self.stop()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return RenderProcessDied(f"the render process {how}")

    def kill(self) -> None:
        """Kill the process from another thread; the thread that listens to it finds out."""
        process = self._process
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    def stop(self) -> None:
        """End the process at once; it holds nothing worth keeping."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._process = None
