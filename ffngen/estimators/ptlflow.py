"""The networks of the package ptlflow (Apache-2.0), as estimators of facial flow."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ffngen.errors import JobError, MissingPackageError
from ffngen.estimators.estimator import Estimate, PairByPair, Rgb
from ffngen.models.weight_file import check_fits, read_weights


class PtlflowEstimator(PairByPair):
    """One network of ptlflow, which wants BGR in 0..1 and sizes that are multiples of its stride."""

    def __init__(self, name: str, network: Any, device: str, weights: str) -> None:
        self.name = f"ptlflow:{name}"
        self.details = {"weights": weights}
        self._network = network.eval().to(device)
        self._device = device

    def __call__(self, image1: Rgb, image2: Rgb) -> Estimate:
        """The flow; head and expression flow are not told apart."""
        bgr = np.stack([image1, image2])[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
        with torch.inference_mode():
            found = self._network({"images": torch.from_numpy(bgr)[None].to(self._device)})["flows"]
        flow = found[0, 0].permute(1, 2, 0).float().cpu().numpy()
        return Estimate(np.ascontiguousarray(flow), None, None)


def open_ptlflow(name: str, checkpoint: str | None, *, device: str, iterations: int | None) -> PtlflowEstimator:
    """A network of ptlflow with the weights of a file; with random ones, which it says, without.

    ptlflow's own names of published checkpoints download them; a file that is already there can be named instead.

    :raises MissingPackageError: ptlflow is not installed.
    :raises JobError: it has no such network.
    :raises ffngen.errors.InputFileError: the file's weights are not that network's.
    """
    ptlflow = import_ptlflow()
    # It announces its optional parts, on standard output.
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        known = ptlflow.get_model_names()
        if name not in known:
            near = ", ".join(sorted(n for n in known if n[:3] == name[:3])[:6]) or "raft, gma, skflow, flowformer"
            raise JobError(f"ptlflow has no network {name[:40]!r}", where="model", mend=f"such as {near}")
        network = ptlflow.get_model(name)
    if iterations is not None and hasattr(network, "iters"):
        network.iters = iterations
    if checkpoint is not None:
        weights = read_weights(checkpoint)
        check_fits(checkpoint, weights, network.state_dict(), f"ptlflow's {name}")
        network.load_state_dict(weights)
    else:
        logging.getLogger(__name__).warning("ptlflow:%s has random weights; add @CHECKPOINT", name)
    return PtlflowEstimator(name, network, device, "random" if checkpoint is None else Path(checkpoint).name)


def make_torchvision_importable() -> None:
    """Declare two of its operators, without which its import fails beside a CPU build of PyTorch."""
    if not hasattr(torch.ops.torchvision, "nms"):
        for operator in ("nms", "qnms"):
            signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            torch.library.define(f"torchvision::{operator}", signature)


def import_ptlflow() -> Any:
    """The package; raises :class:`MissingPackageError` where it is not installed."""
    make_torchvision_importable()
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import ptlflow
    except ImportError as error:
        mend = 'pip install "ffngen[ptlflow]"'
        raise MissingPackageError(f"ptlflow cannot be imported ({error})", mend=mend) from error
    return ptlflow
