"""Enlarging images before a network sees them: in small images motion is a fraction of a feature's width."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor
from torch.nn import functional

from ffngen.models.output import Flows


def enlarge(image: Tensor, factor: float) -> Tensor:
    """An image (B, C, H, W) with its sides multiplied and rounded, bilinear; the same image for a factor of 1."""
    if factor == 1:
        return image
    size = [round(side * factor) for side in image.shape[-2:]]
    return functional.interpolate(image, size=size, mode="bilinear", align_corners=False)


def shrink(flow: Tensor, height: int, width: int) -> Tensor:
    """The flow (B, 2, height, width) of an image, in its pixels, of the flow (B, 2, H', W') of an enlarged one."""
    if flow.shape[-2:] == (height, width):
        return flow
    factors = flow.new_tensor([width / flow.shape[-1], height / flow.shape[-2]])[:, None, None]
    return functional.interpolate(flow, size=(height, width), mode="area") * factors


def at_scale(estimate: Callable[[Tensor, Tensor], Flows], image1: Tensor, image2: Tensor, factor: float) -> Flows:
    """The flows of two images (B, 3, H, W) by way of enlarged ones."""
    height, width = image1.shape[-2:]
    flows = estimate(enlarge(image1, factor), enlarge(image2, factor))
    return Flows(*(None if flow is None else shrink(flow, height, width) for flow in flows))
