"""Labels by shards, which may run twice and at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from click.testing import CliRunner
from farm_runs import end, files, start

from ffngen.cli import main
from ffngen.dataset.layout import complete_sequences
from ffngen.farm.shard import shard_index

KINDS = ("--add", "backward,normals", "--pairs", "2", "--workers", "1", "--json")


def test_shards_at_once_and_twice_come_to_the_same(made_dataset: Path, tmp_path: Path) -> None:
    out, alone = (Path(shutil.copytree(made_dataset, tmp_path / name)) for name in ("out", "alone"))
    runs = [start("label", out, *KINDS, "--shard", f"{i}/2") for i in (0, 1, 0)]
    found = [json.loads(end(run)) for run in runs]
    names = [key.sequence for key in complete_sequences(out)]
    parts = [sum(shard_index(name, 2) == i for name in names) for i in range(2)]
    assert [run["sequences"] for run in found] == [parts[0], parts[1], parts[0]]
    assert min(parts) > 0 and all(run["failed"] == {} for run in found)
    result = CliRunner().invoke(main, ["label", str(alone), *KINDS])
    assert result.exit_code == 0 and json.loads(result.stdout)["labelled"] == len(names)
    assert files(out) == files(alone)


def test_no_such_shard_is_one_line(made_dataset: Path) -> None:
    result = CliRunner().invoke(main, ["label", str(made_dataset), "--add", "all", "--shard", "3/3"])
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
