"""What a network is besides its weights, as it stands in the JSON file beside a checkpoint."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class NetworkName(StrEnum):
    """The networks that :func:`ffngen.models.build` makes."""

    RAFT = "raft"
    GMA = "gma"
    SKFLOW = "skflow"
    SRFLOWNET = "srflownet"
    DECFLOW = "decflow"


class Mode(StrEnum):
    """Whose DecFlow: the paper's, or that of the published code, which departs from it."""

    PAPER = "paper"
    OFFICIAL = "official"


class EncoderInput(StrEnum):
    """What is done to an image before the encoder."""

    #: 2 x / 255 - 1 at full resolution, as the published DecFlow code does.
    SYMMETRIC = "symmetric"
    #: ImageNet's mean and standard deviation, at full resolution.
    IMAGENET = "imagenet"
    #: ImageNet's mean and standard deviation, in a square of 256 pixels.
    DAD_3DHEADS = "dad3dheads"


class EncoderWeights(BaseModel):
    """Where the weights of DecFlow's facial semantic encoder came from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Literal["random", "imagenet", "dad3dheads", "checkpoint"] = "random"
    file: str | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        return self.source if self.file is None else f"{self.source} ({self.file}, sha256 {(self.sha256 or '')[:12]})"


class ModelConfig(BaseModel):
    """The network, its mode and its semantic encoder; and notes, such as those of a training run, that none reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["ffngen-model-1"] = "ffngen-model-1"
    network: NetworkName
    mode: Mode | None = None
    encoder_input: EncoderInput | None = None
    encoder_weights: EncoderWeights | None = None
    #: DecFlow's head decoder is not trained (yet), so that head and expression flow are not given.
    facial_only: bool = False
    #: Images are enlarged by it before the network sees them, as in its training.
    input_scale: float = Field(1.0, ge=0.25, le=8)
    notes: dict[str, Any] = Field(default_factory=dict)
