"""DecFlow: facial, head and expression flow (FacialFlowNet, section 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ffngen.models.attention import Attention
from ffngen.models.config import EncoderInput, Mode
from ffngen.models.coordinates import to_symmetric_range
from ffngen.models.encoder_input import semantic_features
from ffngen.models.network import FlowNetwork
from ffngen.models.resnet import SemanticEncoder
from ffngen.models.update import Decoder, GRUDecoder

_CONTEXT = 256


class Fusion(nn.Module):
    """The residual block that fuses both encoders' features (equation 5): (B, 512, h, w) -> (B, 256, h, w)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2 * _CONTEXT, _CONTEXT, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(_CONTEXT)
        self.conv2 = nn.Conv2d(_CONTEXT, _CONTEXT, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(_CONTEXT)
        self.adjustment = nn.Sequential(nn.Conv2d(2 * _CONTEXT, _CONTEXT, 1, bias=False), nn.BatchNorm2d(_CONTEXT))

    def forward(self, features: Tensor) -> Tensor:
        """Fuse."""
        fused = functional.relu(self.bn1(self.conv1(features)))
        return functional.relu(self.bn2(self.conv2(fused)) + self.adjustment(features))


class DecFlow(FlowNetwork):
    """GMA with a facial semantic encoder and two decoders, which share features, context and attention.

    :param mode: in the paper's mode the semantic encoder is frozen, batch norms included, and the fusion is
        trained. In the official mode the fusion keeps its random weights, and training moves the statistics of
        every batch norm, the frozen encoder's too.
    :param encoder_input: what the semantic encoder's weights expect; the official mode has it symmetric.
    """

    def __init__(self, mode: Mode = Mode.PAPER, encoder_input: EncoderInput = EncoderInput.IMAGENET) -> None:
        super().__init__()
        self.mode = mode
        self.encoder_input = encoder_input
        self.update_block = GRUDecoder(aggregate=True)
        self.update_block_head = GRUDecoder(aggregate=True)
        self.att = Attention()
        self.dad_encoder = SemanticEncoder().requires_grad_(False)
        self.change_dim = nn.Conv2d(SemanticEncoder.CHANNELS, _CONTEXT, 1)
        self.res1 = Fusion()
        if mode is Mode.PAPER:
            self.fix_statistics(["dad_encoder"])
        else:
            self.res1.requires_grad_(False)

    def decoders(self, *, facial_only: bool = False) -> list[Decoder]:
        """The facial and the head decoder."""
        return [self.update_block] if facial_only else [self.update_block, self.update_block_head]

    def context_features(self, image: Tensor) -> Tensor:
        """Both encoders' features of the first image, fused."""
        semantic = self.change_dim(semantic_features(self.dad_encoder, image, self.encoder_input))
        return self.res1(torch.cat([self.cnet(to_symmetric_range(image)), semantic], 1))
