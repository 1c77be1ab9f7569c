"""A thousand nodes without a node: how long a job takes with shards and with a queue, when nodes fail and straggle.

    python tests/bench/farm_simulation.py [--nodes 1000] [--job jobs/facialflownet.yaml]

A node is one render process. Its speed is lognormal (sigma 0.15), one in fifty is three times as slow, and it fails
after an exponential time (mean 24 h); what it was at is lost, and it is back after ten minutes. With shards (SLURM,
Kubernetes) each of N tasks runs one after another on the nodes, and what is left of a task that failed is queued again,
without what is complete. With a queue (Ray) each node takes one sequence after another. The ideal is all work shared
evenly by nodes of these speeds that never fail.
"""

from __future__ import annotations

import argparse
import heapq
import sys
from collections import deque
from pathlib import Path

import numpy as np

from ffngen.dataset.context import open_context
from ffngen.dataset.plan import plan_sequences
from ffngen.farm.shard import shard_index
from ffngen.job import load_job

_BACK_SECONDS = 600.0
_START_SECONDS = 20.0


def simulate(tasks: list[list[float]], speeds: np.ndarray, mtbf: float, rng: np.random.Generator) -> tuple[float, int]:
    """Seconds until all is done, and how many failures there were.

    :param tasks: for each, the seconds of its sequences on a node of speed 1; tasks are taken in this order.
    :param speeds: of the nodes.
    :param mtbf: mean seconds until a node fails.
    """
    waiting = deque(tasks)
    #: (when the node is free, the node, when it fails next)
    nodes = [(0.0, i, float(rng.exponential(mtbf))) for i in range(len(speeds))]
    heapq.heapify(nodes)
    #: Tasks that come back when their node has failed: until then nobody knows of it.
    end, failures = 0.0, 0
    returns: list[tuple[float, int, list[float]]] = []
    while waiting or returns:
        now, node, failure = heapq.heappop(nodes)
        while returns and returns[0][0] <= now:
            waiting.append(heapq.heappop(returns)[2])
        if not waiting:
            if not returns:
                break
            heapq.heappush(nodes, (returns[0][0], node, max(failure, returns[0][0])))
            continue
        task = waiting.popleft()
        # Only a task of several sequences starts a process of its own.
        now += _START_SECONDS if len(task) > 1 else 0.0
        for i, seconds in enumerate(task):
            then = now + seconds / speeds[node]
            if then > failure:
                failures += 1
                heapq.heappush(returns, (failure, failures, task[i:]))
                now = failure + _BACK_SECONDS
                failure = now + float(rng.exponential(mtbf))
                break
            now = then
            end = max(end, now)
        heapq.heappush(nodes, (now, node, failure))
    return end, failures


def main() -> int:
    """Simulate, and report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--job", type=Path, default=Path("jobs/facialflownet.yaml"))
    parser.add_argument("--seconds-per-image", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    context = open_context(load_job(options.job))
    plans = plan_sequences(context.job, context.source)
    costs = [plan.images * options.seconds_per_image for plan in plans]
    rng = np.random.default_rng(options.seed)
    speeds = rng.lognormal(0.0, 0.15, options.nodes) / np.where(rng.random(options.nodes) < 0.02, 3.0, 1.0)
    ideal = sum(costs) / speeds.sum()
    print(f"{len(plans)} sequences, {sum(costs) / 3600:.0f} hours of work, {options.nodes} nodes")
    print(f"{'ideal':>24}  {ideal / 3600:6.2f} h")
    mtbf = 24 * 3600.0
    for shards in (options.nodes, 4 * options.nodes, 16 * options.nodes):
        tasks: list[list[float]] = [[] for _ in range(shards)]
        for plan, cost in zip(plans, costs, strict=True):
            tasks[shard_index(plan.name, shards)].append(cost)
        report(f"{shards} shards", simulate([task for task in tasks if task], speeds, mtbf, rng), ideal)
    report("queue", simulate([[cost] for cost in costs], speeds, mtbf, rng), ideal)
    longest_first = [[cost] for cost in sorted(costs, reverse=True)]
    report("queue, longest first", simulate(longest_first, speeds, mtbf, rng), ideal)
    return 0


def report(name: str, result: tuple[float, int], ideal: float) -> None:
    """One line."""
    seconds, failures = result
    print(f"{name:>24}  {seconds / 3600:6.2f} h  {seconds / ideal:5.2f} of the ideal  {failures} failures")


if __name__ == "__main__":
    sys.exit(main())
