"""What each of SRFlowNet's regularisation losses is worth: trained with and without, from one start, on one small set.

    python tests/bench/srflownet.py --out DIR [--seeds 0,1] [--steps 250] [--start-steps 450] [--json]

The set: eleven people at 512 x 512, bare, six to train on and five to be measured on, whom no network has seen. The
start: SKFlow from random weights, without regularisation, on pictures of a quarter of the size. Every
variant goes on from it over the same batches, on pictures of half the size. All of it is kept in DIR, and a run that
was stopped goes on. The runs are short for what two cores can do, not for what networks need: they tell how losses
compare at equal cost, early on.

Measured on the head, at full size in the middle of each picture: the end-point error; the same where a window has no
texture, the root of its structure tensor's smaller eigenvalue being below 1 grey level a pixel (see observability.py);
and the error of the flow's gradient, |D flow - D truth| between neighbours, a mean over u, v, x and y.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
from _measure import report
from numpy.typing import NDArray
from observability import smaller_eigenvalue

from ffngen.dataset.context import open_context
from ffngen.dataset.read import FlowDataset, Pair
from ffngen.dataset.render import render_dataset
from ffngen.job import Job, Splits
from ffngen.models import load
from ffngen.training.config import RegularisationConfig, load_config
from ffngen.training.train import open_run, train

OFF = dict.fromkeys(RegularisationConfig.model_fields, 0.0)
#: Ten times these gradients and thirty times this total variation made flow smoother still, and worse.
WEIGHTS = {"mask": 0.5, "gradient": 1.0, "sobel": 1.0, "total_variation": 0.1, "flow_difference": 0.5}
VARIANTS: dict[str, dict[str, float]] = {
    "none": OFF,
    **{name: {**OFF, name: weight} for name, weight in WEIGHTS.items()},
    "all": WEIGHTS,
    # What the preset takes.
    "defaults": RegularisationConfig().model_dump(),
}
MEASURES = ("epe", "textureless", "gradient")
#: Grey levels a pixel: what has less has no texture.
BOUND = 1.0
#: Pixels, of the middle that is measured.
SIDE = 320
ITERATIONS = 4
_COMMON = {"batch_size": 2, "validate_pairs": 0, "workers": 0, "threads": 1, "accelerator": "cpu", "log_every": 10}
#: To match from random weights takes updates, not pixels, and motion of whole cells of features, which are 8 pixels:
#: many crops of pictures of a quarter of the size, and shifts of up to 64 pixels, which are 16 there.
_START = {**_COMMON, "model": "skflow", "input_scale": 0.25, "crop": (64, 64), "iterations": 2, "save_every": 50}
_START |= {"stages": [{"stage": 1, "loss": {"background": 1.0}}]}
_START_SHIFTS = {"shift_probability": 1.0, "max_shift": 64}
#: Half the size, and motion as it is half of the time.
_VARIANT = {**_COMMON, "input_scale": 0.5, "crop": (96, 96), "iterations": ITERATIONS, "save_every": 20}
_VARIANT_SHIFTS = {"shift_probability": 0.5, "max_shift": 32}


def render(out: Path) -> FlowDataset:
    """The set's test pairs, once it is there."""
    splits = Splits(train=2, test=1, val=0)
    job = Job(out=out, identities=11, n_frames=(4,), samples=4, texture_size=1024, props=(), splits=splits)
    with closing(render_dataset(open_context(job))) as states:
        for _run, _event in states:
            pass
    return FlowDataset(out, splits=("test",))


def fit(dataset: Path, out: Path, preset: str, **fields: Any) -> Path:
    """Train, or go on; the weights."""
    for progress in train(open_run(load_config(preset, fields), dataset, out)):
        if progress.stopped:
            raise SystemExit("stopped; run the same command again to go on")
    return out / "last.safetensors"


def measure(checkpoint: Path | None, pairs: list[Pair]) -> dict[str, float]:
    """Means over the pairs of a network's errors, or of no motion's; and the share of the head without texture."""
    model = None if checkpoint is None else load(checkpoint, iterations=ITERATIONS)
    found = []
    for pair in pairs:
        middle = tuple(slice((n - SIDE) // 2, (n + SIDE) // 2) for n in pair.mask.shape)
        image1, image2 = (np.ascontiguousarray(image[middle]) for image in (pair.image1, pair.image2))
        flow = np.zeros((SIDE, SIDE, 2), np.float32) if model is None else model(image1, image2).facial
        found.append(_errors(flow - pair.facial_flow[middle], image1, pair.mask[middle] > 0))
    return {name: float(np.mean([errors[name] for errors in found])) for name in found[0]}


def _errors(error: NDArray[np.float32], image: NDArray[np.uint8], head: NDArray[np.bool_]) -> dict[str, float]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    bare = head & (smaller_eigenvalue(grey) < BOUND**2)
    length = np.linalg.norm(error, axis=-1)
    changes = [
        np.abs(np.diff(error, axis=axis))[np.delete(head, -1, axis) & np.delete(head, 0, axis)] for axis in (0, 1)
    ]
    return {
        "epe": length[head].mean(),
        "textureless": length[bare].mean(),
        "gradient": float(np.mean([change.mean() for change in changes])),
        "share": bare.sum() / head.sum(),
    }


def _remembered(file: Path, checkpoint: Path | None, pairs: list[Pair]) -> dict[str, float]:
    if not file.is_file():
        file.write_text(json.dumps(measure(checkpoint, pairs)))
    errors: dict[str, float] = json.loads(file.read_text())
    return errors


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder of the set and of all runs.")
@click.option(
    "--seeds", default="0,1", show_default=True, help="Of the order and augmentation of the variants' batches."
)
@click.option("--steps", default=250, show_default=True, help="Of each variant.")
@click.option("--start-steps", default=450, show_default=True, help="Of what they start from.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default="fp32", show_default=True)
@click.option("--variants", default=",".join(VARIANTS), help="Some of them.")
@click.option("--json", "as_json", is_flag=True)
def main(out: Path, seeds: str, steps: int, start_steps: int, precision: str, variants: str, as_json: bool) -> None:
    """Train each variant with each seed, and measure them all on the same pairs."""
    dataset = out / "faces"
    pairs = list(render(dataset))
    augment = load_config("small-start").model_dump()["augment"]
    table: dict[str, list[dict[str, float]]] = {"no motion": [_remembered(out / "zero.json", None, pairs)]}
    shifts = {**augment, **_START_SHIFTS}
    start = fit(dataset, out / "start", "small-start", **_START, precision=precision, steps=start_steps, augment=shifts)
    table["start"] = [_remembered(out / "start.json", start, pairs)]
    for seed in (int(word) for word in seeds.split(",")):
        place = out / f"seed{seed}"
        for name in variants.split(","):
            stage = {"stage": 1, "loss": {"background": 0.2, "regularisation": VARIANTS[name]}}
            fields = {
                **_VARIANT,
                "seed": seed,
                "precision": precision,
                "start_from": str(start),
                "steps": steps,
                "stages": [stage],
            }
            weights = fit(dataset, place / name, "srflownet", **fields, augment={**augment, **_VARIANT_SHIFTS})
            table.setdefault(name, []).append(_remembered(place / f"{name}.json", weights, pairs))
            if not as_json:
                click.echo(f"seed {seed} {name}: {table[name][-1]}", err=True)
    share = table["no motion"][0]["share"]
    lines = [f"{len(pairs)} pairs, {share:.0%} of the head without texture; pixels, and pixels a pixel"]
    lines += [f"{'':<16}" + "".join(f"{name:>36}" for name in MEASURES)]
    for name, rows in table.items():
        lines.append(f"{name:<16}" + "".join(f"{_cell(rows, table.get('none'), m):>36}" for m in MEASURES))
    report({"bench": "srflownet", "steps": steps, "start_steps": start_steps, "errors": table}, as_json, lines)


def _cell(rows: list[dict[str, float]], without: list[dict[str, float]] | None, measure: str) -> str:
    """The mean over the seeds, and the mean and range of the change from the variant without losses, seed by seed."""
    values = np.array([row[measure] for row in rows])
    if without is None or len(without) != len(rows) or rows is without:
        return f"{values.mean():.3f}"
    change = values / [row[measure] for row in without] - 1
    return f"{values.mean():.3f} {change.mean():+.1%} ({change.min():+.1%} to {change.max():+.1%})"


if __name__ == "__main__":
    main()
