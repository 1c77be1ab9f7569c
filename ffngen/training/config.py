"""The training run: everything that decides which weights come out, validated, as YAML and JSON."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ffngen.errors import InputFileError, JobError
from ffngen.models.config import Mode, NetworkName
from ffngen.resources import resource
from ffngen.yamlfile import read_yaml, validate

#: Where the presets lie.
_PRESETS = ("jobs", "train")

Int = Annotated[int, Field(strict=True)]
Probability = Annotated[float, Field(ge=0, le=1)]
Side = Annotated[Int, Field(ge=16, le=4096)]

#: Fields that say how or where a run is computed, and never what it computes; a run may go on with others.
_NOT_CONTENT = frozenset(
    {"workers", "cache_gib", "threads", "accelerator", "devices", "nodes", "log_every", "images_every", "compile"}
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AugmentConfig(_Part):
    """Augmentation; the defaults are those of the published DecFlow training."""

    brightness: float = Field(0.4, ge=0, lt=1, description="brightness factor in 1 - b .. 1 + b")
    contrast: float = Field(0.4, ge=0, lt=1, description="contrast factor in 1 - c .. 1 + c")
    saturation: float = Field(0.4, ge=0, lt=1, description="saturation factor in 1 - s .. 1 + s")
    hue: float = Field(0.159, ge=0, le=0.5, description="hue shift in -h .. h turns")
    asymmetric_probability: Probability = Field(0.2, description="how often both images get colours of their own")
    eraser_probability: Probability = Field(0.5, description="how often parts of the second image are hidden")
    eraser_count: Int = Field(2, ge=1, le=16, description="at most so many parts")
    eraser_side: tuple[Int, Int] = Field((50, 100), description="sides of a hidden part, pixels, upper bound excluded")
    spatial_probability: Probability = Field(0.8, description="how often images are scaled")
    min_scale: float = Field(-0.2, ge=-3, le=3, description="scale 2^x, lower bound of x")
    max_scale: float = Field(0.6, ge=-3, le=3, description="scale 2^x, upper bound of x")
    stretch_probability: Probability = Field(0.8, description="how often scales along x and y differ")
    max_stretch: float = Field(0.2, ge=0, le=2, description="they differ by up to 2^x each")
    shift_probability: Probability = Field(0, description="how often the second image is taken from another place")
    max_shift: Int = Field(16, ge=0, le=512, description="by up to so many pixels of the source in x and in y")
    flip_x_probability: Probability = Field(0.5, description="how often left and right are exchanged")
    flip_y_probability: Probability = Field(0.1, description="how often top and bottom are exchanged")

    @model_validator(mode="after")
    def _ordered(self) -> AugmentConfig:
        if self.min_scale > self.max_scale:
            raise ValueError("min_scale must not exceed max_scale")
        if not 0 < self.eraser_side[0] < self.eraser_side[1]:
            raise ValueError("eraser_side is two growing numbers of pixels")
        return self


class RegularisationConfig(_Part):
    """The weights of SRFlowNet's regularisation losses of facial flow (:mod:`ffngen.training.regularisation`).

    The paper's are not published in what we could read. These are those of tests/bench/srflownet.py.
    """

    mask: float = Field(0.5, ge=0, description="of the error on the head alone, per pixel")
    gradient: float = Field(1.0, ge=0, description="of errors of differences between neighbours")
    sobel: float = Field(1.0, ge=0, description="of errors of slopes by Sobel's operator")
    total_variation: float = Field(0.1, ge=0, description="of the flow's total variation")
    flow_difference: float = Field(0.0, ge=0, description="of what a refinement makes worse")


class LossConfig(_Part):
    """RAFT's sequence loss, and its sum over facial, head and expression flow.

    With n iterations, iteration i counts gamma^(n-i-1); a flow's loss is the mean over valid pixels of the mean of
    |du| and |dv| (Teed and Deng 2020, equation 7; FacialFlowNet, section 4.3).
    """

    gamma: float = Field(0.85, gt=0, le=1, description="how much less earlier iterations count")
    max_flow: float = Field(400, gt=0, description="longer true motion is left out, pixels")
    facial: float = Field(1.0, ge=0, description="weight of facial flow")
    head: float = Field(1.0, ge=0, description="weight of head flow")
    expression: float = Field(1.0, ge=0, description="weight of expression flow")
    background: float = Field(1.0, ge=0, le=1, description="weight of pixels outside the head")
    regularisation: RegularisationConfig | None = Field(
        None, description="SRFlowNet's losses of facial flow besides; {} for their default weights"
    )
    mean_over: Literal["valid", "all"] = Field(
        "valid", description="what a mean is taken over; all: invalid pixels count as error 0, as published"
    )


Kind = Literal["ffngen", "ffn", "chairs", "things", "sintel", "kitti", "hd1k"]


class SourceConfig(_Part):
    """One source of samples, and how often it is drawn from."""

    kind: Kind = Field(
        "ffngen",
        description="whose layout it has; ffn is the published FacialFlowNet",
    )
    path: str
    weight: float = Field(1.0, gt=0, description="its share of the samples, in any unit")
    split: str = Field("train", description="train, val or test, where the source has them")


class StageConfig(_Part):
    """One stage of training, with an optimiser and a schedule of its own."""

    stage: Literal[1, 2] = Field(1, description="1: facial flow; 2: DecFlow's head flow")
    loss: LossConfig = Field(default_factory=LossConfig)
    steps: Int | None = Field(None, ge=1, le=10**8, description="its steps; the run's `steps` when absent")
    learning_rate: float | None = Field(None, gt=0, le=1, description="its highest; the run's when absent")


class TrainConfig(_Part):
    """A training run."""

    model: NetworkName = Field(NetworkName.DECFLOW, description="raft, gma, skflow, srflownet or decflow")
    mode: Mode | None = Field(None, description="DecFlow's: paper (default) or official")
    encoder_weights: str | None = Field(None, description="weights of DecFlow's semantic encoder; random when absent")
    encoder_source: Literal["imagenet", "dad3dheads"] | None = Field(None, description="what they were trained for")
    start_from: str | None = Field(None, description="a checkpoint whose weights are the start")
    stages: tuple[StageConfig, ...] = Field((StageConfig(),), min_length=1, max_length=2)
    head_decoder: Literal["facial", "kept"] = Field(
        "facial", description="what the head decoder starts stage 2 from: the facial decoder's weights, or its own"
    )
    dataset_kind: Kind = Field("ffngen", description="whose layout the dataset of the command line has")
    sources: tuple[SourceConfig, ...] = Field((), description="more sources, beside the dataset that is named")

    steps: Int = Field(10_000, ge=1, le=10**8, description="optimiser steps of each stage")
    batch_size: Int = Field(6, ge=1, le=4096, description="pairs a step, over all devices")
    crop: tuple[Side, Side] = Field((480, 480), description="width and height, pixels")
    iterations: Int = Field(12, ge=1, le=128, description="refinements of the flow")
    learning_rate: float = Field(1.25e-4, gt=0, le=1, description="the highest of the one-cycle schedule")
    weight_decay: float = Field(1e-5, ge=0, le=1)
    epsilon: float = Field(1e-8, gt=0, le=1, description="AdamW's")
    clip: float = Field(1.0, gt=0, description="largest norm of the gradient")
    warm_up: float = Field(0.05, gt=0, lt=1, description="share of the steps in which the learning rate rises")
    freeze_batch_norm: bool = Field(False, description="keep the statistics of the context encoder's batch norm")
    augment: AugmentConfig | None = Field(default_factory=AugmentConfig)
    input_scale: float = Field(1, ge=0.25, le=8, description="how much larger than they are the network sees images")
    seed: Int = Field(0, ge=0, lt=2**63)
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    deterministic: bool = Field(False, description="only deterministic kernels, slower on a GPU")

    validate_every: Int = Field(1000, ge=1, description="steps between validations")
    validate_pairs: Int = Field(200, ge=0, description="at most so many pairs; 0 for no validation")
    save_every: Int = Field(500, ge=1, description="steps between states that a stopped run goes on from")
    log_every: Int = Field(20, ge=1, description="steps between lines of the log")
    images_every: Int = Field(1000, ge=1, description="steps between flow images in TensorBoard")

    workers: Int = Field(4, ge=0, le=256, description="processes that load data")
    cache_gib: float = Field(0, ge=0, description="disk for decoded flow, GiB; 0 for none")
    threads: Int | None = Field(None, ge=1, le=1024, description="threads of the network on a CPU")
    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: Int | Literal["auto"] = Field("auto", description="how many devices of a node")
    nodes: Int = Field(1, ge=1, le=4096)
    compile: bool = Field(False, description="torch.compile the network; pays on a GPU")

    @model_validator(mode="after")
    def _fit_together(self) -> TrainConfig:
        numbers = [stage.stage for stage in self.stages]
        if numbers != sorted(set(numbers)):
            raise ValueError("stages come in order, each once")
        decflow = self.model is NetworkName.DECFLOW
        if not decflow and (2 in numbers or self.mode or self.encoder_weights or self.encoder_source):
            raise ValueError(f"{self.model.value} has one stage, no mode and no semantic encoder")
        if self.model is NetworkName.SRFLOWNET and any(stage.loss.regularisation is None for stage in self.stages):
            mend = "add `base: srflownet`, or `regularisation: {}` to each stage's loss"
            raise ValueError(f"srflownet is trained with regularisation; {mend}")
        if (self.encoder_weights is None) != (self.encoder_source is None):
            raise ValueError("encoder_weights and encoder_source (imagenet or dad3dheads) go together")
        return self

    def only_stage(self, number: int) -> TrainConfig:
        """This config with one of its stages; raises :class:`JobError` where it has no such stage."""
        kept = tuple(stage for stage in self.stages if stage.stage == number)
        if not kept:
            raise JobError(f"the config has no stage {number}", where="stage")
        return self.model_copy(update={"stages": kept})

    @property
    def stage_ends(self) -> list[int]:
        """The step that each stage ends with; steps are counted over all stages."""
        return list(accumulate(stage.steps or self.steps for stage in self.stages))

    @property
    def total_steps(self) -> int:
        """Of all stages."""
        return self.stage_ends[-1]

    def content(self) -> dict[str, Any]:
        """The fields that decide which weights come out, JSON-ready."""
        return self.model_dump(mode="json", exclude=set(_NOT_CONTENT))


def presets() -> list[str]:
    """The names of the training presets."""
    return sorted(path.stem for path in resource(*_PRESETS).glob("*.yaml"))


def load_config(preset: str | None, overrides: dict[str, Any] | None = None) -> TrainConfig:
    """The config of a preset or a YAML file, with overrides in place of its fields.

    A file may name a preset as its ``base``, whose fields it replaces.

    :param preset: one of :func:`presets`, or the path of a .yaml file; None for the preset of the model's name.
    :raises InputFileError, JobError: one line that names the file or the field.
    """
    overrides = overrides or {}
    name = preset if preset is not None else str(overrides.get("model", NetworkName.DECFLOW.value))
    path, data = _read(name)
    data.update(overrides)

    def place(field: str) -> str | Path:
        return "command line" if field in overrides else path

    return validate(TrainConfig, data, place, JobError)


def _read(name: str) -> tuple[Path, dict[str, Any]]:
    path = Path(name) if name.endswith((".yaml", ".yml")) else _preset(name, "command line")
    data = read_yaml(path)
    base = data.pop("base", None)
    if base is None:
        return path, data
    if not isinstance(base, str):
        raise InputFileError("base must be the name of a preset", where=path)
    return path, {**_read_base(base, path), **data}


def _read_base(name: str, where: Path) -> dict[str, Any]:
    data = read_yaml(_preset(name, where))
    base = data.pop("base", None)
    return data if base is None else {**_read_base(base, where), **data}


def _preset(name: str, where: str | Path) -> Path:
    known = presets()
    if name not in known:
        mend = f"use one of {', '.join(known)}, or the path of a .yaml file"
        raise JobError(f"no training preset {name[:60]!r}", where=where, mend=mend)
    return resource(*_PRESETS, f"{name}.yaml")
