"""Which sequences a part has."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from ffngen.errors import JobError
from ffngen.farm.shard import Shard, parse_shard, shard_index

NAMES = [f"open-{i:06d}_e0_n{n}" for i in range(2000) for n in (5, 10)]


def test_each_sequence_is_in_one_part() -> None:
    for count in (1, 2, 7, 64):
        counts = Counter(shard_index(name, count) for name in NAMES)
        assert sorted(counts) == list(range(count))
        # Binomial: five standard deviations around the mean.
        mean = len(NAMES) / count
        assert all(abs(n - mean) <= 5 * mean**0.5 for n in counts.values())


def test_the_part_depends_on_the_name_alone_and_never_changes() -> None:
    """A change of the hash would send a half-rendered dataset's sequences elsewhere; the values are computed anew."""
    digest = hashlib.sha256(b"open-000000_e0_n10").hexdigest()
    assert shard_index("open-000000_e0_n10", 1000) == int(digest[:16], 16) % 1000
    assert [shard_index(name, 16) for name in NAMES[:8]] == [11, 15, 13, 10, 12, 14, 0, 6]


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        ("0/1", {}, Shard(0, 1)),
        (" 3 / 16", {"SLURM_ARRAY_TASK_ID": "5"}, Shard(3, 16)),
        ("auto/16", {"SLURM_ARRAY_TASK_ID": "5"}, Shard(5, 16)),
        ("auto/16", {"JOB_COMPLETION_INDEX": "15"}, Shard(15, 16)),
        ("auto/16", {"AWS_BATCH_JOB_ARRAY_INDEX": "0"}, Shard(0, 16)),
        (
            "auto",
            {f"SLURM_ARRAY_TASK_{k}": v for k, v in {"ID": "2", "COUNT": "4", "MIN": "0", "MAX": "3"}.items()},
            Shard(2, 4),
        ),
    ],
)
def test_parsing(text: str, environment: dict[str, str], shard: Shard) -> None:
    assert parse_shard(text, environment) == shard


#: Tasks 3 and 7 of an array of eight, submitted again.
PART_OF_AN_ARRAY = {"ID": "3", "COUNT": "2", "MIN": "3", "MAX": "7"}


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("", {}, "no shard"),
        ("3", {}, "give I/N"),
        ("1/2/3", {}, "no shard"),
        ("-1/2", {}, "no shard"),
        ("2/2", {}, "0/2 to 1/2"),
        ("0/0", {}, "no shard 0 of 0"),
        ("0/99999999", {}, "no shard"),
        ("auto", {}, "no scheduler has set SLURM_ARRAY_TASK_ID"),
        ("auto/4", {"SLURM_ARRAY_TASK_ID": "x"}, "no index"),
        ("auto/4", {"SLURM_ARRAY_TASK_ID": "4"}, "no shard 4 of 4"),
        ("auto", {"JOB_COMPLETION_INDEX": "1"}, "auto/N"),
        ("auto", {f"SLURM_ARRAY_TASK_{k}": v for k, v in PART_OF_AN_ARRAY.items()}, "3 to 7 with 2 tasks"),
    ],
)
def test_what_is_no_part(text: str, environment: dict[str, str], message: str) -> None:
    with pytest.raises(JobError, match=message):
        parse_shard(text, environment)
