"""``ffngen mer`` as a user runs it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from made_micro import make_micro_set, write_table
from PIL import Image
from published_sets import composite_rows, make_smic

from ffngen.cli import main

pytest.importorskip("openpyxl")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set, and a label map for its three emotions."""
    root = make_micro_set(tmp_path_factory.mktemp("made") / "set", subjects=3, clips=2)
    (root.parent / "map.yaml").write_text("classes: {up: [happiness], wide: [surprise], down: [disgust]}\n")
    return root


def run(made: Path, *arguments: object) -> Result:
    labels = ["--labels", str(made.parent / "map.yaml"), "--workers", "1"]
    return CliRunner().invoke(main, ["mer", str(made), *labels, *map(str, arguments)])


def test_the_command(made: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ("--model", "dis", "--flows", f"true={made / 'flow'}", "--seeds", 2, "--epochs", 30, "--out", out)
    done = run(made, *arguments)
    assert done.exit_code == 0, done.output
    assert "18 samples of 3 subjects in 18 rows; map.yaml: up 6, wide 6, down 6" in done.output
    assert "mean of 2 seeds [95% over subjects]" in done.output
    record = json.loads((out / "report.json").read_text())
    assert record["kind"] == "recognition"
    assert list(record["models"]) == ["most frequent class", "true", "dis (facial)"]
    scores = {name: model["scores"]["uf1"]["value"] for name, model in record["models"].items()}
    assert scores["true"] > 0.9
    assert scores["most frequent class"] == pytest.approx(1 / 6)
    assert [one["of"] for one in record["differences"]] == ["dis (facial)"]
    assert record["optimistic"] == ""
    assert "accuracy by subject" in (out / "tables.md").read_text()
    assert r"\begin{tabular}" in (out / "tables.tex").read_text()
    rows = list(csv.DictReader((out / "predictions.csv").open()))
    assert len(rows) == 18 * (1 + 2 + 2)
    right = [row["true"] == row["predicted"] for row in rows if row["model"] == "true"]
    assert np.mean(right) == pytest.approx(record["models"]["true"]["scores"]["accuracy"]["value"])
    pictures = sorted(path.name for path in (out / "confusion").iterdir())
    assert pictures == ["dis_facial.png", "most_frequent_class.png", "true.png"]
    assert np.array(Image.open(out / "confusion" / "true.png").convert("RGB")).std() > 20
    # Run again, it takes everything from its folder and says the same.
    again = run(made, *arguments, "--json")
    assert json.loads(again.output) == record
    # Pictures of another report do not stay beside this one.
    assert run(made, *arguments[2:]).exit_code == 0
    assert sorted(path.name for path in (out / "confusion").iterdir()) == ["most_frequent_class.png", "true.png"]


def test_published_protocol_says_what_it_is(made: Path, tmp_path: Path) -> None:
    done = run(
        made,
        "--model",
        "zero",
        "--flow",
        "facial",
        "--seeds",
        1,
        "--epochs",
        2,
        "--protocol",
        "published",
        "--out",
        tmp_path,
    )
    assert done.exit_code == 0, done.output
    tables = done.output[done.output.index("\n\n") :].strip().split("\n\n")
    assert all("optimistic: the epoch is chosen on the test subject" in t.splitlines()[0] for t in tables[:-1])
    for name in ("report.json", "tables.md", "tables.tex"):
        assert "optimistic" in (tmp_path / name).read_text()


def test_check(made: Path, tmp_path: Path) -> None:
    done = run(made, "--check", "--out", tmp_path / "none")
    assert done.exit_code == 0, done.output
    assert done.output.count("\n") == 1
    assert json.loads(run(made, "--check", "--json").output)["classes"] == {"up": 6, "wide": 6, "down": 6}
    assert not (tmp_path / "none").exists()


def test_composite_and_remarks(tmp_path: Path) -> None:
    table = write_table(tmp_path / "t.csv", composite_rows())
    arguments = [
        "mer",
        str(table),
        "--dataset",
        "megc2019",
        "--part",
        f"smic={make_smic(tmp_path / 'smic')}",
        "--check",
    ]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "megc2019: 164 samples of 16 subjects in 442 rows; composite: negative 70, positive 51" in done.output
    assert "145 rows are of casme2, which no --part names; left out" in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to measure"),
        (["--model", "dis", "--model", "dis"], "named twice"),
        (["--flows", "x"], "is not NAME=FOLDER"),
        (["--flows", "x=a", "--flows", "x=b"], "x is named twice"),
        (["--flows", "x=nowhere"], "no flow of the sample of row 2"),
        (["--model", "dis", "--flow", "head"], "dis gives no head flow; it gives facial"),
        (["--check", "--labels", "casme2-9"], "unknown label map"),
        (["--check", "--part", "smic=x"], "is for megc2019 alone"),
        (["--check", "--annotations", "none.xlsx"], "none.xlsx: cannot be read"),
        (["--check", "--frames", "none"], "row 2: its folder none/sub01/EP01_01 is absent"),
        (["--model", "dis", "--device", "cuda:7"], "no CUDA GPU"),
    ],
)
def test_faults_are_one_line(made: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    if "cuda:7" in arguments and __import__("torch").cuda.is_available():
        pytest.skip("there is a GPU")
    done = run(made, *arguments, "--out", tmp_path)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert len([line for line in done.output.splitlines() if line.startswith("ffngen:")]) == 1
    assert "Traceback" not in done.output


def test_a_face_that_is_not_found(made: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    from ffngen.errors import MissingPackageError
    from ffngen.fit.detect import FaceDetector

    try:
        FaceDetector()
    except MissingPackageError:
        pytest.skip("the face detector's networks are not installed")
    done = run(made, "--model", "zero", "--crop", "detect", "--out", tmp_path)
    assert done.exit_code == 2
    assert "reg_img10.png; use --crop none or box" in done.output


def test_readers_do_without_torch() -> None:
    code = (
        "import sys, ffngen.recognition, ffngen.cli.mer; print('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
