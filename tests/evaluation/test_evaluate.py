"""Evaluation against errors that are known because they were put in."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from made_dataset import make_dataset

from ffngen.cli import main
from ffngen.dataset.read import FlowDataset
from ffngen.errors import DatasetError
from ffngen.estimators import open_estimator
from ffngen.estimators.classical import CLASSICAL
from ffngen.estimators.estimator import Estimate, PairByPair
from ffngen.evaluation.areas import AreaFinder
from ffngen.evaluation.evaluate import HEAD, evaluate, open_pairs
from ffngen.evaluation.pictures import draw_pair
from ffngen.evaluation.summary import summarise
from ffngen.evaluation.tables import tables
from ffngen.flow.color import error_map
from ffngen.models import build, save
from ffngen.tables import Table


@dataclass
class OffBy(PairByPair):
    """Knows the truth, and is off by (3, 4) on the head and by (6, 8) beside it."""

    pairs: list
    name: str = "off"
    details: dict[str, str] = field(default_factory=dict)

    def __call__(self, image1: np.ndarray, image2: np.ndarray) -> Estimate:
        pair = next(p for p in self.pairs if np.array_equal(p.image1, image1) and np.array_equal(p.image2, image2))
        error = np.where(pair.mask[..., None] > 0, np.float32([3, 4]), np.float32([6, 8]))
        return Estimate(pair.facial_flow + error, pair.head_flow - error, pair.facial_flow - pair.head_flow + 2 * error)


@pytest.fixture(scope="module")
def pairs(made_dataset: Path) -> list:
    return open_pairs(FlowDataset(made_dataset), "test", None)


def test_errors_that_were_put_in(pairs: list) -> None:
    evaluation = evaluate(pairs, [OffBy(pairs), CLASSICAL["zero"]], keep_worst=3)
    assert evaluation.pairs == len(pairs) == 4
    summary = summarise(evaluation)
    for flow, error in (("facial", 5), ("head", 5), ("expression", 10)):
        means = summary["off"][flow]["scale"]["Sum"]
        assert means["epe"] == pytest.approx(error, abs=1e-4)
        assert means["px1"] == means["px3"] == 1
        assert means["pairs"] == 4
        # Zero flow is off by the motion itself.
        zero = summary["zero"][flow]["scale"]["Sum"]
        lengths = [np.linalg.norm(getattr(pair, f"{flow}_flow"), axis=-1)[pair.mask > 0].mean() for pair in pairs]
        assert zero["epe"] == pytest.approx(np.mean(lengths), rel=1e-5)
        assert zero["magnitude"] == pytest.approx(zero["epe"], rel=1e-5)
    # The published figure adds what is beside the head and divides by the head's pixels.
    shares = [(pair.mask == 0).sum() / (pair.mask > 0).sum() for pair in pairs]
    official = summary["off"]["facial"]["scale"]["Sum"]["official"]
    assert official == pytest.approx(np.mean([5 + 10 * share for share in shares]), rel=1e-4)
    assert [len(items) for items in evaluation.worst.values()] == [3, 3]
    assert evaluation.worst["zero"][0].error >= evaluation.worst["zero"][1].error


def test_groups(pairs: list) -> None:
    summary = summarise(evaluate(pairs, [OffBy(pairs)]))["off"]["facial"]
    assert list(summary["scale"]) == ["1/3", "Sum"]
    assert list(summary["emotion"]) == ["happy", "sad"]
    assert sum(group["pairs"] for group in summary["emotion"].values()) == 4


def test_what_is_hidden_in_the_next_frame(pairs: list) -> None:
    """Independent of ray casting: a point is hidden where the next frame shows another depth at its place."""
    pytest.importorskip("embreex")
    pair = pairs[0]
    found = AreaFinder().areas(pair)
    visible, occluded = (found["facial"][name] for name in ("visible", "occluded"))
    assert not (visible & occluded).any()
    np.testing.assert_array_equal(visible | occluded, pair.mask > 0)
    later = next(p for p in pairs if p.metadata.key == pair.metadata.key and p.frame == pair.frame + 1)
    y, x = np.mgrid[: pair.mask.shape[0], : pair.mask.shape[1]]
    end = np.stack([x, y], -1) + pair.facial_flow
    column, row = (np.round(end[..., i]).astype(int) for i in (0, 1))
    inside = (column >= 0) & (column < x.shape[1]) & (row >= 0) & (row < x.shape[0])
    assert not visible[(pair.mask > 0) & ~inside].any()
    # The nose panel lies 5 cm and more before the face: where it stands at the end of a face point's way, it hides it.
    there = np.where(inside, later.depth[row.clip(0, x.shape[0] - 1), column.clip(0, x.shape[1] - 1)], np.inf)
    on_face = (pair.mask > 0) & (pair.depth > np.median(pair.depth[pair.mask > 0]))
    hidden = on_face & (there < pair.depth - 0.04)
    agreement = (occluded == hidden)[on_face & inside].mean()
    assert hidden.sum() > 10
    assert agreement > 0.98


def test_regions_of_another_head_are_left_out(pairs: list) -> None:
    pytest.importorskip("embreex")
    evaluation = evaluate(pairs[:1], [CLASSICAL["zero"]], areas=AreaFinder())
    assert {record.area for record in evaluation.records} <= {HEAD, "visible", "occluded"}
    assert "regions are left out" in evaluation.notes[0]


def test_tables() -> None:
    table = Table("title", ("", "a|b"), (("one_two", "5%"),))
    assert table.markdown().splitlines()[-1] == "| one_two | 5% |"
    assert r"one\_two & 5\% \\" in table.latex()
    assert table.text().splitlines() == ["title", "           a|b", "  one_two   5%"]


def test_all_tables_have_all_rows(pairs: list) -> None:
    evaluation = evaluate(pairs, [CLASSICAL["zero"], CLASSICAL["dis"]])
    made = tables(summarise(evaluation), official=True)
    facial = [table for table in made if table.title.startswith("facial")]
    assert all([row[0] for row in table.rows] == ["zero", "dis"] for table in facial)
    assert all([row[0] for row in table.rows] == ["zero"] for table in made if table not in facial)


def test_pictures(pairs: list) -> None:
    evaluation = evaluate(pairs, [OffBy(pairs)], keep_worst=1)
    picture = draw_pair(evaluation.worst["off"][0], "off")
    assert picture.dtype == np.uint8
    assert picture.shape[0] > 600
    np.testing.assert_array_equal(error_map(np.array([[0.0, 1.0, 9.0]]), 1)[0], [[0] * 3, [255] * 3, [255] * 3])


def test_limit_and_splits(made_dataset: Path, tmp_path: Path) -> None:
    data = FlowDataset(made_dataset)
    assert len(open_pairs(data, "all", None)) == 18
    assert len({str(p.metadata.key) for p in open_pairs(data, "train", 3)}) == 3
    root = make_dataset(tmp_path / "made", {"train": 1})
    with pytest.raises(DatasetError, match="no sequence in the split test; it has train"):
        open_pairs(FlowDataset(root), "test", None)


def test_dis_and_farneback_see_motion(made_dataset: Path, pairs: list) -> None:
    summary = summarise(evaluate(pairs, [open_estimator(name) for name in ("zero", "dis", "farneback")]))
    zero, dis, farneback = (summary[name]["facial"]["scale"]["Sum"]["epe"] for name in ("zero", "dis", "farneback"))
    assert dis < 0.5 * zero
    assert farneback < 0.7 * zero


def test_two_checkpoints_of_one_name(made_dataset: Path, tmp_path: Path) -> None:
    """They would be one row of the tables."""
    arguments = ["eval", str(made_dataset)]
    for parent in ("a", "b"):
        path = tmp_path / parent / "run" / "best.safetensors"
        path.parent.mkdir(parents=True)
        save(build("raft"), path)
        arguments += ["--checkpoint", str(path)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 2
    assert "same file and folder names" in done.output


def test_the_command(made_dataset: Path, tmp_path: Path) -> None:
    arguments = ["eval", str(made_dataset), "--model", "zero", "--model", "dis", "--protocol", "official"]
    done = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "report"), "--worst", "2"])
    assert done.exit_code == 0, done.output
    assert "facial flow, EPE in pixels by motion scale" in done.output
    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["pairs"] == 4
    assert set(report["results"]) == {"zero", "dis"}
    names = sorted(str(p.relative_to(tmp_path / "report")) for p in (tmp_path / "report").rglob("*.*"))
    assert names == [
        "report.json",
        "tables.md",
        "tables.tex",
        *(f"worst/{e}/0{i}.png" for e in ("dis", "zero") for i in (1, 2)),
    ]
    done = CliRunner().invoke(main, [*arguments, "--json"])
    assert json.loads(done.output)["results"] == report["results"]
