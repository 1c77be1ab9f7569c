"""``ffngen simulate me``, rendered, and read as CASME II is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ffngen.cli.main import main
from ffngen.dataset.verify import verify_dataset
from ffngen.flow.files import read_flow
from ffngen.images import read_image
from ffngen.recognition import ReadOptions, read_samples

pytest.importorskip("bpy")
pytest.importorskip("openpyxl")
pytestmark = pytest.mark.bpy

OPTIONS = ["--subjects", "2", "--classes", "surprise,disgust", "--amplitude", "0.8", "--ratio", "2"]
SMALL = ["--resolution", "64x64", "--samples", "1", "--props", "none", "--seed", "1"]


def simulate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["simulate", "me", *map(str, arguments)])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("simulated") / "micro"
    done = simulate(out, *OPTIONS, *SMALL)
    assert done.exit_code == 0, done.output
    return out


def test_it_is_read_as_casme2(made: Path) -> None:
    found = read_samples(made, "casme2", ReadOptions())
    assert [(sample.subject, sample.clip, sample.emotion) for sample in found.samples] == [
        ("sub01", "EP01_01f", "surprise"),
        ("sub01", "EP02_01f", "disgust"),
        ("sub02", "EP01_01f", "surprise"),
        ("sub02", "EP02_01f", "disgust"),
    ]
    assert read_image(found.samples[0].apex).shape == (64, 64, 3)
    assert (found.samples[0].onset.name, found.samples[0].apex.name) == ("reg_img1.jpg", "reg_img2.jpg")


def test_flows_are_the_datasets_and_add_up(made: Path) -> None:
    report = verify_dataset(made / "render")
    assert not report.failures
    for clip in ("sub01/EP01_01f.flo", "sub02/EP02_01f.flo"):
        facial, head, expression = (read_flow(made / "flow" / kind / clip) for kind in ("facial", "head", "expression"))
        np.testing.assert_array_equal(facial - head, expression)
        assert np.abs(expression).max() > 0.2
    record = json.loads((made / "simulation.json").read_text())
    # On the whole head's pixels, not on the face's points alone, for which the ratio is meant.
    assert 1 < record["head_flow_px"] / record["expression_flow_px"] < 5
    assert record["clips_in_all"] == 4


def test_what_is_there_stays(made: Path) -> None:
    before = (made / "simulation.json").stat().st_mtime_ns
    again = simulate(made, *OPTIONS, *SMALL, "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout)[0]["ratio"] == 2
    assert (made / "simulation.json").stat().st_mtime_ns == before
    assert simulate(made, *OPTIONS, *SMALL, "--workers", "2", "--device", "cpu").exit_code == 0
    for arguments in (SMALL, [*OPTIONS, *SMALL, "--resolution", "128x128"], [*OPTIONS, *SMALL, "--samples", "2"]):
        other = simulate(made, *arguments)
        assert other.exit_code == 2
        assert other.stderr.count("\n") == 1 and "by other settings" in other.stderr


def test_a_ratio_that_cannot_be_is_named_before_another_is_rendered(tmp_path: Path) -> None:
    done = simulate(tmp_path / "out", *OPTIONS, *SMALL, "--ratio", "0,100")
    assert done.exit_code == 2 and "degrees" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out" / "ratio_0" / "render").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ratio", "1,x"], "is not a list"),
        (["--ratio", "-1"], "0 to 100"),
        (["--ratio", "1,1"], "each once"),
        (["--classes", "joy"], "no class 'joy'"),
        (["--resolution", "big"], "WIDTHxHEIGHT"),
        (["--scene", "moon"], "moon"),
    ],
)
def test_one_line(tmp_path: Path, options: list[str], message: str) -> None:
    done = simulate(tmp_path / "out", *options)
    assert done.exit_code == 2, done.output
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    done = simulate(tmp_path)
    assert done.exit_code == 2 and "holds files already" in done.stderr
