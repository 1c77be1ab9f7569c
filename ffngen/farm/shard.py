"""Shards: which part of a job's sequences is whose, decided by each sequence's name alone."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from ffngen.dataset.layout import SequenceKey
from ffngen.dataset.plan import SequencePlan
from ffngen.errors import JobError

#: Where schedulers say which task of an array this is: SLURM, Kubernetes' indexed jobs, AWS Batch.
_INDEX_VARIABLES = ("SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX")
_MAX_SHARDS = 10_000_000


@dataclass(frozen=True)
class Shard:
    """One of ``count`` parts, counted from 0.

    :raises JobError: there is no such part.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.count <= _MAX_SHARDS or not 0 <= self.index < self.count:
            mend = f"count shards from 0: 0/{self.count} to {self.count - 1}/{self.count}" if self.count > 0 else None
            raise JobError(f"there is no shard {self.index} of {self.count}", where="shard", mend=mend)

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    def __contains__(self, plan: SequencePlan) -> bool:
        return self.has(plan.layout.key)

    def has(self, key: SequenceKey) -> bool:
        """Whether a sequence belongs to this part."""
        return shard_index(key.sequence, self.count) == self.index


def shard_index(name: str, count: int) -> int:
    """Which of ``count`` shards a sequence belongs to: SHA-256 of its name, so that a job that grows moves none."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % count


def parse_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """``3/16``; or ``auto/16``, or ``auto``, where a scheduler's environment says which.

    :raises JobError: neither, or the environment does not say.
    """
    match = re.fullmatch(r"\s*(auto|\d{1,9})\s*(?:/\s*(\d{1,9})\s*)?", text)
    if match is None or (match[1] != "auto" and match[2] is None):
        raise JobError(f"{text[:40]!r} is no shard", where="shard", mend="give I/N, such as 0/16, or auto, or auto/16")
    if match[1] != "auto":
        return Shard(int(match[1]), int(match[2]))
    index = _index(environment)
    return Shard(index, int(match[2]) if match[2] is not None else _slurm_count(environment))


def _index(environment: Mapping[str, str]) -> int:
    for name in _INDEX_VARIABLES:
        value = environment.get(name)
        if value is not None:
            if not re.fullmatch(r"\d{1,9}", value):
                raise JobError(f"{name} is {value[:40]!r}, which is no index", where="shard")
            return int(value)
    names = f"{', '.join(_INDEX_VARIABLES[:-1])} or {_INDEX_VARIABLES[-1]}"
    raise JobError(f"no scheduler has set {names}", where="shard", mend="give I/N, such as 0/16")


def _slurm_count(environment: Mapping[str, str]) -> int:
    """How many tasks the array has; only where it is whole does that say how many shards there are."""
    values = [environment.get(f"SLURM_ARRAY_TASK_{name}", "") for name in ("COUNT", "MIN", "MAX")]
    if not all(re.fullmatch(r"\d{1,9}", value) for value in values):
        raise JobError("the environment does not say how many shards there are", where="shard", mend="give auto/N")
    count, first, last = map(int, values)
    if first != 0 or last != count - 1:
        what = f"the array is {first} to {last} with {count} tasks, so that the number of shards is not known"
        raise JobError(what, where="shard", mend="give auto/N, and number the tasks from 0 to N - 1")
    return count
