"""Layouts of public sets: what OpenCV and ffngen's own readers of those sets get back from them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from made_dataset import make_dataset

from ffngen.cli import main
from ffngen.dataset.convert.layouts import convert_files
from ffngen.dataset.labels.layout import LabelKind
from ffngen.dataset.labels.make import label_dataset
from ffngen.dataset.read import FlowDataset, Pair
from ffngen.errors import DatasetError
from ffngen.flow.compact import MAX_ERROR
from ffngen.flow.files import FlowFormat, read_flow
from ffngen.training.config import SourceConfig
from ffngen.training.sample import Rows
from ffngen.training.sources import open_source


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("made") / "dataset", {"train": 3, "val": 1}, FlowFormat.COMPACT)


def pairs_of(dataset: Path) -> list[Pair]:
    data = FlowDataset(dataset, splits=("train",))
    return [data[i] for i in range(len(data))]


def rgb(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[..., ::-1]


@pytest.mark.parametrize(("layout", "kind"), [("sintel", "sintel"), ("kitti", "kitti"), ("things", "things")])
def test_read_back_by_the_sets_own_layout(layout: str, kind: str, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / layout
    convert_files(dataset, out, layout, splits=("train",))
    source = open_source(SourceConfig(kind=kind, path=str(out)))
    pairs = pairs_of(dataset)
    found = [source[i].read(Rows(0, 120)) for i in range(len(source))]
    assert len(found) == len(pairs)
    bound = 1 / 128 + 1e-6 if layout == "kitti" else 1e-6
    for sample, pair in zip(found, pairs, strict=True):
        np.testing.assert_array_equal(sample.image1, pair.image1)
        np.testing.assert_array_equal(sample.image2, pair.image2)
        np.testing.assert_allclose(sample.facial, pair.facial_flow, rtol=0, atol=bound)
        assert sample.valid.all()


def test_read_by_opencv(dataset: Path, tmp_path: Path) -> None:
    pair = pairs_of(dataset)[0]
    scene = f"train_{pair.metadata.emotion}_{pair.metadata.sequence}"
    convert_files(dataset, tmp_path / "sintel", "sintel", splits=("train",))
    flow = cv2.readOpticalFlow(str(tmp_path / "sintel/training/flow" / scene / "frame_0001.flo"))
    np.testing.assert_array_equal(flow, pair.facial_flow)
    np.testing.assert_array_equal(rgb(tmp_path / "sintel/training/clean" / scene / "frame_0002.png"), pair.image2)
    convert_files(dataset, tmp_path / "kitti", "kitti", splits=("train",))
    bgr = cv2.imread(str(tmp_path / "kitti/training/flow_occ/000000_10.png"), cv2.IMREAD_UNCHANGED)
    assert bgr.dtype == np.uint16 and (bgr[..., 0] == 1).all()
    values = (bgr[..., :0:-1].astype(float) - 2**15) / 64
    np.testing.assert_allclose(values, pair.facial_flow, rtol=0, atol=1 / 128 + 1e-6)
    convert_files(dataset, tmp_path / "things", "things", splits=("train",))
    name = f"optical_flow/TRAIN/A/0000/into_future/left/OpticalFlowIntoFuture_{pair.frame:04d}_L.pfm"
    pfm = cv2.imread(str(tmp_path / "things" / name), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(pfm[..., 2:0:-1], pair.facial_flow)


def test_the_published_layout_trains_alike(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "ffn"
    convert_files(dataset, out, "ffn", splits=("train", "test", "val"))
    ours, theirs = (open_source(SourceConfig(kind=k, path=str(p))) for k, p in (("ffngen", dataset), ("ffn", out)))
    assert len(ours) == len(theirs)
    for i in range(len(ours)):
        one, other = ours[i].read(Rows(0, 120)), theirs[i].read(Rows(0, 120))
        np.testing.assert_array_equal(one.facial, other.facial)
        np.testing.assert_array_equal(one.head, other.head)
        np.testing.assert_array_equal(one.mask, other.mask)
        assert np.abs(one.image1.astype(int) - other.image1).mean() < 3  # .png became .jpg
    assert sorted(p.name for p in out.iterdir()) == ["converted.txt", "flow", "image", "mask"]


def test_it_goes_on_and_mixes_nothing(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    whole = convert_files(dataset, out, "sintel", splits=("train",))
    contents = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for path in sorted(out.rglob("*.flo"))[:2]:
        path.unlink()
    again = convert_files(dataset, out, "sintel", splits=("train",))
    assert (whole.written, again.written) == (len(contents) - 1, 2)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == contents
    with pytest.raises(DatasetError, match="holds another conversion"):
        convert_files(dataset, out, "kitti", splits=("train",))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.txt").write_text("a")
    with pytest.raises(DatasetError, match="holds files already"):
        convert_files(dataset, tmp_path / "mine", "kitti", splits=("train",))


def test_the_command(dataset: Path, tmp_path: Path) -> None:
    def run(*arguments: object) -> tuple[int, str, str]:
        result = CliRunner().invoke(main, ["convert", *map(str, arguments)])
        return result.exit_code, result.stdout, result.stderr

    code, text, _ = run(dataset, tmp_path / "a", "--to", "kitti", "--split", "val", "--json")
    assert code == 0 and json.loads(text)["pairs"] == len(FlowDataset(dataset, splits=("val",)))
    assert "files written" in run(dataset, tmp_path / "b", "--to", "ffn")[1]
    for arguments, words in (
        ((dataset, tmp_path / "c", "--to", "sintel", "--split", "test"), "has no sequence in test"),
        ((dataset, tmp_path / "c", "--to", "webdataset", "--split", "train"), "holds all splits"),
        ((tmp_path, tmp_path / "c", "--to", "sintel"), "not an ffngen dataset"),
    ):
        code, _, fault = run(*arguments)
        assert code == 2 and words in fault and len(fault.strip().splitlines()) == 1
        assert not (tmp_path / "c").exists()


def test_the_compact_error_is_all_that_a_second_hand_flow_has(dataset: Path, tmp_path: Path) -> None:
    """A compact dataset's .flo files hold its own values exactly; the truth they stand for is within the bound."""
    plain = make_dataset(tmp_path / "plain", {"train": 3, "val": 1})
    convert_files(dataset, tmp_path / "out", "sintel", splits=("train",))
    flows = sorted((tmp_path / "out").rglob("*.flo"))
    for path, pair in zip(flows, pairs_of(plain), strict=True):
        error = np.abs(cv2.readOpticalFlow(str(path)) - pair.facial_flow)
        assert error.max() <= MAX_ERROR * 1.001


def test_backward_flow_where_it_was_made(dataset: Path, tmp_path: Path) -> None:
    """FlyingThings and Spring have a place for it: that of the frame where it begins."""
    labelled = tmp_path / "labelled"
    shutil.copytree(dataset, labelled)
    list(label_dataset(labelled, (LabelKind.BACKWARD,)))
    for layout, name in (
        ("things", "optical_flow/TRAIN/A/0000/into_past/left/OpticalFlowIntoPast_{:04d}_L.pfm"),
        ("spring", "train/0001/flow_BW_left/flow_BW_left_{:04d}.flo5"),
    ):
        out = tmp_path / layout
        convert_files(labelled, out, layout, splits=("train",))  # type: ignore[arg-type]
        for pair in pairs_of(labelled)[:2]:
            flow = read_flow(out / name.format(pair.frame + 1))
            if layout == "spring":
                flow = flow[::2, ::2]
            np.testing.assert_array_equal(flow, pair.labels.facial_backward)
            assert np.abs(flow).max() > 1
    convert_files(dataset, tmp_path / "plain", "spring", splits=("train",))
    assert not list((tmp_path / "plain").rglob("*BW*"))
