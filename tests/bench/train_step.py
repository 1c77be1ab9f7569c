"""DecFlow's training steps, plain and fast in turn: forward, losses, backward, optimiser.

Steps are of the default mode's two stages, and of the official mode, which trains both decoders at once. Times are
CPU-seconds of one thread. The plain path is the network's own ``forward``, as published code has it: it runs the head
decoder in stage 1 as well, where nothing is asked of it.

    python tests/bench/train_step.py [--json] [--quick] [--repeats 3]
"""

from __future__ import annotations

from statistics import median

import click
import torch
from _measure import Stopwatch, report

from ffngen.models import FlowNetwork, FlowSequence, build, fast_forward, freeze_for_stage
from ffngen.training.config import LossConfig
from ffngen.training.losses import Truth, decomposed_loss
from ffngen.training.step import trains_head

PATHS = ("plain", "fast")
ITERATIONS = 12
BATCH = 2
KINDS = {"stage 1": ("paper", 1), "stage 2": ("paper", 2), "official": ("official", 1)}
RATIO_BOUNDS = {"stage 1": 1.1, "stage 2": 1.1, "official": 1.1}


class Stepper:
    """Takes training steps along one path, always on the same batch.

    :param mode: DecFlow's.
    :param stage: 1 or 2.
    :param side: of the images, pixels.
    """

    def __init__(self, mode: str, stage: int, side: int) -> None:
        self.network: FlowNetwork = build("decflow", mode=mode)
        freeze_for_stage(self.network, stage)
        self.network.train()
        # In stage 1 of the paper's mode, nothing depends on head flow.
        head = float(trains_head(self.network))
        self.loss = LossConfig(facial=float(stage == 1), head=head, expression=head)
        self.optimizer = torch.optim.AdamW([p for p in self.network.parameters() if p.requires_grad], 1e-6)
        generator = torch.Generator().manual_seed(0)
        self.images = [torch.rand(BATCH, 3, side, side, generator=generator) * 255 for _ in range(2)]
        flows = [torch.randn(BATCH, 2, side, side, generator=generator) for _ in range(2)]
        yes = torch.ones(BATCH, side, side, dtype=torch.bool)
        self.truth = Truth(*flows, torch.ones(BATCH, dtype=torch.bool), yes, yes)

    def __call__(self, path: str) -> float:
        """One step; its loss."""
        flows: FlowSequence
        if path == "plain":
            flows = self.network(*self.images, ITERATIONS)
        else:
            alone = not trains_head(self.network)
            flows = fast_forward(self.network, *self.images, ITERATIONS, facial_only=alone, every_iteration=True)
        loss = decomposed_loss(flows, self.truth, self.loss)["loss"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())


@click.command()
@click.option("--repeats", default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Small images, which show that the bench runs and little more.")
@click.option("--json", "as_json", is_flag=True)
def main(repeats: int, quick: bool, as_json: bool) -> None:
    """Measure each kind of step."""
    torch.set_num_threads(1)
    side = 96 if quick else 160
    seconds: dict[str, dict[str, list[float]]] = {}
    for kind, (mode, stage) in KINDS.items():
        step = Stepper(mode, stage, side)
        times = seconds[kind] = {path: [] for path in PATHS}
        for path in PATHS:  # the first step makes the optimiser's state
            step(path)
        for _ in range(repeats):
            for path in PATHS:
                with Stopwatch() as watch:
                    step(path)
                times[path].append(watch.cpu)
    ratios = {kind: median(p / f for p, f in zip(*times.values(), strict=True)) for kind, times in seconds.items()}
    summary = {
        "bench": "train_step",
        "threads": 1,
        "side": side,
        "batch": BATCH,
        "iterations": ITERATIONS,
        "seconds": seconds,
        "ratios": ratios,
        "ratio_bounds": RATIO_BOUNDS,
        "within_bounds": all(ratios[kind] >= bound for kind, bound in RATIO_BOUNDS.items()),
    }
    lines = [f"decflow, {BATCH} pairs of {side}x{side}, {ITERATIONS} iterations"]
    lines += [
        f"{kind}: "
        + ", ".join(f"{path} {median(values):.2f} CPU-s" for path, values in seconds[kind].items())
        + f"; ratio {ratio:.2f}"
        + f" (bound {RATIO_BOUNDS[kind]})"
        for kind, ratio in ratios.items()
    ]
    report(summary, as_json, lines)


if __name__ == "__main__":
    main()
