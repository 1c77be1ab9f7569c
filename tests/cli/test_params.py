"""``ffngen params``: what trackers wrote becomes a table that renders."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ffngen.cli import main
from ffngen.dataset.plan import plan_sequences
from ffngen.head.load import load_head
from ffngen.images import read_image
from ffngen.job import Job
from ffngen.params.arkit import ARKIT_ACTIONS
from ffngen.params.read import read_parameter_sets
from ffngen.params.source import parameter_source
from ffngen.params.table import write_parameter_sets


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["params", *map(str, arguments)])


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("params") / "sampled.parquet"
    assert run("sample", path, "--identities", 6, "--emotion", "happy,sad").exit_code == 0
    return path


def test_sampled_sets_are_those_that_render_draws(sampled: Path) -> None:
    model = load_head("open")
    source = parameter_source(Job(identities=6, emotions=("happy", "sad")), model)
    table = parameter_source(Job(params=str(sampled)), model)
    assert len(table) == 6
    for index in range(6):
        drawn, read = source.parameters(index), table.parameters(index)
        for name in ("betas", "expression", "pose"):
            np.testing.assert_array_equal(getattr(drawn, name), getattr(read, name))
        assert (drawn.identity, drawn.emotion) == (read.identity, read.emotion)


def test_import_labels_select_and_validate(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("ann00", "bob00", "cy00"):
        folder = tmp_path / "codes" / "happy" / name
        folder.mkdir(parents=True)
        for code, size in (("shape", 100), ("exp", 50), ("pose", 6)):
            np.save(folder / f"{code}.npy", rng.normal(size=size).astype(np.float32))
    (tmp_path / "labels.csv").write_text("image,emotion\nann.jpg,fear\nbob.jpg,2\n")
    table = tmp_path / "all.parquet"
    result = run("import", tmp_path / "codes", table, "--labels", tmp_path / "labels.csv", "--json")
    assert json.loads(result.stdout) | {"out": ""} == {
        "out": "",
        "sets": 3,
        "identities": 3,
        "videos": 0,
        "cameras": 0,
        "families": {"flame2020": 3},
        "emotions": {"fear": 1, "sad": 1, "happy": 1},
        "unlabelled": 1,
    }
    few = tmp_path / "few.parquet"
    assert run("select", table, few, "--per-class", 1).exit_code == 0
    assert run("import", tmp_path / "codes", few, "--emotion", "anger").exit_code == 0
    assert {one.emotion for one in read_parameter_sets(few)} == {"anger"}
    result = run("validate", table, "--json")
    assert result.exit_code == 1
    faults = json.loads(result.stdout)["faults"]
    assert len(faults) == 3 and "flame2020's, and the head is open's" in faults[0]


def test_validate_passes(sampled: Path) -> None:
    result = run("validate", sampled)
    assert result.exit_code == 0 and "passed" in result.stdout


def test_validate_finds_a_frame_that_is_there_twice(sampled: Path, tmp_path: Path) -> None:
    frames = [replace(read_parameter_sets(sampled)[0], track="day/clip", frame=frame) for frame in (0, 1, 0)]
    write_parameter_sets(tmp_path / "twice.parquet", frames)
    result = run("validate", tmp_path / "twice.parquet", "--json")
    assert result.exit_code == 1
    (fault,) = json.loads(result.stdout)["faults"]
    assert re.fullmatch(r"set 3: frame 0 of day/clip of .* is set 1, too", fault)


def test_show(sampled: Path, tmp_path: Path) -> None:
    picture = tmp_path / "heads.png"
    result = run("show", sampled, "--thumbnails", picture, "--limit", 3)
    assert result.exit_code == 0
    assert all(f"open-00000{i}" in result.stdout for i in (0, 2, 5)) and "6 sets of 6 people" in result.stdout
    sheet = read_image(picture).astype(int)
    assert sheet.shape == (160 + 16 + 8, 3 * 164 + 4, 3)
    # Each cell shows a head, lit from the left, and no two are alike.
    cells = [sheet[4:164, 4 + 164 * i : 164 + 164 * i] for i in range(3)]
    for cell in cells:
        assert 0.2 < (cell.max(-1) > 60).mean() < 0.7
    assert np.abs(cells[0] - cells[1]).mean() > 3
    assert json.loads(run("show", sampled, "--json").stdout)["shown"][0]["identity"] == "open-000000"


def test_a_recording_for_several_people(tmp_path: Path) -> None:
    """As the sampler draws them, so that a face is the same face in every dataset of one seed."""
    take = tmp_path / "take.csv"
    names = [name[0].upper() + name[1:] for name in ARKIT_ACTIONS]
    rows = [["Timecode", "BlendshapeCount", *names]]
    rows += [[f"00:00:00:{i:02d}.000", "61", *["0.1"] * 52] for i in range(3)]
    take.write_text("\n".join(",".join(row) for row in rows))
    table = tmp_path / "people.parquet"
    result = run("import", take, table, "--people", 4, "--seed", 5, "--json")
    assert result.exit_code == 0, result.stderr
    summary = json.loads(result.stdout)
    assert (summary["sets"], summary["identities"], summary["videos"]) == (12, 4, 4)
    source = parameter_source(Job(identities=4, seed=5), load_head("open"))
    tracks = parameter_source(Job(params=str(table), motion="tracked"), load_head("open"))
    assert len(tracks) == 4
    for index in range(4):
        assert tracks.identity(index) == source.identity(index)
        np.testing.assert_array_equal(tracks.parameters(index).betas, source.parameters(index).betas)
    result = run("import", table, tmp_path / "again.parquet", "--people", 2)
    assert result.exit_code == 2 and "has an identity of its own" in result.stderr


def test_names_that_look_like_markup(tmp_path: Path) -> None:
    folder = tmp_path / "codes" / "clip [b]" / "[/x]00"
    folder.mkdir(parents=True)
    for code, size in (("shape", 100), ("exp", 50), ("pose", 6)):
        np.save(folder / f"{code}.npy", np.zeros(size, np.float32))
    result = run("show", tmp_path / "codes")
    assert result.exit_code == 0 and "clip [b]/[/x]00" in result.stdout
    result = run("import", tmp_path / "codes", tmp_path / "a.parquet", "--emotion", "[/x]")
    assert result.exit_code == 2 and "not a plain word" in result.stderr


def test_formats() -> None:
    assert "emoca" in json.loads(run("formats", "--json").stdout)
    assert "shape.npy" in run("formats").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["import", "{0}/none", "{0}/a.parquet"], "is missing"),
        (["import", "{0}", "{0}/a.parquet"], "holds no parameters that are known"),
        (["import", "{0}", "{0}/a.csv"], "must end in .parquet"),
        (["import", "{0}", "{0}/none/a.parquet"], "there is no folder"),
        (["import", "{0}", "{0}/a.parquet", "--params-format", "zip"], "is not one of"),
        (["import", "{0}", "{0}/a.parquet", "--params-format", "emoca"], "holds no parameters of the format emoca"),
        (["import", "{0}", "{0}/a.parquet", "--labels", "x", "--emotion", "y"], "not both"),
        (["sample", "{0}/a.parquet", "--emotion", "bored"], "knows no emotion 'bored'"),
        (["validate", "{0}", "--head", "{0}/none"], "is not a head model"),
        (["select", "{0}", "{0}/a.parquet"], "--per-class"),
    ],
)
def test_faults(arguments: list[str], words: str, tmp_path: Path) -> None:
    result = run(*(argument.format(tmp_path) for argument in arguments))
    assert result.exit_code == 2
    assert words in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_video_is_planned_as_one_sequence(sampled: Path, tmp_path: Path) -> None:
    one = read_parameter_sets(sampled)[0]
    frames = [replace(one, pose=one.pose * i / 9, track="clip", frame=i, fps=30.0) for i in range(1, 10)]
    table = tmp_path / "clip.parquet"
    write_parameter_sets(table, frames)
    arguments = ["render", "--params", str(table), "--motion", "tracked", "--dry-run", "--json", "--out", "unwritten"]
    for more, pairs in (([], 8), (["--frame-step", "2"], 4), (["--fps", "60", "--frame-range", "2:4"], 4)):
        result = CliRunner().invoke(main, [*arguments, *more])
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout)["pairs"] == pairs
    for more, words in (
        (["--fps", "1"], "1 frame of clip would be left"),
        (["--frame-range", "20:"], "0 frames of clip would be left"),
        (["--camera", "tracked"], "has no camera"),
        (["--source-images", str(tmp_path)], "holds no image"),
    ):
        result = CliRunner().invoke(main, [*arguments, *more])
        assert result.exit_code == 2 and words in result.stderr, result.stderr
    # Two recordings of one person stay two sequences.
    both = frames + [replace(one, track="clip.mov") for one in frames]
    write_parameter_sets(table, both)
    job = Job(params=str(table), motion="tracked")
    names = [plan.name for plan in plan_sequences(job, parameter_source(job, load_head("open")))]
    assert len(set(names)) == 2
    result = CliRunner().invoke(main, ["render", "--params", str(sampled), "--motion", "tracked", "--dry-run"])
    assert result.exit_code == 2 and "holds no frames of a video" in result.stderr
