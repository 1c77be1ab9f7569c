"""What a network gives: flows in pixels, (B, 2, H, W), u right and v down."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor


class FlowSequence(NamedTuple):
    """The estimate after each iteration; ``head`` is None where a network gives facial flow alone."""

    facial: list[Tensor]
    head: list[Tensor] | None

    @property
    def expression(self) -> list[Tensor] | None:
        """Facial flow minus head flow, of each iteration."""
        if self.head is None:
            return None
        return [facial - head for facial, head in zip(self.facial, self.head, strict=True)]

    @property
    def last(self) -> Flows:
        """The flows of the last iteration."""
        if self.head is None:
            return Flows(self.facial[-1], None, None)
        return Flows(self.facial[-1], self.head[-1], self.facial[-1] - self.head[-1])


class Flows(NamedTuple):
    """Final flows, as tensors (B, 2, H, W) or as arrays (H, W, 2); head and expression flow may be None."""

    facial: Any
    head: Any | None
    expression: Any | None
