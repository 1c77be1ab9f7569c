"""Networks: time of a forward pass, plain and fast in turn, and the peak memory of large images.

Times are CPU-seconds of one thread. Peak memory is the resident set of a fresh process at its highest, less
what it held before the forward pass, so one process a path.

    python tests/bench/models.py [--json] [--quick] [--network decflow] [--repeats 3]
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from statistics import median

import click
import torch
from _measure import Stopwatch, report
from torch import Tensor

from ffngen.models import FlowNetwork, build, fast_forward

PATHS = ("plain", "fast")
ITERATIONS = 12
RATIO_BOUND = 1.2
DIFFERENCE_BOUND = 1e-4
MEMORY_BOUND = 1 / 3


def _network(name: str) -> FlowNetwork:
    """Random weights, in which the attention counts."""
    network = build(name).eval()
    for key, tensor in network.state_dict().items():
        if key.endswith("gamma"):
            tensor.fill_(0.8)
    return network


def _images(side: int) -> tuple[Tensor, Tensor]:
    """A smooth random image, and the same one moved by a few pixels."""
    coarse = torch.rand(1, 3, side // 8, side // 8, generator=torch.Generator().manual_seed(0))
    image = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic").clamp(0, 1) * 255
    return image, image.roll((2, 3), (2, 3))


def _forward(path: str, network: FlowNetwork, side: int, iterations: int) -> Tensor:
    """All flows, in one tensor."""
    with torch.inference_mode():
        run = network if path == "plain" else lambda *given: fast_forward(network, *given)
        return torch.cat([flow for flow in run(*_images(side), iterations).last if flow is not None])


def _times(network: FlowNetwork, side: int, repeats: int) -> dict[str, object]:
    seconds: dict[str, list[float]] = {path: [] for path in PATHS}
    flows = {path: _forward(path, network, side, 1) for path in PATHS}  # the first pass is slower
    for _ in range(repeats):
        for path in PATHS:
            with Stopwatch() as watch:
                flows[path] = _forward(path, network, side, ITERATIONS)
            seconds[path].append(watch.cpu)
    ratios = [plain / fast for plain, fast in zip(*seconds.values(), strict=True)]
    return {
        "side": side,
        "iterations": ITERATIONS,
        "seconds": seconds,
        "ratio": median(ratios),
        "max_difference": float((flows["plain"] - flows["fast"]).abs().max()),
        "max_flow": float(flows["plain"].abs().max()),
    }


def _peak_bytes() -> int:
    # Linux counts in kilobytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _memory(name: str, path: str, side: int) -> int:
    """The bytes that one path of a fresh process needs."""
    command = [sys.executable, str(Path(__file__)), "--network", name, "--memory-of", path, str(side)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


@click.command()
@click.option("--network", "name", default="decflow", show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--quick", is_flag=True, help="Small images, which show that the bench runs and little more.")
@click.option("--memory-of", nargs=2, type=(click.Choice(PATHS), int), help="Measure one path in this process.")
@click.option("--json", "as_json", is_flag=True)
def main(name: str, repeats: int, quick: bool, memory_of: tuple[str, int] | None, as_json: bool) -> None:
    """Measure a network's forward pass."""
    torch.set_num_threads(1)
    network = _network(name)
    if memory_of is not None:
        path, side = memory_of
        _forward(path, network, 64, 1)
        before = _peak_bytes()
        _forward(path, network, side, 1)
        print(_peak_bytes() - before)
        return
    timed = _times(network, 160 if quick else 480, repeats)
    side = 800 if quick else 1024
    peak = {path: _memory(name, path, side) for path in PATHS}
    share = peak["fast"] / peak["plain"]
    summary = {
        "bench": "models",
        "network": name,
        "threads": 1,
        "forward": timed,
        "ratio_bound": RATIO_BOUND,
        "difference_bound": DIFFERENCE_BOUND,
        "memory": {"side": side, "peak_bytes": peak, "share": share, "share_bound": MEMORY_BOUND},
        "within_bounds": timed["ratio"] >= RATIO_BOUND
        and timed["max_difference"] <= DIFFERENCE_BOUND
        and share <= MEMORY_BOUND,
    }
    lines = [
        f"{name}, {timed['side']}x{timed['side']}, {ITERATIONS} iterations: "
        + ", ".join(f"{path} {median(values):.2f} CPU-s" for path, values in timed["seconds"].items()),
        f"ratio {timed['ratio']:.2f} (bound {RATIO_BOUND}), max difference {timed['max_difference']:.1e} px "
        f"(bound {DIFFERENCE_BOUND}) in flows up to {timed['max_flow']:.1f} px",
        f"peak memory at {side}x{side}: "
        + ", ".join(f"{path} {size / 2**20:.0f} MiB" for path, size in peak.items())
        + f"; share {share:.2f} (bound {MEMORY_BOUND:.2f})",
    ]
    report(summary, as_json, lines)


if __name__ == "__main__":
    main()
