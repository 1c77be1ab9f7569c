"""RAFT (Teed and Deng 2020), GMA (Jiang et al. 2021) and SKFlow (Sun et al. 2022), which give facial flow alone."""

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
