"""Networks for facial optical flow: RAFT, GMA, SKFlow, SRFlowNet and DecFlow, and their checkpoints.

network = build("decflow")             # random weights, to be trained
model = load("best.safetensors")       # or a published .pth
flows = model(image1, image2)          # flows.facial, flows.head, flows.expression
"""

from ffngen.models.build import build
from ffngen.models.checkpoint import load_network, save, start_from
from ffngen.models.config import EncoderInput, EncoderWeights, Mode, ModelConfig, NetworkName
from ffngen.models.decflow import DecFlow
from ffngen.models.fast import fast_forward
from ffngen.models.freeze import freeze_for_stage
from ffngen.models.model import FlowModel, load
from ffngen.models.network import FlowNetwork
from ffngen.models.output import Flows, FlowSequence

__all__ = [
    "DecFlow",
    "EncoderInput",
    "EncoderWeights",
    "FlowModel",
    "FlowNetwork",
    "FlowSequence",
    "Flows",
    "Mode",
    "ModelConfig",
    "NetworkName",
    "build",
    "fast_forward",
    "freeze_for_stage",
    "load",
    "load_network",
    "save",
    "start_from",
]
