"""One training step as a module, so that what wraps modules (several devices, compilation) can wrap it."""

from __future__ import annotations

from torch import Tensor, nn

from ffngen.models import FlowNetwork, FlowSequence, fast_forward
from ffngen.models.output import Flows
from ffngen.training.batches import Batch
from ffngen.training.config import LossConfig
from ffngen.training.losses import Truth, decomposed_loss, end_point_error


class TrainingStep(nn.Module):
    """Batch in, losses out.

    :param network: frozen as its stage wants it.
    :param loss: the stage's loss.
    :param iterations: refinements of the flow.
    """

    def __init__(self, network: FlowNetwork, loss: LossConfig, iterations: int) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.iterations = iterations

    def forward(self, batch: Batch) -> tuple[dict[str, Tensor], dict[str, Tensor], Flows]:
        """The losses (``loss`` is their sum), end-point errors on the head in pixels, and the final flows."""
        flows: FlowSequence = fast_forward(
            self.network,
            *batch.images,
            self.iterations,
            facial_only=not trains_head(self.network),
            every_iteration=True,
        )
        truth = batch.truth
        return decomposed_loss(flows, truth, self.loss), _errors(flows.last, truth), flows.last


def trains_head(network: FlowNetwork) -> bool:
    """Whether a head decoder is being trained; one that is not is not run."""
    return any(p.requires_grad for decoder in network.decoders()[1:] for p in decoder.parameters())


def _errors(flows: Flows, truth: Truth) -> dict[str, Tensor]:
    where = truth.valid & truth.mask
    errors = {"facial": end_point_error(flows.facial, truth.facial, where)}
    if flows.head is not None and flows.expression is not None:
        where = where & truth.has_head[:, None, None]
        errors["head"] = end_point_error(flows.head, truth.head, where)
        errors["expression"] = end_point_error(flows.expression, truth.facial - truth.head, where)
    return errors
