"""``ffngen train``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ffngen.cli.main import INTERRUPTED
from ffngen.cli.progress import make_progress
from ffngen.cli.values import parse_size
from ffngen.dataset.layout import DATASET_FILE
from ffngen.extras import require

#: Options that override a field of the config of the same name.
_FIELDS = (
    click.option("--model", type=click.Choice(["raft", "gma", "skflow", "srflownet", "decflow"]), help="The network."),
    click.option("--mode", type=click.Choice(["paper", "official"]), help="DecFlow's: the paper's, or as published."),
    click.option("--start-from", type=click.Path(), metavar="CHECKPOINT", help="Start from its weights."),
    click.option("--encoder-weights", type=click.Path(), metavar="FILE", help="A ResNet-50 for DecFlow's encoder."),
    click.option("--encoder-source", type=click.Choice(["imagenet", "dad3dheads"]), help="What it was trained for."),
    click.option("--steps", type=int, help="Steps of each stage.  [default: 10000]"),
    click.option("--batch-size", type=int, help="Pairs a step, over all devices.  [default: 6]"),
    click.option("--crop", callback=parse_size, metavar="WxH", help="What is seen of each image.  [default: 480x480]"),
    click.option("--iterations", type=int, help="Refinements of the flow.  [default: 12]"),
    click.option("--learning-rate", type=float, help="The highest of the schedule.  [default: 0.000125]"),
    click.option("--precision", type=click.Choice(["fp32", "bf16", "fp16"]), help="[default: fp32]"),
    click.option("--seed", type=int, help="Seeds weights, order and augmentation.  [default: 0]"),
    click.option("--deterministic", is_flag=True, default=None, help="Only deterministic kernels, slower on a GPU."),
    click.option("--validate-every", type=int, metavar="STEPS", help="[default: 1000]"),
    click.option("--save-every", type=int, metavar="STEPS", help="[default: 500]"),
    click.option("--workers", type=int, help="Processes that load data.  [default: 4]"),
    click.option("--cache-gib", type=float, help="Disk for decoded flow, beside the run.  [default: 0]"),
    click.option("--threads", type=int, help="Threads of the network on a CPU.  [default: all cores]"),
    click.option("--accelerator", type=click.Choice(["auto", "cpu", "cuda", "mps"]), help="[default: auto]"),
    click.option("--devices", type=int, help="Devices of each node.  [default: all]"),
    click.option("--nodes", type=int, help="[default: 1]"),
    click.option("--compile", is_flag=True, default=None, help="Compile the network; pays on a GPU."),
)


def _config_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_FIELDS):
        command = option(command)
    return command


@click.command("train")
@click.argument("dataset", type=click.Path(path_type=Path))
@click.argument("config_name", metavar="[CONFIG]", required=False)
@_config_options
@click.option("--stage", type=click.Choice(["1", "2"]), help="One of the config's stages alone.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("run"), show_default=True, help="The run's folder."
)
@click.option("--overwrite", is_flag=True, help="Delete the run that is in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print each line of the log, and the result, as JSON.")
def command(
    dataset: Path, config_name: str | None, stage: str | None, out: Path, overwrite: bool, as_json: bool, **fields: Any
) -> None:
    """Train a network on DATASET, in the folder --out.

    CONFIG is a YAML file or a preset (decflow, decflow-stage1, decflow-stage2, decflow-official, raft, gma, skflow,
    srflownet, small, and others in jobs/train); options override it. The split train is trained on, val validates.
    A run that was stopped goes on where it was when you repeat the command.

    \b
    ffngen train dataset                                    DecFlow, both stages
    ffngen train dataset gma --start-from gma-sintel.pth    fine-tune GMA
    ffngen train dataset small --steps 500 --out try        something a CPU can do

    Ends with RUN/best.safetensors and RUN/last.safetensors, and RUN/curves.png to look at.
    """
    require("train", "torch", "safetensors", "lightning_fabric", "tensorboard", "matplotlib")
    # PyTorch takes seconds to import, which --help should not.
    from ffngen.training.config import load_config
    from ffngen.training.run import RunFolder
    from ffngen.training.train import open_run, train

    overrides = {name: value for name, value in fields.items() if value is not None}
    config = load_config(config_name, overrides)
    if stage is not None:
        config = config.only_stage(int(stage))
    run = open_run(config, dataset, out, overwrite=overwrite)
    stopped = False
    quiet = as_json or not run.main
    if not quiet:
        click.echo(run.describe(), err=True)
    with make_progress(quiet=quiet) as bar:
        task = bar.add_task(config.model.value, total=config.total_steps, note="")
        for progress in train(run):
            bar.update(task, completed=progress.step, description=f"{config.model.value} stage {progress.stage}")
            stopped = progress.stopped
            for kind, values in (("training", progress.training), ("validation", progress.validation)):
                if not values or not run.main:
                    continue
                text = _line(values)
                if kind == "training":
                    bar.update(task, note=text)
                if as_json:
                    click.echo(json.dumps({"step": progress.step, "stage": progress.stage, "kind": kind, **values}))
                elif kind == "validation":
                    bar.console.print(f"step {progress.step}  validation  {text}")
                elif not bar.console.is_terminal:
                    bar.console.print(f"step {progress.step}/{config.total_steps}  {text}", soft_wrap=True)
    if stopped:
        click.echo("ffngen: stopped; run the same command again to go on", err=True)
        raise SystemExit(INTERRUPTED)
    if not run.main:
        return
    folder = RunFolder(out)
    result = {"best": str(folder.checkpoint("best")), "last": str(folder.checkpoint("last"))}
    if as_json:
        click.echo(json.dumps({"kind": "result", **result}))
    else:
        click.echo(f"  weights  {result['best']}\n  look at  {out / 'curves.png'}")
        evaluated = dataset if dataset is not None and (dataset / DATASET_FILE).is_file() else "DATASET"
        click.echo(f"      try  ffngen eval {evaluated} --checkpoint {result['best']}")


_UNITS = {
    "loss": ("loss", ""),
    "facial": ("facial", " px"),
    "head": ("head", " px"),
    "expression": ("expression", " px"),
}


def _line(values: dict[str, float]) -> str:
    parts = [f"{name} {values[key]:.3f}{unit}" for key, (name, unit) in _UNITS.items() if key in values]
    if "pairs_per_second" in values:
        parts.append(f"{values['pairs_per_second']:.2g} pairs/s")
    return "  ".join(parts)
