"""Networks that give facial flow alone: RAFT (Teed and Deng 2020), GMA (Jiang et al. 2021), SKFlow (Sun et al. 2022)
and SRFlowNet (Zhang and Li 2026)."""

from __future__ import annotations

from ffngen.models.attention import Attention
from ffngen.models.network import FlowNetwork
from ffngen.models.super_kernel import SuperKernelDecoder
from ffngen.models.update import GRUDecoder


class RAFT(FlowNetwork):
    """Recurrent all-pairs field transforms."""

    def __init__(self) -> None:
        super().__init__()
        self.update_block = GRUDecoder(aggregate=False)
        self.att = None


class GMA(FlowNetwork):
    """RAFT with global motion aggregation."""

    def __init__(self) -> None:
        super().__init__()
        self.update_block = GRUDecoder(aggregate=True)
        self.att = Attention()


class SKFlow(FlowNetwork):
    """GMA with super kernels in the decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.update_block = SuperKernelDecoder()
        self.att = Attention()


class SRFlowNet(SKFlow):
    """SKFlow trained with regularisation losses (arXiv 2601.06479), so that its weights are an SKFlow's.

    What sets it apart is in :mod:`ffngen.training.regularisation`. Whether the authors changed SKFlow's layers as well
    is not published in what we could read, nor are their weights.
    """
