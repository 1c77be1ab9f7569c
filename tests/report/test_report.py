"""``ffngen report``."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from ffngen.cli.main import main
from ffngen.images import encode_png
from ffngen.report.plots import draw_plots
from ffngen.report.sections import Line, Plot

pytest.importorskip("matplotlib")


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["report", *map(str, arguments)])


def run(folder: Path, record: dict[str, Any], *pictures: str) -> Path:
    for name in pictures:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(encode_png(np.zeros((8, 8, 3), np.uint8)))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(record))
    return folder


def errors(epe: float) -> dict[str, float]:
    return {"epe": epe, "px1": 0.1, "px3": 0.0, "px5": 0.0, "fl_all": 0.0, "wauc": 0.9}


def evaluation(folder: Path, name: str, epe: float) -> Path:
    groups = {"scale": {"1/10": errors(epe), "1/5": errors(2 * epe), "Sum": errors(1.5 * epe)}}
    flow = groups | {"emotion": {"happy": errors(epe)}, "region": {}, "visibility": {}}
    record = {
        "kind": "evaluation",
        "dataset": "faces",
        "split": "test",
        "pairs": 20,
        "estimators": {name: {}},
        "notes": [],
        "results": {name: {"facial": flow}},
    }
    return run(folder, record, f"worst/{name}/01.png")


def landmarks(folder: Path) -> Path:
    figures = {
        "epe": 3.25,
        "interval": [3.0, 3.5],
        "motion": 7.0,
        "regions": {"lips": 4.0},
        "pairs": 5,
        "subjects": 3,
        "points": 340,
        "without_flow": 0,
    }
    record = {
        "kind": "landmarks",
        "dataset": "ck+",
        "path": "CK+",
        "pairs": 5,
        "subjects": 3,
        "notes": ["a <note>"],
        "results": {"zero": {"facial": figures}},
        "published": {"row": "CK+ (L.)", "epe": {}},
    }
    return run(folder, record)


def recognition(folder: Path, ratio: float | None, uf1: float) -> Path:
    score = {"value": uf1, "low": uf1 - 0.1, "high": uf1 + 0.1, "seed_deviation": 0.01}
    model = {
        "scores": dict.fromkeys(("accuracy", "uf1", "uar", "f1_weighted"), score),
        "by_seed": {"accuracy": [uf1]},
        "by_class": {"a": {"f1": uf1, "recall": None}, "b": {"f1": uf1, "recall": uf1}},
        "by_dataset": {},
        "by_subject": {},
    }
    simulation = None if ratio is None else {"ratio": ratio, "head_flow_px": 1.0, "expression_flow_px": 0.5}
    record = {
        "kind": "recognition",
        "dataset": "casme2",
        "labels": "casme2-5",
        "samples": 4,
        "subjects": 2,
        "seeds": 1,
        "classes": {"a": 2, "b": 2},
        "datasets": {"casme2": 4},
        "classifier": {"classifier": "ststnet"},
        "optimistic": "",
        "differences": [],
        "models": {"dis facial": model},
        "simulation": simulation,
    }
    return run(folder, record, "confusion/dis.png")


def test_every_kind_on_one_page(tmp_path: Path) -> None:
    runs = [
        evaluation(tmp_path / "one", "dis", 0.5),
        evaluation(tmp_path / "two", "raft", 0.25),
        landmarks(tmp_path / "three"),
        recognition(tmp_path / "r4", 4.0, 0.3),
        recognition(tmp_path / "r0", 0.0, 0.8),
    ]
    done = report(*runs, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 0, done.output
    titles = [section["title"] for section in json.loads(done.stdout)["sections"]]
    assert len(titles) == 5 and titles[-1] == "When does decomposition pay?"
    page = (tmp_path / "out" / "report.html").read_text()
    assert "a &lt;note&gt;" in page and "<note>" not in page
    # Two worst pairs, two confusion matrices, the curves and the sweep.
    assert page.count("data:image/png") == 6
    markdown = (tmp_path / "out" / "tables.md").read_text()
    # Both runs' methods stand in one table.
    assert re.search(r"\| dis \| 0\.500 \| 1\.000 \| 0\.750 \|\n\| raft \| 0\.250 \| 0\.500 \| 0\.375 \|", markdown)
    assert "| zero | 3.250 | 3.000 to 3.500 | 4.000 |" in markdown and "3.47" in markdown
    # Ordered by ratio, not as they were named.
    assert "|  | 0 | 4 |" in markdown and "| dis facial | 0.800 [0.700, 0.900] | 0.300 [0.200, 0.400] |" in markdown
    assert r"\toprule" in (tmp_path / "out" / "tables.tex").read_text()


def test_one_name_in_two_runs(tmp_path: Path) -> None:
    runs = [evaluation(tmp_path / "before", "run/best", 0.5), evaluation(tmp_path / "after", "run/best", 0.4)]
    assert report(*runs, "--out", tmp_path / "out").exit_code == 0
    markdown = (tmp_path / "out" / "tables.md").read_text()
    assert "| run/best | 0.500 |" in markdown and "| run/best (after) | 0.400 |" in markdown


def test_runs_in_folders_of_one_name(tmp_path: Path) -> None:
    runs = [evaluation(tmp_path / who / "report", "run/best", epe) for who, epe in (("a", 0.5), ("b", 0.4), ("c", 0.3))]
    assert report(*runs, "--out", tmp_path / "out").exit_code == 0
    markdown = (tmp_path / "out" / "tables.md").read_text()
    assert all(f"| 0.{epe}00 |" in markdown for epe in (5, 4, 3))
    assert f"| run/best ({tmp_path / 'c' / 'report'}) | 0.300 |" in markdown


def changed(folder: Path, **fields: Any) -> Path:
    record = json.loads((folder / "report.json").read_text())
    return run(folder, record | fields)


def test_other_pairs_stand_in_another_table(tmp_path: Path) -> None:
    few = changed(evaluation(tmp_path / "few", "raft", 0.4), pairs=5)
    visible = changed(landmarks(tmp_path / "visible"), options={"visible": "True"})
    hidden = changed(landmarks(tmp_path / "hidden"), options={"visible": "False"})
    runs = [evaluation(tmp_path / "all", "dis", 0.5), few, visible, hidden]
    done = report(*runs, "--out", tmp_path / "out", "--json")
    assert len(json.loads(done.stdout)["sections"]) == 4


def test_a_sweep_is_of_one_set_and_one_classifier(tmp_path: Path) -> None:
    runs = [recognition(tmp_path / "r0", 0.0, 0.8), recognition(tmp_path / "r4", 4.0, 0.3)]
    other = [changed(recognition(tmp_path / "m4", 4.0, 0.4), classifier={"classifier": "mmnet"})]
    people = {"ratio": 1.0, "head_flow_px": 1.0, "expression_flow_px": 0.5, "subjects": 99}
    other += [changed(recognition(tmp_path / "s1", 1.0, 0.4), simulation=people)]
    assert report(*runs, *other, "--out", tmp_path / "out").exit_code == 0
    markdown = (tmp_path / "out" / "tables.md").read_text()
    assert "| dis facial | 0.800 [0.700, 0.900] | 0.300 [0.200, 0.400] |" in markdown


def test_names_that_matplotlib_would_read_otherwise(tmp_path: Path) -> None:
    runs = [evaluation(tmp_path / "a", "$\\frac{$", 0.5), evaluation(tmp_path / "b", "_run", 0.5)]
    assert report(*runs, "--out", tmp_path / "out").exit_code == 0
    lines = tuple(Line(name, ("1/5",), (0.5,)) for name in ("$\\frac{$", "_run", "dis"))
    rows = []
    for shown in (lines[:1], lines[:2], lines):
        picture = Image.open(io.BytesIO(draw_plots([Plot("", "", "", shown)])))
        # How many different columns the legend, below all else, takes.
        rows.append(int((np.array(picture.convert("L"))[-22:] < 200).any(axis=0).sum()))
    assert rows[0] < rows[1] < rows[2]


def test_faults_are_one_line(tmp_path: Path) -> None:
    good = evaluation(tmp_path / "good", "dis", 0.5)
    (tmp_path / "empty").mkdir()
    broken = run(tmp_path / "broken", {"kind": "evaluation", "dataset": "d", "split": "test", "results": {"dis": 3}})
    lacking = run(tmp_path / "lacking", {"kind": "landmarks", "dataset": "d"})
    other = run(tmp_path / "other", {"kind": "novel"})
    text = tmp_path / "text"
    shutil.copytree(good, text)
    (text / "report.json").write_text("{")
    deep = tmp_path / "deep"
    shutil.copytree(good, deep)
    (deep / "report.json").write_text("[" * 100_000)
    picture = tmp_path / "picture"
    shutil.copytree(good, picture)
    (picture / "worst" / "dis" / "01.png").write_text("<script>")
    for runs, message in (
        ([tmp_path / "empty"], "has no report.json"),
        ([tmp_path / "nowhere"], "has no report.json"),
        ([broken], "is not as its command writes it"),
        ([lacking], "lacks 'path'"),
        ([other], "is no report of"),
        ([text], "is no JSON"),
        ([deep], "is no JSON"),
        ([good, good], "is named twice"),
        ([picture], "is no PNG"),
    ):
        done = report(*runs, "--out", tmp_path / "out")
        assert done.exit_code == 2, (runs, done.output)
        assert message in done.stderr and done.stderr.count("\n") == 1
        assert not (tmp_path / "out" / "report.html").exists()
