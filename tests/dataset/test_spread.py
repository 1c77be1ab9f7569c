"""A dataset whose sequences lie in folders by hash: all that reads a dataset reads it too."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from farm_runs import files
from made_dataset import make_dataset

from ffngen.cli import main
from ffngen.dataset.layout import complete_sequences, key_of_metadata, metadata_path
from ffngen.dataset.manifest import read_manifest
from ffngen.dataset.read import FlowDataset

COUNTS = {"train": 3, "val": 1, "test": 1}


def invoke(*arguments: str | Path) -> Result:
    result = CliRunner().invoke(main, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same sequences as published, and spread; both labelled. Not to be changed."""
    folder = tmp_path_factory.mktemp("spread")
    roots = make_dataset(folder / "flat", COUNTS), make_dataset(folder / "spread", COUNTS, is_spread=True)
    for root in roots:
        invoke("label", root, "--add", "backward,coverage", "--pairs", "2", "--workers", "1")
    return roots


def test_every_file_is_the_same_in_another_folder(datasets: tuple[Path, Path]) -> None:
    flat, spread = datasets
    moved = {}
    for path in sorted(flat.rglob("*")):
        relative = path.relative_to(flat)
        if path.is_file() and len(relative.parts) > 1:
            *before, sequence, name = relative.parts
            bucket = hashlib.sha256(sequence.encode()).hexdigest()[:2]
            moved[Path(*before, bucket, sequence, name)] = path
    assert {path.relative_to(spread) for path in spread.rglob("*") if path.is_file()} == {
        *moved, Path("dataset.json"), Path("manifest.parquet"),
    }  # fmt: skip
    for path, source in moved.items():
        if path.suffix not in (".json",):  # which name the files
            assert (spread / path).read_bytes() == source.read_bytes()


def test_all_commands_read_it(datasets: tuple[Path, Path], tmp_path: Path) -> None:
    _, spread = datasets
    assert json.loads(invoke("verify", spread, "--json").stdout)["passed"]
    assert json.loads(invoke("farm", "status", spread, "--json").stdout)["done"] == sum(COUNTS.values())
    pairs = [list(FlowDataset(root)) for root in datasets]
    assert [pair.metadata.sequence for pair in pairs[0]] == [pair.metadata.sequence for pair in pairs[1]]
    for one, other in zip(*pairs, strict=True):
        np.testing.assert_array_equal(one.facial_flow, other.facial_flow)
        np.testing.assert_array_equal(one.labels.facial_backward, other.labels.facial_backward)
    # In the layouts of other datasets it is no other than the published one.
    for layout in ("ffn", "sintel"):
        outs = [tmp_path / f"{root.name}-{layout}" for root in datasets]
        for root, out in zip(datasets, outs, strict=True):
            invoke("convert", root, out, "--to", layout)
        found = [
            {p.relative_to(out): p.read_bytes() for p in out.rglob("*") if p.parent != out and p.is_file()}
            for out in outs
        ]
        assert found[0] == found[1] and found[0]


def test_merging_keeps_the_folders(datasets: tuple[Path, Path], tmp_path: Path) -> None:
    _, spread = datasets
    invoke("farm", "merge", spread, "--out", tmp_path / "out")
    # Labels come along.
    assert files(tmp_path / "out") == files(spread)
    assert complete_sequences(tmp_path / "out") == complete_sequences(spread)
    assert read_manifest(tmp_path / "out") == read_manifest(spread)
    assert [row.key for row in read_manifest(spread)] == complete_sequences(spread)


def test_what_lies_in_another_bucket_does_not_count(datasets: tuple[Path, Path], tmp_path: Path) -> None:
    root = Path(shutil.copytree(datasets[1], tmp_path / "copy"))
    key = complete_sequences(root)[0]
    folder = (root / metadata_path(key)).parent
    wrong = folder.parent.with_name("00" if folder.parent.name != "00" else "01")
    wrong.mkdir()
    folder.rename(wrong / folder.name)
    assert key not in complete_sequences(root)
    assert key_of_metadata(metadata_path(key)) == key
    assert key_of_metadata(f"metadata/{key.split}/{key.emotion}/{wrong.name}/{key.sequence}/metadata.json") is None
    assert key_of_metadata("metadata/train/../x/metadata.json") is None
