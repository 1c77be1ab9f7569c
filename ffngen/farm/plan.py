"""A job on a farm before it begins: what it costs, what it fills, and how evenly its shards share it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ffngen.dataset.plan import SequencePlan, largest_folder
from ffngen.dataset.render import RenderRun
from ffngen.farm.cost import Cost, disk_by_flow_format
from ffngen.farm.shard import shard_index
from ffngen.job import Job


@dataclass(frozen=True)
class Balance:
    """How sequences and seconds are shared by shards of one render process each."""

    sequences: tuple[int, ...]
    seconds: tuple[float, ...]

    @property
    def makespan(self) -> float:
        """Seconds until the last shard ends, where all begin at once and none fails."""
        return max(self.seconds, default=0.0)

    @property
    def ideal(self) -> float:
        """Seconds where the work could be shared out evenly."""
        return sum(self.seconds) / len(self.seconds) if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        counts, hours = np.array(self.sequences), np.array(self.seconds) / 3600
        return {
            "shards": len(counts),
            "sequences": {"min": int(counts.min()), "mean": float(counts.mean()), "max": int(counts.max())},
            "hours": {
                name: round(float(f(hours)), 4) for name, f in (("min", np.min), ("mean", np.mean), ("max", np.max))
            },
            "makespan_hours": round(self.makespan / 3600, 4),
            "ideal_hours": round(self.ideal / 3600, 4),
        }


def balance_of(plans: Sequence[SequencePlan], cost: Cost, shards: int) -> Balance:
    """Which shard gets how much."""
    counts, seconds = [0] * shards, [0.0] * shards
    for plan in plans:
        index = shard_index(plan.name, shards)
        counts[index] += 1
        seconds[index] += cost.seconds(plan)
    return Balance(tuple(counts), tuple(seconds))


def describe(job: Job, run: RenderRun, cost: Cost, shards: int) -> dict[str, Any]:
    """A plan, JSON-ready.

    :param run: the job's sequences, and which are missing.
    :param shards: how many parts.
    """
    missing = run.missing
    seconds = sum(cost.seconds(plan) for plan in missing)
    disk = disk_by_flow_format(job, missing, cost)
    folder, entries = largest_folder(run.plans)
    return {
        "out": str(job.out),
        "sequences": len(run.plans),
        "to_render": len(missing),
        "pairs": sum(plan.pairs for plan in missing),
        "images": sum(plan.images for plan in missing),
        "cost": cost.to_json(),
        "process_hours": round(seconds / 3600, 4),
        "gpu_hours": round(seconds / 3600, 4) if cost.is_of_gpus else None,
        "disk_bytes": disk[job.flow_format],
        "disk_bytes_by_flow_format": disk,
        "largest_folder": {"folder": folder, "entries": entries},
        "balance": balance_of(missing, cost, shards).to_json(),
    }
