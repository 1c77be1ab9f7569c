"""One dataset of parts that were rendered in different places."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from farm_runs import JOB, SEQUENCES, end, files, start

from ffngen.cli import main
from ffngen.dataset.layout import Output, Record, complete_sequences
from ffngen.dataset.metadata import encode_metadata, read_sequence


def merge(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["farm", "merge", *map(str, arguments)])


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three parts of four sequences, the last two the same one; all in one; and another job's. Not to be changed."""
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "job.yaml").write_text(JOB)
    (folder / "state").mkdir()
    options = {f"part{i}": ["--shard", shard] for i, shard in enumerate(("0/2", "1/2", "1/2"))}
    options |= {"alone": [], "other": ["--seed", "5"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAKE_BLENDER", str(folder / "state"))
        for run in [start("render", folder / "job.yaml", "--out", folder / out, *o) for out, o in options.items()]:
            end(run)
    return folder


@pytest.fixture
def parts(rendered: Path, tmp_path: Path) -> list[Path]:
    return [Path(shutil.copytree(rendered / f"part{i}", tmp_path / f"part{i}")) for i in range(3)]


def test_merged_parts_are_the_undisturbed_dataset(parts: list[Path], rendered: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = merge(*parts, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["sequences"] == summary["merged"] == SEQUENCES
    assert summary["shared"] == len(complete_sequences(parts[1])) > 0
    assert files(out) == files(rendered / "alone")
    # Again, and into itself: nothing is left to do.
    for sources in (parts, [out]):
        assert json.loads(merge(*sources, "--out", out, "--json").stdout)["merged"] == 0
    assert files(out) == files(rendered / "alone")


def test_a_stopped_merge_goes_on(parts: list[Path], rendered: Path, tmp_path: Path) -> None:
    assert merge(parts[0], "--out", tmp_path / "out").exit_code == 0
    assert len(complete_sequences(tmp_path / "out")) < SEQUENCES
    assert merge(*parts, "--out", tmp_path / "out").exit_code == 0
    assert files(tmp_path / "out") == files(rendered / "alone")


def test_other_jobs_are_refused(parts: list[Path], rendered: Path, tmp_path: Path) -> None:
    other = rendered / "other"
    for arguments in ((parts[0], other, "--out", tmp_path / "out"), (parts[0], "--out", other)):
        result = merge(*arguments)
        assert result.exit_code == 2
        assert (
            result.stderr.count("\n") == 1 and "is of another job" in result.stderr and "seed differs" in result.stderr
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("fault", ["missing", "damaged", "list", "traversal", "record", "no dataset"])
def test_faults_are_one_line(fault: str, parts: list[Path], tmp_path: Path) -> None:
    key = complete_sequences(parts[1])[0]
    metadata = read_sequence(parts[1], key)
    flow = parts[1] / metadata.layout.file(Output.FACIAL_FLOW, 1)
    record = parts[1] / metadata.layout.record(Record.METADATA)
    match fault:
        case "missing":
            flow.unlink()
        case "damaged":
            flow.write_bytes(flow.read_bytes()[::-1])
        case "list" | "traversal":
            entry = next(iter(metadata.files.values()))
            names = {"../../outside": entry} if fault == "traversal" else {}
            record.write_bytes(encode_metadata(metadata.model_copy(update={"files": names})))
        case "record":
            (parts[1] / "dataset.json").write_text("{}")
        case "no dataset":
            shutil.rmtree(parts[1])
    result = merge(*parts[:2], "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.output
    assert not (tmp_path / "outside").exists()


def test_different_truth_is_refused(parts: list[Path], tmp_path: Path) -> None:
    key = complete_sequences(parts[1])[0]
    metadata = read_sequence(parts[1], key)
    path = str(metadata.layout.file(Output.HEAD_FLOW, 1))
    other = metadata.files[path].model_copy(update={"sha256": "0" * 64})
    changed = metadata.model_copy(update={"files": metadata.files | {path: other}})
    (parts[1] / metadata.layout.record(Record.METADATA)).write_bytes(encode_metadata(changed))
    result = merge(*parts, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert path in result.stderr and "holds other values than" in result.stderr
