"""A look at scenes without a dataset: one still of each, or its .blend."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ffngen.dataset.compose import ComposedSequence, compose
from ffngen.dataset.context import JobContext, encode_fast_png
from ffngen.dataset.plan import plan_sequences
from ffngen.errors import RenderError
from ffngen.render.pool import available_cores
from ffngen.render.process import RenderProcess
from ffngen.render.raw import read_backplate, read_colour
from ffngen.render.request import RawPass


class SceneViewer:
    """A warm render process that shows jobs' first sequences; a context manager.

    :param device: as a job's.
    :raises JobError, MissingPackageError: Blender cannot start, or has no such device.
    """

    def __init__(self, device: str = "cpu") -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="ffngen-scene-")
        self._process = RenderProcess(device=device, device_index=0, log=Path(self._scratch.name) / "log")
        self._count = 0

    def __enter__(self) -> SceneViewer:
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stop()
        self._scratch.cleanup()

    def still(self, context: JobContext, index: int = 0) -> NDArray[np.uint8]:
        """The first facial frame of a job's sequence, (H, W, 3) uint8 sRGB.

        :param index: which of its sequences.
        :raises FfngenError: as :func:`ffngen.dataset.compose.compose`.
        :raises RenderError: Blender failed.
        """
        composed, folder = self._request(context, index)
        for frame in self._process.render(folder, threads=self._threads(context), timeout=600, what="still"):
            path = frame.kind.path(folder, frame.frame)
            if frame.kind is RawPass.BACKPLATE:
                composed = composed.before(read_backplate(path, composed.request.template))
            else:
                seed = composed.noise_seed(frame.kind, frame.frame)
                image = read_colour(path, frame.crop, composed.background_of(0), composed.development, seed)
        return image

    def save_blend(self, context: JobContext, path: Path) -> None:
        """Save the Blender scene of a job's first sequence.

        :raises RenderError: Blender failed, or could not write there.
        """
        _, folder = self._request(context, 0)
        threads = self._threads(context)
        for _ in self._process.render(folder, threads=threads, timeout=600, save_blend=path, what="scene"):
            pass
        if not path.is_file():
            raise RenderError("Blender wrote no file", where=path)

    def _request(self, context: JobContext, index: int) -> tuple[ComposedSequence, Path]:
        composed = compose(context, plan_sequences(context.job, context.source)[index])
        self._count += 1
        folder = Path(self._scratch.name) / f"request-{self._count}"
        folder.mkdir()
        composed.request.write(folder, composed.atlas_png, encode_fast_png(composed.background))
        return composed, folder

    @staticmethod
    def _threads(context: JobContext) -> int:
        return context.job.threads or available_cores()
