"""SRFlowNet's regularisation losses: what a flow should be like on a face, beside being right on average.

Zhang and Li (arXiv 2601.06479) constrain facial flow by masks and by gradients taken as differences or by Sobel's
operator, by total variation and by flow difference. Their formulas and weights are not published in what we could
read; the ones here are ours.

Each loss takes ``flow`` and ``true`` (B, 2, H, W) float32, pixels, and ``head`` (B, H, W) bool: the head's pixels
whose motion is known. Each is a mean over those pixels (or pairs, or windows, that lie among them entirely), so that
no unknown motion counts and no edge of the head does; it is 0 where there are none. Where ``true`` is compared with,
a perfect flow costs nothing: a lip's edge or a nose's, where motion jumps, is no fault.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from ffngen.training.config import RegularisationConfig
from ffngen.training.processes import mean_divisor

#: Rounds the total variation's tip off, so that it has a gradient at 0; pixels a pixel.
_TIP = 1e-3


def regularisation_losses(
    flows: list[Tensor], true: Tensor, head: Tensor, gamma: float, config: RegularisationConfig
) -> dict[str, Tensor]:
    """The weighted losses by their names in the config, () each; those without weight are left out.

    Iteration i of n counts gamma^(n-i-1), as in the sequence loss.

    :param flows: n estimates.
    """
    weights: dict[str, float] = config.model_dump()
    totals = {name: true.new_zeros(()) for name, weight in weights.items() if weight}
    previous = None
    for i, flow in enumerate(flow.float() for flow in flows):
        share = gamma ** (len(flows) - i - 1)
        for name in totals:
            if name == "flow_difference":
                loss = true.new_zeros(()) if previous is None else flow_difference_loss(flow, previous, true, head)
            elif name == "total_variation":
                loss = total_variation_loss(flow, head)
            else:
                loss = _COMPARED[name](flow, true, head)
            totals[name] = totals[name] + weights[name] * share * loss
        previous = flow
    return totals


def mask_loss(flow: Tensor, true: Tensor, head: Tensor) -> Tensor:
    """The mean over the head of the mean of |du| and |dv|: pixels.

    The sequence loss is a mean over the picture, in which a small face counts little; here each face counts fully.
    """
    return _mean((flow - true).abs().mean(1), head)


def gradient_loss(flow: Tensor, true: Tensor, head: Tensor) -> Tensor:
    """The mean over pairs of neighbours of |D flow - D true|, D their difference: pixels a pixel.

    Means along x and along y are added, each of the mean over u and v.
    """
    error = flow - true
    total = error.new_zeros(())
    for axis in (2, 3):
        change = error.diff(dim=axis).abs().mean(1)
        total = total + _mean(change, _both(head, axis - 1))
    return total


def sobel_loss(flow: Tensor, true: Tensor, head: Tensor) -> Tensor:
    """As :func:`gradient_loss`, with slopes by Sobel's operator over windows of 3 x 3 pixels.

    The operator is scaled to give the slope of a plane. It smooths across the slope, so that errors some pixels wide
    count as in :func:`gradient_loss` and single pixels' noise counts less.
    """
    error = flow - true
    # Sums of slices, for automatic mixed precision would convolve with 8 bits of mantissa.
    down = (error[:, :, :-2] + 2 * error[:, :, 1:-1] + error[:, :, 2:]) / 4
    across = (error[..., :-2] + 2 * error[..., 1:-1] + error[..., 2:]) / 4
    along_x = (down[..., 2:] - down[..., :-2]) / 2
    along_y = (across[:, :, 2:] - across[:, :, :-2]) / 2
    beside = functional.max_pool2d((~head)[:, None].float(), 3, stride=1)[:, 0]
    return _mean((along_x.abs() + along_y.abs()).mean(1), beside == 0)


def total_variation_loss(flow: Tensor, head: Tensor) -> Tensor:
    """The mean over the head of the length of the flow's gradient, of u and v in turn: pixels a pixel.

    Isotropic total variation (Rudin, Osher and Fatemi 1992) by differences to the right and below. It asks for flow
    that is smooth and knows of no truth, so that true motion costs as well: its weight is a matter of how much.
    """
    right, below = flow.diff(dim=3)[:, :, :-1], flow.diff(dim=2)[..., :-1]
    length = (right.square() + below.square() + _TIP**2).sqrt() - _TIP
    corner = head[:, :-1, :-1] & head[:, :-1, 1:] & head[:, 1:, :-1]
    return _mean(length.mean(1), corner)


def flow_difference_loss(flow: Tensor, previous: Tensor, true: Tensor, head: Tensor) -> Tensor:
    """By how much an iteration made flow worse, as a mean over the head: max(0, |flow - true| - |previous - true|).

    Refinement may not leave what it had right already, as it does where a pattern repeats. No gradient goes to the
    previous iteration, which would learn to be worse. | | is the mean of |du| and |dv|: pixels.

    :param previous: the flow before this iteration, like ``flow``.
    """
    before = (previous.detach() - true).abs().mean(1)
    return _mean(((flow - true).abs().mean(1) - before).relu(), head)


_COMPARED = {"mask": mask_loss, "gradient": gradient_loss, "sobel": sobel_loss}


def _both(head: Tensor, axis: int) -> Tensor:
    length = head.shape[axis] - 1
    return head.narrow(axis, 0, length) & head.narrow(axis, 1, length)


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Over some pixels; what lies elsewhere has no part in it, even where it is not finite."""
    return values.masked_fill(~where, 0).sum() / mean_divisor(where.sum())
