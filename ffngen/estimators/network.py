"""A trained network of ffngen's as an estimator: any image size, within a bound on memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path

from ffngen.estimators.estimator import Estimate, Rgb
from ffngen.models import FlowModel, load
from ffngen.models.network import DEFAULT_ITERATIONS
from ffngen.models.tiling import bytes_per_pixel, tiled


class NetworkEstimator:
    """A :class:`~ffngen.models.FlowModel`, which cuts into tiles what would take too much memory.

    :param memory_gib: the most that one pair may take, GiB; None never cuts.
    """

    def __init__(self, model: FlowModel, name: str, memory_gib: float | None) -> None:
        self.model = model
        self.name = name
        self._memory_gib = memory_gib
        config = model.config
        self.details = {"network": config.network.value, "iterations": str(model.iterations)}
        if config.mode is not None:
            self.details |= {"mode": config.mode.value, "encoder": str(config.encoder_weights)}

    def __call__(self, image1: Rgb, image2: Rgb) -> Estimate:
        """The flows; head and expression flow where the network is a DecFlow."""
        return Estimate(*tiled(self.model, image1, image2, self._memory_gib))

    def along(self, frames: Iterable[Rgb]) -> Iterator[Estimate]:
        """The flows from each frame to the next one; what is known of a frame serves both its pairs."""
        ahead = iter(frames)
        first = next(ahead, None)
        if first is None:
            return
        whole = chain([first], ahead)
        needed = first.shape[0] * first.shape[1] * bytes_per_pixel(self.model) / 2**30
        if self._memory_gib is not None and needed > self._memory_gib:
            for image1, image2 in pairwise(whole):
                yield self(image1, image2)
        else:
            for flows in self.model.along(whole):
                yield Estimate(*flows)


def open_network(
    path: str | Path, *, device: str, iterations: int | None, memory_gib: float | None, compiled: bool
) -> NetworkEstimator:
    """The network of a checkpoint; raises :class:`ffngen.errors.InputFileError` for anything else."""
    model = load(path, device=device, iterations=iterations or DEFAULT_ITERATIONS, compiled=compiled)
    path = Path(path)
    # Every run calls its best weights "best": the run's folder tells them apart.
    name = f"{path.parent.name}/{path.stem}" if path.parent.name else path.stem
    return NetworkEstimator(model, name, memory_gib)
