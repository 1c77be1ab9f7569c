"""A trained network as a function of two images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffngen.errors import InputFileError, JobError
from ffngen.models.checkpoint import load_network
from ffngen.models.config import ModelConfig
from ffngen.models.fast import fast_along, fast_forward
from ffngen.models.network import DEFAULT_ITERATIONS, FlowNetwork
from ffngen.models.output import Flows, FlowSequence
from ffngen.models.scaling import at_scale, enlarge, shrink


class FlowModel:
    """``model(image1, image2)``: the flows from the first to the second image.

    :param network: put into evaluation mode, on ``device``.
    :param iterations: how often a flow is refined, unless a call says otherwise.
    :param plain: the plain path, instead of the fast one that gives the same.
    :param compiled: compile the fast path with :func:`torch.compile`: pays on a GPU, for many pairs of one size.
    """

    def __init__(
        self,
        network: FlowNetwork,
        *,
        device: str | torch.device = "cpu",
        iterations: int = DEFAULT_ITERATIONS,
        plain: bool = False,
        compiled: bool = False,
    ) -> None:
        self.network: FlowNetwork = network.eval().to(device)
        self.device = torch.device(device)
        self.iterations = _checked_iterations(iterations)
        path = self.network if plain else partial(fast_forward, self.network)
        self._path: Callable[..., FlowSequence] = torch.compile(path) if compiled else path

    @property
    def config(self) -> ModelConfig:
        """What the network is, and where the weights of its semantic encoder came from."""
        return self.network.config

    def __call__(
        self, image1: NDArray[np.uint8] | Tensor, image2: NDArray[np.uint8] | Tensor, *, iterations: int | None = None
    ) -> Flows:
        """The flows between two images of one size.

        :param image1: an array (H, W, 3) uint8, RGB; or a tensor (3, H, W) or (B, 3, H, W) of RGB 0..255.
        :param image2: as the first, of the same shape.
        :param iterations: how often the flow is refined; at least 1.
        :returns: for arrays, arrays (H, W, 2) float32; for tensors, tensors (2, H, W) or (B, 2, H, W) on the
            model's device. Pixels, u right and v down. Head and expression flow are None for a network without a
            trained head decoder.
        :raises InputFileError: for images of other shapes or kinds, or with values that are not finite.
        :raises JobError: for less than one iteration.
        """
        first, second = self._tensor(image1, "image1"), self._tensor(image2, "image2")
        if first.shape != second.shape or type(image1) is not type(image2):
            what = f"the images are {_shape(image1)} and {_shape(image2)}"
            raise InputFileError(what, where="image2", mend="give two images of one kind and size")
        count = self.iterations if iterations is None else _checked_iterations(iterations)
        with torch.inference_mode():
            path = partial(self._path, iterations=count, facial_only=self.config.facial_only)
            flows = at_scale(lambda *images: path(*images).last, first, second, self.config.input_scale)
        return Flows(*(None if flow is None else _like(image1, flow) for flow in flows))

    def along(self, frames: Iterable[NDArray[np.uint8]], *, iterations: int | None = None) -> Iterator[Flows]:
        """The flows from each frame of a sequence to the next one, quicker than pair by pair.

        :param frames: (H, W, 3) uint8, RGB, all of one size.
        :raises InputFileError: for a frame of another size or kind.
        """
        count = self.iterations if iterations is None else _checked_iterations(iterations)
        size: list[int] = []
        with torch.inference_mode():
            enlarged = (self._enlarged(frame, size) for frame in self._frames(frames))
            for flows in fast_along(self.network, enlarged, count, facial_only=self.config.facial_only):
                yield Flows(*(None if flow is None else _array(shrink(flow, *size)) for flow in flows.last))

    def _enlarged(self, frame: Tensor, size: list[int]) -> Tensor:
        """The frame as the network sees it; its own height and width are noted."""
        size[:] = frame.shape[-2:]
        return enlarge(frame, self.config.input_scale)

    def _frames(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Tensor]:
        size: torch.Size | None = None
        for number, frame in enumerate(frames):
            tensor = self._tensor(frame, f"frame {number}")
            size = tensor.shape if size is None else size
            if tensor.shape != size:
                what = f"{tensor.shape[3]} x {tensor.shape[2]} pixels, the first has {size[3]} x {size[2]}"
                raise InputFileError(what, where=f"frame {number}", mend="give frames of one size")
            yield tensor

    def _tensor(self, image: NDArray[np.uint8] | Tensor, name: str) -> Tensor:
        """(B, 3, H, W) float32 on the model's device."""
        if isinstance(image, Tensor):
            batch = image if image.ndim == 4 else image[None]
            fits = batch.ndim == 4 and batch.shape[1] == 3 and not batch.is_complex()
        else:
            fits = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3
            fits = fits and image.shape[2] == 3
            # PyTorch wants arrays that may be written to, which those of a file's bytes are not.
            batch = (
                torch.from_numpy(np.require(image, requirements=["C", "W"])).permute(2, 0, 1)[None] if fits else image
            )
        if not fits or 0 in batch.shape:
            mend = "give an array (H, W, 3) uint8, or a tensor (3, H, W) or (B, 3, H, W) of RGB 0..255"
            raise InputFileError(f"not an image: {_shape(image)}", where=name, mend=mend)
        batch = batch.to(self.device, torch.float32)
        if not torch.isfinite(batch).all():
            raise InputFileError("an image with values that are not finite", where=name, mend="give RGB 0..255")
        return batch


def load(
    path: str | Path,
    *,
    device: str | torch.device = "cpu",
    iterations: int = DEFAULT_ITERATIONS,
    plain: bool = False,
    compiled: bool = False,
) -> FlowModel:
    """The model of a checkpoint: ffngen's ``.safetensors`` with its ``.json``, or a published ``.pth``.

    :param device: where it runs.
    :param iterations: how often a flow is refined.
    :param plain: the plain path, instead of the fast one that gives the same.
    :param compiled: compile the fast path (:class:`FlowModel`).
    :raises InputFileError: for anything but a whole checkpoint of RAFT, GMA, SKFlow or DecFlow.
    """
    return FlowModel(load_network(path), device=device, iterations=iterations, plain=plain, compiled=compiled)


def _checked_iterations(iterations: int) -> int:
    if type(iterations) is not int or iterations < 1:
        raise JobError(f"{iterations!r} iterations", where="iterations", mend="use 1 or more")
    return iterations


def _shape(image: Any) -> str:
    kind = f"{type(image).__name__} {getattr(image, 'dtype', '')}".strip()
    return f"{kind} {tuple(getattr(image, 'shape', ()))}"


def _like(image: NDArray[np.uint8] | Tensor, flow: Tensor) -> Any:
    if isinstance(image, Tensor):
        return flow if image.ndim == 4 else flow[0]
    return _array(flow)


def _array(flow: Tensor) -> NDArray[np.float32]:
    """(1, 2, H, W) -> (H, W, 2)."""
    return np.asarray(flow[0].permute(1, 2, 0).float().contiguous().cpu().numpy())
