"""Which parts of a network a stage of training moves."""

from __future__ import annotations

from ffngen.errors import JobError
from ffngen.models.config import Mode
from ffngen.models.decflow import DecFlow
from ffngen.models.network import FlowNetwork


def freeze_for_stage(network: FlowNetwork, stage: int, mode: str | None = None) -> None:
    """Prepare a network for a stage of training: which parameters have gradients, which batch norms move.

    ===== ======== ======================================= ===========================================
    stage mode     parameters that are trained             batch norms whose statistics move
    ===== ======== ======================================= ===========================================
    1     paper    all but the semantic encoder's and      all but the semantic encoder's
                   the head decoder's
    2     paper    the head decoder's                      none: facial flow keeps every bit
    1     official all but the semantic encoder's and      all
                   the fusion's
    2     official the head decoder's and change_dim's     all
    ===== ======== ======================================= ===========================================

    What is fixed stays so through later calls of ``network.train()``. Every other network has one stage, in which
    everything is trained.

    :param stage: 1 (facial flow) or 2 (head flow).
    :param mode: ``paper`` or ``official``; the network's own where None.
    :raises JobError: for a stage that the network does not have.
    """
    if not isinstance(network, DecFlow):
        if stage != 1:
            raise JobError(f"stage {stage} for a network that has one stage", where="stage", mend="use stage 1")
        network.requires_grad_(True)
        return
    if stage not in (1, 2):
        raise JobError(f"stage {stage} of DecFlow, which has two", where="stage", mend="use stage 1 or 2")
    chosen = network.mode if mode is None else Mode(mode)
    network.requires_grad_(False)
    for name in _trained(network, stage, chosen):
        network.get_submodule(name).requires_grad_(True)
    network.fix_statistics(_fixed(stage, chosen))


def _trained(network: DecFlow, stage: int, mode: Mode) -> list[str]:
    if stage == 2:
        return ["update_block_head"] if mode is Mode.PAPER else ["update_block_head", "change_dim"]
    never = {"dad_encoder", "update_block_head" if mode is Mode.PAPER else "res1"}
    return [name for name, _ in network.named_children() if name not in never]


def _fixed(stage: int, mode: Mode) -> list[str]:
    if mode is Mode.OFFICIAL:
        return []
    return ["dad_encoder"] if stage == 1 else ["fnet", "cnet", "dad_encoder", "res1"]
