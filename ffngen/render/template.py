"""Looking at a user's .blend, in a render process, before any work begins."""

from __future__ import annotations

import tempfile
from pathlib import Path

from ffngen.atomic import file_size, sha256_file
from ffngen.errors import InputFileError
from ffngen.render.process import RenderProcess
from ffngen.scene.template import SceneTemplate, checked_template

_MAX_BYTES = 2 << 30


def read_template(path: Path) -> SceneTemplate:
    """What ffngen takes from a .blend.

    :raises InputFileError: it is missing, no .blend, or lacks something; all faults in one line.
    :raises MissingPackageError: bpy is not installed.
    """
    if file_size(path) > _MAX_BYTES:
        raise InputFileError("is larger than 2 GB", where=path)
    with tempfile.TemporaryDirectory() as scratch:
        process = RenderProcess(device="cpu", device_index=0, log=Path(scratch) / "log")
        process.start()
        try:
            return checked_template(path, sha256_file(path), process.inspect(path))
        finally:
            process.stop()
