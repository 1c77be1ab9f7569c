"""Sequence losses: RAFT's, and its sum over facial, head and expression flow; and SRFlowNet's besides."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ffngen.models.output import FlowSequence
from ffngen.training.config import LossConfig
from ffngen.training.processes import mean_divisor
from ffngen.training.regularisation import regularisation_losses


class Truth(NamedTuple):
    """What is known of a batch.

    :param facial: (B, 2, H, W) float32, pixels.
    :param head: the same; anything where a sample has none.
    :param has_head: (B,) bool: which samples have head flow.
    :param valid: (B, H, W) bool.
    :param mask: (B, H, W) bool: the head.
    """

    facial: Tensor
    head: Tensor
    has_head: Tensor
    valid: Tensor
    mask: Tensor


def decomposed_loss(flows: FlowSequence, truth: Truth, config: LossConfig) -> dict[str, Tensor]:
    """The weighted losses of facial, head and expression flow and of regularisation, and their sum as ``loss``.

    A flow that carries no gradient (a frozen branch) or has no weight is left out; so is a sample without head flow
    from the losses of head and expression flow.
    """
    pixels = _weights(truth, config)
    parts: dict[str, Tensor] = {}
    if config.facial and flows.facial[0].requires_grad:
        parts["facial"] = config.facial * sequence_loss(flows.facial, truth.facial, pixels, config)
        if config.regularisation is not None:
            head = _counted(truth, config) & truth.mask
            parts |= regularisation_losses(flows.facial, truth.facial, head, config.gamma, config.regularisation)
    expression = flows.expression
    if flows.head is not None and expression is not None and flows.head[0].requires_grad:
        pixels = pixels * truth.has_head[:, None, None]
        if config.head:
            parts["head"] = config.head * sequence_loss(flows.head, truth.head, pixels, config)
        if config.expression:
            true = truth.facial - truth.head
            parts["expression"] = config.expression * sequence_loss(expression, true, pixels, config)
    return {"loss": torch.stack(list(parts.values())).sum(), **parts}


def sequence_loss(flows: list[Tensor], true: Tensor, pixels: Tensor, config: LossConfig) -> Tensor:
    """sum_i gamma^(n-i-1) mean |flow_i - true|.

    :param flows: n estimates (B, 2, H, W).
    :param true: (B, 2, H, W).
    :param pixels: (B, H, W): how much each counts, of :func:`_weights`.
    """
    total = true.new_zeros(())
    share = pixels / (pixels.numel() if config.mean_over == "all" else mean_divisor(pixels.sum()))
    for i, flow in enumerate(flows):
        error = (flow.float() - true).abs().mean(1)
        total = total + config.gamma ** (len(flows) - i - 1) * (share * error).sum()
    return total


def _weights(truth: Truth, config: LossConfig) -> Tensor:
    """(B, H, W): 0 where motion is unknown or longer than is counted, less than 1 beside the head."""
    return _counted(truth, config) * torch.where(truth.mask, 1.0, config.background)


def _counted(truth: Truth, config: LossConfig) -> Tensor:
    """(B, H, W) bool: motion is known, and no longer than is counted."""
    return truth.valid & (truth.facial.square().sum(1) < config.max_flow**2)


def end_point_error(flow: Tensor, true: Tensor, where: Tensor) -> Tensor:
    """The mean length of the error over some pixels: (B, 2, H, W), the same, and (B, H, W) bool -> ()."""
    error = (flow.detach().float() - true).square().sum(1).sqrt()
    return (error * where).sum() / mean_divisor(where.sum())
