"""How good a network is while it trains: end-point errors on the head over some pairs of a split it never sees."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ffngen.flow.values import Flow
from ffngen.models import FlowNetwork, Flows, fast_forward
from ffngen.models.scaling import at_scale
from ffngen.training.sample import LazySample, Rows, Source


def validate(
    network: FlowNetwork, source: Source, pairs: list[int], iterations: int, *, facial_only: bool, scale: float = 1
) -> dict[str, float]:
    """The means over pairs of the end-point errors on the head, in pixels: ``facial``, ``head``, ``expression``.

    The network's mode is put back as it was; its random state is not touched.

    :param scale: how much larger than they are the network sees images.
    """
    training = network.training
    network.eval()
    sums: dict[str, list[float]] = {}
    try:
        with torch.inference_mode():
            for index in pairs:
                for name, error in _errors(network, source[index], iterations, facial_only, scale).items():
                    sums.setdefault(name, []).append(error)
    finally:
        network.train(training)
    return {name: float(np.mean(errors)) for name, errors in sums.items()}


def _errors(
    network: FlowNetwork, lazy: LazySample, iterations: int, facial_only: bool, scale: float
) -> dict[str, float]:
    sample = lazy.read(Rows(0, lazy.height))
    device = next(network.parameters()).device
    images = [torch.from_numpy(i).permute(2, 0, 1)[None].to(device).float() for i in (sample.image1, sample.image2)]

    def estimate(image1: Tensor, image2: Tensor) -> Flows:
        return fast_forward(network, image1, image2, iterations, facial_only=facial_only).last

    flows = at_scale(estimate, images[0], images[1], scale)
    where = sample.mask & sample.valid
    if not where.any():
        return {}
    true = {"facial": sample.facial}
    if flows.head is not None and sample.head is not None:
        true |= {"head": sample.head, "expression": sample.facial - sample.head}
    return {name: _mean_error(getattr(flows, name), flow, where) for name, flow in true.items()}


def _mean_error(flow: Tensor, true: Flow, where: NDArray[np.bool_]) -> float:
    found = flow[0].permute(1, 2, 0).float().cpu().numpy()
    return float(np.linalg.norm(found - true, axis=-1)[where].mean())
