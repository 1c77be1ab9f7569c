"""The training loop."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ffngen.dataset.read import spread_evenly
from ffngen.errors import FfngenError, JobError
from ffngen.models import DecFlow, FlowNetwork, build, freeze_for_stage, load_network, save, start_from
from ffngen.models.config import NetworkName
from ffngen.training import provenance
from ffngen.training.batches import Batch, BatchStream
from ffngen.training.cache import FlowCache
from ffngen.training.config import SourceConfig, StageConfig, TrainConfig
from ffngen.training.curves import draw_curves
from ffngen.training.log import RunLog, read_log
from ffngen.training.pictures import batch_picture
from ffngen.training.processes import share_batch_norm
from ffngen.training.run import RunFolder
from ffngen.training.sample import Source
from ffngen.training.schedule import one_cycle
from ffngen.training.sources import open_source
from ffngen.training.state import RunState, load_state, restore, save_state
from ffngen.training.step import TrainingStep, trains_head
from ffngen.training.stop import StopRequest
from ffngen.training.validation import validate

_PRECISION = {"fp32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    :param step: steps done, over all stages.
    :param stage: 1 or 2.
    :param training: means since the last line of the log (``loss``, ``facial``, ``pairs_per_second`` and others);
        empty between lines.
    :param validation: of this step, or empty.
    :param stopped: the run was asked to stop, has saved its state, and ends here.
    """

    step: int
    stage: int
    training: dict[str, float] = field(default_factory=dict)
    validation: dict[str, float] = field(default_factory=dict)
    stopped: bool = False


@dataclass(frozen=True)
class TrainingRun:
    """A run that may begin, or go on: all that can be checked beforehand has been.

    :param sources: each with its weight.
    :param validation: a source that is not trained on, or None where the dataset has no ``val`` split.
    :param network: what the run starts from, on the CPU.
    :param fabric: Lightning's, which knows the devices and processes.
    :param record: the config, the data's digests and the code, as they stand in ``run.json`` and beside the weights.
    """

    config: TrainConfig
    folder: RunFolder
    sources: tuple[tuple[Source, float], ...]
    validation: Source | None
    network: FlowNetwork
    fabric: Any
    record: dict[str, Any]

    @property
    def main(self) -> bool:
        """Whether this process, of all that train together, writes files and speaks."""
        return bool(self.fabric.is_global_zero)

    def describe(self) -> str:
        """One line: the network, where its encoder's weights come from, and the data."""
        config = self.network.config
        parts = [config.network.value]
        if config.mode is not None:
            parts.append(f"{config.mode.value} mode, encoder weights: {config.encoder_weights}")
        if self.config.precision == "bf16" and self.fabric.device.type == "cpu" and not _cpu_knows_bf16():
            parts.append("this CPU has no bfloat16 instructions, so that fp32 is much faster")
        parts += [f"{len(source)} pairs of {source.name}" for source, _ in self.sources]
        if self.validation is None:
            parts.append("no validation (no split val)")
        else:
            count = min(len(self.validation), self.config.validate_pairs)
            parts.append(f"validation on {count} of {len(self.validation)} pairs")
        return "; ".join(parts)


def open_run(config: TrainConfig, dataset: Path | None, out: Path, *, overwrite: bool = False) -> TrainingRun:
    """Open a run's data, network and devices, and claim its folder when nothing is at fault.

    :param dataset: of the config's ``dataset_kind``: its ``train`` split is trained on, and its ``val`` split, where
        it has one, validates; besides the config's sources, or None.
    :raises FfngenError: a source, a checkpoint, a device or the folder cannot be used.
    """
    named = [] if dataset is None else [SourceConfig(kind=config.dataset_kind, path=str(dataset))]
    configs = [*named, *config.sources]
    if not configs:
        raise JobError("nothing to train on", where="command line", mend="name a dataset, or sources in the config")
    cache = FlowCache(out / "cache", int(config.cache_gib * 2**30)) if config.cache_gib else None
    sources = tuple((open_source(source, cache), source.weight) for source in configs)
    if any(stage.stage == 2 for stage in config.stages) and not any(s.has_heads for s, _ in sources):
        raise JobError("stage 2 needs head flow, and no source has any", where="sources", mend="add an ffngen dataset")
    validation = None if not config.validate_pairs else _validation_source(configs)
    network = first_network(config)
    fabric = _fabric(config)
    if config.batch_size % fabric.world_size:
        what = f"{config.batch_size} pairs a step cannot be shared by {fabric.world_size} devices"
        raise JobError(what, where="batch_size", mend="choose a multiple")
    folder = RunFolder(out)
    record = {"config": config.content(), "data": provenance.data(sources), "code": provenance.code()}
    if fabric.is_global_zero:
        folder.claim(record, overwrite=overwrite)
    fabric.barrier()
    return TrainingRun(config, folder, sources, validation, network, fabric, record)


def _validation_source(configs: list[SourceConfig]) -> Source | None:
    for source in configs:
        if source.kind in ("ffngen", "ffn") and source.split == "train":
            try:
                return open_source(source.model_copy(update={"split": "val"}))
            except FfngenError:
                continue  # a set without that split is trained on all the same
    return None


def train(run: TrainingRun) -> Iterator[Progress]:
    """Carry a run out, from wherever it is; yields after each step.

    :raises FfngenError: a file of the data is at fault, the loss is no longer finite, or a process that loads data
        was killed.
    """
    loop = _Loop(run)
    try:
        with ExitStack() as stack:
            yield from loop.run(stack)
    except RuntimeError as error:
        # PyTorch reports it wherever the main thread happens to be.
        if "DataLoader worker" not in str(error):
            raise
        mend = "run the same command again, with fewer workers if memory was short"
        raise FfngenError("a process that loads data was killed", where=run.folder.root, mend=mend) from error


class _Loop:
    """The state of a run in this process."""

    def __init__(self, run: TrainingRun) -> None:
        self.config, self.folder, self.sources = run.config, run.folder, run.sources
        self.validation_source = run.validation
        self.fabric, self.network = run.fabric, run.network
        if run.config.threads is not None:
            torch.set_num_threads(run.config.threads)
        torch.use_deterministic_algorithms(run.config.deterministic)
        self.main, self.record = run.main, run.record
        self.step = 0
        self.best: float | None = None

    def run(self, stack: ExitStack) -> Iterator[Progress]:
        state = load_state(self.folder.state) if self.folder.state.is_file() else None
        if state is not None:
            restore(self.network, state.network, self.folder.state)
            self.step, self.best = state.step, state.best
        if self.step >= self.config.total_steps:
            return
        stop = stack.enter_context(StopRequest())
        self.log = stack.enter_context(RunLog(self.folder, self.step)) if self.main else None
        first = 0
        for stage, end in zip(self.config.stages, self.config.stage_ends, strict=True):
            if self.step < end:
                for progress in self._stage(stage, first, end, state):
                    yield progress
                    if stop.asked and self.step < self.config.total_steps:
                        self._save_state()
                        yield Progress(self.step, stage.stage, stopped=True)
                        return
                state = None
            first = end
        if self.main:
            _draw(self.folder, self.config)

    def _stage(self, stage: StageConfig, first: int, end: int, state: RunState | None) -> Iterator[Progress]:
        config, network = self.config, self.network
        if self.step == first:
            self.best = None
            if stage.stage == 2 and config.head_decoder == "facial" and isinstance(network, DecFlow):
                network.update_block_head.load_state_dict(network.update_block.state_dict())
        freeze_for_stage(network, stage.stage)
        if config.freeze_batch_norm:
            network.fix_statistics([*network.fixed_statistics, "cnet"])
        if self.fabric.world_size > 1:
            share_batch_norm(network)
        network.train()
        parameters = [p for p in network.parameters() if p.requires_grad]
        inner = torch.optim.AdamW(
            parameters, config.learning_rate, weight_decay=config.weight_decay, eps=config.epsilon
        )
        module: torch.nn.Module = TrainingStep(network, stage.loss, config.iterations)
        if config.compile:
            module = torch.compile(module)
        self.module, self.optimizer = self.fabric.setup(module, inner)
        self.inner = inner
        if state is not None and state.optimizer:
            restore(inner, state.optimizer, self.folder.state)
            self._scaler_state(state.scaler)
        averages = _Averages(config.batch_size)
        stream = BatchStream(
            self.sources,
            config.batch_size,
            config.crop,
            config.augment,
            config.seed,
            config.workers,
            self.fabric.global_rank,
            self.fabric.world_size,
            config.input_scale,
        )
        for batch in stream.steps(self.step, end):
            yield self._step(self.fabric.to_device(batch), stage, (first, end), averages)

    def _step(self, batch: Batch, stage: StageConfig, span: tuple[int, int], averages: _Averages) -> Progress:
        config = self.config
        first, end = span
        highest = stage.learning_rate or config.learning_rate
        for group in self.inner.param_groups:
            group["lr"] = one_cycle(self.step - first, end - first, highest, config.warm_up)
        self.optimizer.zero_grad(set_to_none=True)
        losses, errors, flows = self.module(batch)
        self.fabric.backward(losses["loss"])
        norm = self.fabric.clip_gradients(self.module, self.optimizer, max_norm=config.clip, error_if_nonfinite=False)
        self.optimizer.step()
        self.step += 1
        averages.add({"loss": losses["loss"], **errors, "gradient_norm": norm})
        ends_stage = self.step == end
        logs, validates, saves = (
            ends_stage or self.step % every == 0
            for every in (config.log_every, config.validate_every, config.save_every)
        )
        # Asked only where the device is waited for anyway, and always before anything is written.
        if (logs or validates or saves) and not torch.isfinite(losses["loss"]):
            mend = "lower learning_rate, or use precision fp32"
            raise JobError(f"the loss is no longer finite at step {self.step}", where=self.folder.root, mend=mend)
        training: dict[str, float] = {}
        if logs:
            training = {**averages.take(self.fabric), "learning_rate": self.inner.param_groups[0]["lr"]}
            if self.log is not None:
                self.log.write(self.step, "training", training)
        if self.log is not None and (self.step % config.images_every == 0 or ends_stage):
            self.log.picture(self.step, "training", batch_picture(batch, flows))
        validation: dict[str, float] = {}
        if validates:
            validation = self._validate(stage)
        if saves:
            self._save_state()
            if ends_stage and self.main and stage is not config.stages[-1]:
                self._save_weights("stage1", stage, validation)
        return Progress(self.step, stage.stage, training, validation)

    def _validate(self, stage: StageConfig) -> dict[str, float]:
        errors: dict[str, float] = {}
        if self.main and self.log is not None:
            if self.validation_source is not None:
                pairs = spread_evenly(len(self.validation_source), self.config.validate_pairs)
                facial_only = not trains_head(self.network)
                source, iterations = self.validation_source, self.config.iterations
                errors = validate(
                    self.network, source, pairs, iterations, facial_only=facial_only, scale=self.config.input_scale
                )
                self.log.write(self.step, "validation", errors)
            score = _score(errors, stage)
            if score is None or self.best is None or score < self.best:
                self.best = score
                self._save_weights("best", stage, errors)
            self._save_weights("last", stage, errors)
            _draw(self.folder, self.config)
        self.fabric.barrier()
        return errors

    def _save_weights(self, name: str, stage: StageConfig, validation: dict[str, float]) -> None:
        notes = {
            "step": self.step,
            "stage": stage.stage,
            "validation": validation,
            "training": self.record["config"],
            "data": self.record["data"],
            "code": self.record["code"],
        }
        facial_only = isinstance(self.network, DecFlow) and not trains_head(self.network)
        changes = {"facial_only": facial_only, "input_scale": self.config.input_scale}
        self.network.config = self.network.config.model_copy(update=changes)
        save(self.network, self.folder.checkpoint(name), notes)

    def _save_state(self) -> None:
        if not self.main:
            return
        # The next stage has an optimiser of its own.
        optimizer = {} if self.step in self.config.stage_ends else self.inner.state_dict()
        weights = self.network.state_dict()
        save_state(self.folder.state, RunState(self.step, weights, optimizer, self._scaler_state(), self.best))

    def _scaler_state(self, state: dict[str, Any] | None = None) -> dict[str, Any]:
        """The state of half precision's loss scale; set first where one is given."""
        scaler = getattr(self.fabric.strategy.precision, "scaler", None)
        if scaler is None:
            return {}
        if state:
            scaler.load_state_dict(state)
        current: dict[str, Any] = scaler.state_dict()
        return current


class _Averages:
    """Means of what each step measures, kept on the device until they are wanted."""

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self._start()

    def _start(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0
        self.since = time.perf_counter()

    def add(self, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0) + value.detach()
        self.count += 1

    def take(self, fabric: Any) -> dict[str, float]:
        """The means over the steps since the last time, and over all processes."""
        means = {name: float(fabric.all_reduce(total / self.count)) for name, total in self.sums.items()}
        seconds = max(time.perf_counter() - self.since, 1e-9)
        means["pairs_per_second"] = self.count * self.batch_size / seconds
        self._start()
        return means


def first_network(config: TrainConfig) -> FlowNetwork:
    """The network that a run starts from, on the CPU.

    :raises FfngenError: the checkpoint or the encoder's weights cannot be used.
    """
    network = build(
        config.model.value,
        seed=config.seed,
        mode=None if config.mode is None else config.mode.value,
        encoder_weights=config.encoder_weights,
        encoder_source=config.encoder_source,
    )
    if config.start_from is not None:
        source = load_network(config.start_from)
        if (
            type(source) is type(network)
            and config.encoder_weights is None
            and config.mode in (None, source.config.mode)
        ):
            # The same network goes on as it was: mode, encoder and all.
            return source.train()
        start_from(network, config.start_from)
    return network


def _score(errors: dict[str, float], stage: StageConfig) -> float | None:
    """What is best: the lowest facial error in stage 1, of head and expression in stage 2."""
    names = ("facial",) if stage.stage == 1 else ("head", "expression")
    return sum(errors[name] for name in names) if all(name in errors for name in names) else None


def _draw(folder: RunFolder, config: TrainConfig) -> None:
    draw_curves(folder.root / "curves.png", read_log(folder.log), f"{config.model.value}, {folder.root.name}")


def _cpu_knows_bf16() -> bool:
    # oneDNN, which convolves, emulates the type on other CPUs, at a seventieth of the speed.
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()


def _is_shared(config: TrainConfig) -> bool:
    """Whether several processes train together."""
    on_gpus = config.accelerator not in ("cpu", "mps") and torch.cuda.is_available()
    devices = (torch.cuda.device_count() if on_gpus else 1) if config.devices == "auto" else config.devices
    return devices * config.nodes > 1


def _fabric(config: TrainConfig) -> Any:
    from lightning_fabric import Fabric

    # What it says of the machine is no news to a user of ours.
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fabric = Fabric(
                accelerator=config.accelerator,
                # Of a network with two decoders only one may be at work.
                strategy="ddp_find_unused_parameters_true"
                if config.model is NetworkName.DECFLOW and _is_shared(config)
                else "auto",
                devices=config.devices,
                num_nodes=config.nodes,
                precision=_PRECISION[config.precision],
            )
            fabric.launch()
    except (RuntimeError, ValueError) as error:
        what = f"these devices cannot be used: {str(error).splitlines()[0]}"
        raise JobError(what, where="accelerator, devices, precision", mend="try --accelerator cpu") from error
    return fabric
