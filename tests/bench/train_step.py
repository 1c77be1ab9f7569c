"""A training step, plain and fast in turn: forward, both decoders' losses, backward, optimiser.

Times are CPU-seconds of one thread. The plain path is the network's own ``forward``, as published code has it.

    python tests/bench/train_step.py [--json] [--quick] [--network decflow] [--repeats 3]
"""

from __future__ import annotations

from statistics import median

import click
import torch
from _measure import Stopwatch, report

from ffngen.models import FlowNetwork, FlowSequence, build, fast_forward, freeze_for_stage
from ffngen.training.config import LossConfig
from ffngen.training.losses import Truth, decomposed_loss

PATHS = ("plain", "fast")
ITERATIONS = 12
BATCH = 2
RATIO_BOUND = 1.1


class Stepper:
    """Takes training steps along one path, always from the same weights on the same batch."""

    def __init__(self, name: str, side: int) -> None:
        self.network: FlowNetwork = build(name, mode="official" if name == "decflow" else None)
        freeze_for_stage(self.network, 1)
        self.network.train()
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
            flows = fast_forward(self.network, *self.images, ITERATIONS, every_iteration=True)
        loss = decomposed_loss(flows, self.truth, LossConfig())["loss"]
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())


@click.command()
@click.option("--network", "name", default="decflow", show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Small images, which show that the bench runs and little more.")
@click.option("--json", "as_json", is_flag=True)
def main(name: str, repeats: int, quick: bool, as_json: bool) -> None:
    """Measure a network's training step."""
    torch.set_num_threads(1)
    side = 96 if quick else 160
    step = Stepper(name, side)
    seconds: dict[str, list[float]] = {path: [] for path in PATHS}
    for path in PATHS:  # the first step makes the optimiser's state
        step(path)
    for _ in range(repeats):
        for path in PATHS:
            with Stopwatch() as watch:
                step(path)
            seconds[path].append(watch.cpu)
    ratio = median(plain / fast for plain, fast in zip(*seconds.values(), strict=True))
    summary = {
        "bench": "train_step",
        "network": name,
        "threads": 1,
        "side": side,
        "batch": BATCH,
        "iterations": ITERATIONS,
        "seconds": seconds,
        "ratio": ratio,
        "ratio_bound": RATIO_BOUND,
        "within_bounds": ratio >= RATIO_BOUND,
    }
    lines = [
        f"{name}, {BATCH} pairs of {side}x{side}, {ITERATIONS} iterations: "
        + ", ".join(f"{path} {median(values):.2f} CPU-s" for path, values in seconds.items()),
        f"ratio {ratio:.2f} (bound {RATIO_BOUND})",
    ]
    report(summary, as_json, lines)


if __name__ == "__main__":
    main()
