"""``ffngen flow``: figures of known flows, differences, pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ffngen.cli import main
from ffngen.flow.color import flow_to_rgb
from ffngen.flow.files import read_flow, write_flow
from ffngen.images import read_image


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["flow", *map(str, arguments)])


@pytest.fixture
def flows(tmp_path: Path) -> tuple[Path, Path]:
    true = np.zeros((60, 80, 2), np.float32)
    true[:30] = [3, -4]
    valid = np.ones((60, 80), bool)
    valid[:, :8] = False
    (tmp_path / "a").mkdir()
    write_flow(tmp_path / "a" / "0001.flo", true, valid)
    write_flow(tmp_path / "0001.exr", true + np.float32([0, 2]))
    return tmp_path / "a" / "0001.flo", tmp_path / "0001.exr"


def test_show(flows: tuple[Path, Path], tmp_path: Path) -> None:
    result = run("show", *flows, "--json", "--color", tmp_path / "pictures")
    first, second = json.loads(result.stdout)
    assert (first["width"], first["height"], first["known"]) == (80, 60, 0.9)
    assert (first["mean"], first["median"], first["max"], first["moving"]) == (2.5, 2.5, 5, 0.5)
    assert first["u"] == [0, 3] and first["v"] == [-4, 0]
    assert second["known"] == 1 and second["v"] == [-2, 2]
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == ["0001.exr.png", "0001.flo.png"]
    picture = read_image(tmp_path / "pictures" / "0001.flo.png")
    np.testing.assert_array_equal(picture[20, 20], flow_to_rgb(np.array([[[3.0, -4.0]]]), 5.0)[0, 0])
    assert (picture[50, 20] == 255).all() and (picture[20, 2] == 0).all()
    assert "length mean 2.500" in run("show", flows[0]).stdout


def test_diff(flows: tuple[Path, Path], tmp_path: Path) -> None:
    result = run("diff", flows[1], flows[0], "--json", "--color", tmp_path / "error.png")
    errors = json.loads(result.stdout)
    assert errors["epe"] == errors["median"] == errors["max"] == 2
    assert errors["px1"] == 1 and errors["px3"] == 0 and errors["magnitude"] == 2.5
    assert errors["pixels"] == 72 * 60 and errors["known_in_one_alone"] == 480
    assert read_image(tmp_path / "error.png").shape == (60, 240, 3)
    assert "mean 2, median 2" in run("diff", flows[1], flows[0]).stdout


def test_faults(flows: tuple[Path, Path], tmp_path: Path) -> None:
    write_flow(tmp_path / "small.flo", np.zeros((4, 4, 2)))
    write_flow(tmp_path / "empty.flo", np.zeros((60, 80, 2)), np.zeros((60, 80)))
    for arguments, words in (
        (("show", tmp_path / "none.flo"), "No such file"),
        (("show", tmp_path / "none.txt"), "not the name of a flow file"),
        (("diff", tmp_path / "small.flo", flows[0]), "4 x 4 pixels, where 80 x 60 belong"),
        (("diff", tmp_path / "empty.flo", flows[0]), "knows no motion"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2 and words in result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
    assert "no pixel's motion is known" in run("show", tmp_path / "empty.flo").stdout


@pytest.mark.parametrize("name", ["flo", "exr", "exr-half", "compact", "flo5", "npz", "kitti", "pfm"])
def test_convert_there_and_back(flows: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    """Values of quarter pixels, which every format holds; and pixels without a motion, which all but one hold."""
    holed, whole = flows
    file = whole if name == "pfm" else holed
    assert run("convert", file, "--to", name, "--out", tmp_path / "there").exit_code == 0
    (there,) = (tmp_path / "there").iterdir()
    assert run("convert", there, "--to", file.suffix[1:], "--out", tmp_path / "back").exit_code == 0
    np.testing.assert_allclose(read_flow(tmp_path / "back" / file.name), read_flow(file), rtol=1e-9, atol=3e-4)
    assert read_flow(there).shape == (60, 80, 2)


def test_faults_of_convert(flows: tuple[Path, Path], tmp_path: Path) -> None:
    holed, whole = flows
    write_flow(tmp_path / "far.flo", np.full((4, 4, 2), 600, np.float32))
    other = tmp_path / "b" / "0001.flo"
    other.parent.mkdir()
    other.write_bytes(holed.read_bytes())
    assert run("convert", holed, other, "--to", "flo", "--out", tmp_path / "two").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == ["a_0001.flo", "b_0001.flo"]
    assert run("convert", *flows, "--to", "flo", "--out", tmp_path / "one").exit_code == 2
    for arguments, words in (
        ((whole, "--to", "npz", "--out", tmp_path / "two"), None),
        ((whole, "--to", "npz", "--out", tmp_path / "two"), "is there already"),
        ((holed, "--to", "pfm", "--out", tmp_path / "new"), "cannot be written as pfm"),
        ((tmp_path / "far.flo", "--to", "kitti", "--out", tmp_path / "new"), "does not fit into KITTI"),
        ((tmp_path / "none.flo", "--to", "exr", "--out", tmp_path / "new"), "No such file"),
    ):
        result = run("convert", *arguments)
        assert result.exit_code == (2 if words else 0)
        assert not words or (words in result.stderr and len(result.stderr.strip().splitlines()) == 1)
