"""``ffngen stats`` on a dataset whose files are known, without a head model."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from made_dataset import finish_dataset, make_dataset, write_sequence

from ffngen.cli import main
from ffngen.dataset.layout import SequenceKey
from ffngen.dataset.read import FlowDataset
from ffngen.diversity import stats as stats_module
from ffngen.diversity.dlib_faces import DlibFaces
from ffngen.diversity.gather import Gathered
from ffngen.diversity.measures import FrameMeasures, SequenceMeasures
from ffngen.diversity.plots import embed_2d
from ffngen.extras import require


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "stats.sqlite"


class Quick(DlibFaces):
    """The slow network would look at every picture here, as none shows a face."""

    def find_turned(self, image: np.ndarray) -> list:
        return []


@pytest.fixture(scope="module")
def faces() -> DlibFaces:
    return Quick()


@pytest.fixture(autouse=True)
def one_dlib(faces: DlibFaces, monkeypatch: pytest.MonkeyPatch) -> None:
    """dlib's networks take a second to read."""

    def shared() -> DlibFaces:
        require("stats", "dlib")
        return faces

    monkeypatch.setattr("ffngen.diversity.dlib_faces.DlibFaces", shared)


def stats(*arguments: object, cache: Path | None = None) -> Result:
    keep = ["--no-cache"] if cache is None else ["--cache", str(cache)]
    return CliRunner().invoke(main, ["stats", *map(str, arguments), *keep])


def record_of(*arguments: object, cache: Path | None = None) -> dict:
    done = stats(*arguments, "--json", cache=cache)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_lengths_and_counts(made_dataset: Path) -> None:
    record = record_of(made_dataset, "--frames", 10)
    data = FlowDataset(made_dataset)
    pairs = [data[i] for i in range(len(data))]
    for flow in ("facial", "head", "expression"):
        lengths = np.concatenate([np.linalg.norm(getattr(p, f"{flow}_flow"), axis=-1)[p.mask > 0] for p in pairs])
        (scale,) = (name for name in record["flow"]["lengths"][flow] if name != "all")
        assert scale == "1/3"
        for group in (scale, "all"):
            found = record["flow"]["lengths"][flow][group]["head"]
            assert found["pixels"] == sum(found["counts"]) == len(lengths)
            assert found["mean"] == pytest.approx(lengths.mean(), rel=1e-5)
            assert found["longest"] == pytest.approx(lengths.max(), rel=1e-6)
            assert found["median"] == pytest.approx(np.median(lengths), rel=0.09, abs=1 / 1024)
    happy, sad = record["expressions"]["happy"], record["expressions"]["sad"]
    assert (happy["people"], happy["sequences"], happy["pairs"]) == (4, 4, 8)
    assert (sad["people"], sad["sequences"], sad["pairs"]) == (5, 5, 10)
    assert record["measured"] == {"sequences": 9, "images": 27}


def test_what_cannot_be_measured_is_said(made_dataset: Path) -> None:
    """The made head is no model that ffngen has, and its pictures show no face."""
    record = record_of(made_dataset)
    (note,) = record["notes"]
    assert "another head model" in note
    assert record["pose"] is record["light"] is record["skin_tone"] is record["identity"] is None
    assert record["detector"] == {"frames": 18, "hog": 0, "cnn": 0, "share_hog": 0, "share": 0}
    assert set(record["flow"]["lengths"]["facial"]["all"]) == {"head"}


def test_split_and_limit(made_dataset: Path) -> None:
    record = record_of(made_dataset, "--split", "train", "--limit", 2, "--frames", 1)
    assert (record["sequences"], record["measured"]) == (5, {"sequences": 2, "images": 2})
    # Counts are of the whole split, whatever was measured.
    assert sum(row["sequences"] for row in record["expressions"].values()) == 5


def test_a_second_run_measures_nothing_again(made_dataset: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = record_of(made_dataset, "--limit", 4, cache=cache)
    assert cache.is_file()
    measured = []
    real = stats_module.measure_sequence

    def counted(tools: object, pair: object) -> object:
        measured.append(pair)
        return real(tools, pair)

    monkeypatch.setattr(stats_module, "measure_sequence", counted)
    assert record_of(made_dataset, "--limit", 4, cache=cache) == first
    assert not measured
    # What is wanted beside it is added; another way of measuring is another measure.
    assert record_of(made_dataset, "--limit", 9, cache=cache)["measured"]["sequences"] == 9
    assert len(measured) < 9
    count = len(measured)
    record_of(made_dataset, "--limit", 4, "--frames", 1, cache=cache)
    assert len(measured) == count + 4
    record_of(made_dataset, "--limit", 4)
    assert len(measured) == count + 8


def test_a_damaged_row_is_measured_again(made_dataset: Path, cache: Path) -> None:
    first = record_of(made_dataset, "--limit", 3, cache=cache)
    with sqlite3.connect(cache) as store:
        store.execute("UPDATE measures SET value = substr(value, 1, 100)")
    assert record_of(made_dataset, "--limit", 3, cache=cache) == first


def test_a_damaged_cache_is_one_line(made_dataset: Path, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_bytes(b"no database " * 100)
    done = stats(made_dataset, cache=cache)
    assert done.exit_code == 2
    assert "stats.sqlite: cannot be used as a cache of measures" in done.output and "--no-cache" in done.output


def test_the_page_stands_alone_and_escapes_names(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "a<b>&c", {"train": 5})
    page = tmp_path / "page.html"
    done = stats(root, "--out", page)
    assert done.exit_code == 0, done.output
    assert "expression flow by region" in done.output and str(page) in done.output
    text = page.read_text()
    assert "a&lt;b&gt;&amp;c" in text and "<b>" not in text
    assert text.count("data:image/png;base64,") == 1
    assert not re.search(r"(src|href)=\"(?!data:)", text)
    assert "facial flow by region and motion scale" in text


def test_tables_in_the_terminal(made_dataset: Path) -> None:
    done = stats(made_dataset)
    assert done.exit_code == 0
    assert "9 of 9 sequences, 18 images" in done.output
    assert re.search(r"all +9 +18\n", done.output)
    assert "note: " in done.output


def test_without_dlib(made_dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffngen.extras._is_there", lambda package: package != "dlib")
    record = record_of(made_dataset)
    assert record["detector"] is None and record["tools"]["detector"] is None
    assert 'pip install "ffngen[stats]"' in record["notes"][0]
    monkeypatch.setattr("ffngen.extras._is_there", lambda package: package != "sklearn")
    done = stats(made_dataset, "--out", "page.html")
    assert done.exit_code == 2 and "sklearn not installed" in done.output


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["{tmp}"], "not an ffngen dataset"),
        (["{made}", "--split", "train", "--limit", "0"], "--limit"),
        (["{made}", "--out", "{tmp}/none/page.html"], "its folder is not there"),
        (["{made}", "--out", "{tmp}"], "is a folder"),
        (["{made}", "--head", "{tmp}/none.pkl"], "none.pkl"),
        (["{made}", "--head", "open"], "rendered with another head model"),
        (["{made}", "--identity-network", "{tmp}/none.onnx"], "none.onnx: cannot be read"),
        (["{made}", "--expression-network", "{made}/dataset.json"], "dataset.json: OpenCV cannot run it"),
    ],
)
def test_faults_are_one_line(made_dataset: Path, tmp_path: Path, arguments: list[str], names: str) -> None:
    done = stats(*(text.format(made=made_dataset, tmp=tmp_path) for text in arguments))
    assert done.exit_code == 2
    assert names in done.output
    assert "Traceback" not in done.output
    assert not list(tmp_path.glob("**/*.html"))


def test_an_empty_split_and_damaged_files(tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    key = SequenceKey("train", "sad", "made-000001_e0_n3")
    write_sequence(root, key, identity="made-000001")
    finish_dataset(root)
    done = stats(root, "--split", "val")
    assert done.exit_code == 2 and "no sequence in the split val" in done.output
    flow = root / "flow/facial" / str(key) / "0001.flo"
    flow.write_bytes(flow.read_bytes()[:100])
    done = stats(root)
    assert done.exit_code == 2 and "0001.flo" in done.output
    shutil.rmtree(root / "image")
    done = stats(root)
    assert done.exit_code == 2 and "Traceback" not in done.output


def test_expression_features_are_of_one_kind() -> None:
    """A network's where there is one, also when it saw no face first; else the parameters, however many."""
    face = {"landmark_errors": None, "identity": None, "skin": None, "pose": None, "light": None, "found": "no"}
    seen = FrameMeasures(frame=1, expression=(1.0, 2.0), **face)
    missed = FrameMeasures(frame=2, expression=None, **face)
    flow = {"facial": {}, "head": {}, "expression": {}}

    def sequence(*frames: FrameMeasures) -> SequenceMeasures:
        return SequenceMeasures(
            sequence="s", emotion="sad", identity="p", n_frames=2, parameters=(0.0,) * (3 + len(frames)), hdri=None,
            albedo=None, flow=flow, frames=frames,
        )  # fmt: skip

    gathered = Gathered(by_network=True)
    gathered.add(sequence(missed))
    gathered.add(sequence(seen, missed))
    assert [vector.tolist() for vector in gathered.features] == [[1, 2]]
    assert (gathered.looked_at, dict(gathered.found)) == (3, {"no": 3})
    by_parameters = Gathered()
    by_parameters.add(sequence(missed))
    by_parameters.add(sequence(missed, missed))
    assert [len(vector) for vector in by_parameters.features] == [4, 5]


def test_a_map_of_vectors_keeps_groups_together() -> None:
    rng = np.random.default_rng(0)
    middles = np.repeat(rng.normal(size=(3, 10)) * 10, 20, axis=0)
    points = embed_2d(middles + rng.normal(size=middles.shape))
    assert points is not None and points.shape == (60, 2)
    groups = points.reshape(3, 20, 2)
    inner = max(np.linalg.norm(group - group.mean(axis=0), axis=1).max() for group in groups)
    middle = groups.mean(axis=1)
    assert min(np.linalg.norm(middle[i] - middle[j]) for i, j in ((0, 1), (0, 2), (1, 2))) > 2 * inner


def test_a_map_of_equal_vectors() -> None:
    vectors = np.random.default_rng(0).normal(size=(9, 4))
    points = embed_2d(np.concatenate([vectors, vectors]))
    assert points is not None
    np.testing.assert_array_equal(points[:9], points[9:])
    assert embed_2d(np.ones((50, 4))) is None
    assert embed_2d(np.arange(1, 51)[:, None] * np.ones((50, 4)), cosine=True) is None
