"""Labels of captured avatars: made while rendering and afterwards, read, verified, and found when they are wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ffngen.cli import main
from ffngen.dataset.labels import files
from ffngen.dataset.labels.check import check_labels
from ffngen.dataset.labels.layout import LabelOutput, label_folders
from ffngen.dataset.layout import complete_sequences, metadata_folder
from ffngen.dataset.metadata import read_sequence
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.report import Fault
from ffngen.dataset.verify import verify_dataset
from ffngen.dataset.view_labels import SequenceLabelPictures
from ffngen.flow.exr import read_depth_exr, write_depth_exr
from ffngen.flow.files import read_flow, write_flow
from ffngen.head.load import load_head
from ffngen.splat.ply import write_avatar
from ffngen.splat.surface import surface_avatar

pytest.importorskip("embreex")
pytest.importorskip("numba")

L = LabelOutput
WANTED = ["backward,occlusion,scene-flow", "2"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def refused(*arguments: str | Path) -> str:
    """The one line that a command ends with."""
    done = run(*arguments)
    assert done.exit_code == 2 and done.stderr.count("\n") == 1, done.output
    return done.stderr


@pytest.fixture(scope="module")
def avatar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("avatar") / "somebody.ply"
    head = load_head("open")
    texture = np.full((64, 64, 3), 150, dtype=np.uint8)
    texture[::2] = 90
    neutral = head.with_shape(np.zeros(head.shape_count)).neutral
    write_avatar(path, surface_avatar(head, neutral, texture, count=20_000))
    return path


@pytest.fixture(scope="module")
def labelled(avatar: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("captured") / "dataset"
    options = ["--n-frames", "3", "--resolution", "128x128", "--labels", WANTED[0], "--label-pairs", WANTED[1]]
    done = run("splat", "render", avatar, *options, "--out", out, "--json")
    assert done.exit_code == 0 and json.loads(done.stdout)["labelled"] == 1, done.output
    return out


@pytest.fixture
def dataset(labelled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(labelled, tmp_path / "dataset"))


def without_labels(root: Path) -> Path:
    (key,) = complete_sequences(root)
    for folder in label_folders(key):
        shutil.rmtree(root / folder, ignore_errors=True)
    for name in ("labels.json", "label_sheet.png"):
        (root / metadata_folder(key) / name).unlink()
    return root


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_labels_verify_and_are_read(labelled: Path) -> None:
    report = verify_dataset(labelled)
    assert not report.failures, "\n".join(map(str, report.failures))
    figures = {(one.fault, one.what): one for one in report.labels[0].figures}
    assert figures[Fault.BACKWARD_FLOW, "median px"].value < 0.05
    assert figures[Fault.FORWARD_BACKWARD, "median px"].value < 0.02
    assert figures[Fault.OCCLUSION, "share on the head"].value < 0.01
    assert figures[Fault.HIDDEN, "share beside the head"].value == 0
    assert figures[Fault.SCENE_FLOW, "median m"].value < 3e-4
    assert all(one.count > 100 for one in figures.values())
    for pair in FlowDataset(labelled):
        labels = pair.labels
        second = FlowDataset(labelled).pairs(pair.metadata.key)[1].mask if pair.frame == 1 else None
        assert labels.facial_backward.dtype == np.float32 and labels.facial_backward.shape == (128, 128, 2)
        assert np.abs(labels.facial_backward - labels.head_backward).max() > 0.3
        if second is not None:  # which is exact beside the head, where the camera stands still
            assert not labels.facial_backward[second == 0].any()
            beside = pair.mask == 0
            np.testing.assert_array_equal(labels.facial_occlusion[beside], second[beside])
            assert labels.flow_to(3)[pair.mask != 0].any() and labels.occlusion_to(3).max() >= 1
    names = SequenceLabelPictures(FlowDataset(labelled).pairs(complete_sequences(labelled)[0])).names
    assert names == [
        *("backward facial", "backward head"),
        *("occlusion", "head occlusion", "backward occlusion"),
        *("change of depth", "distant flow"),
    ]


def test_the_same_afterwards(labelled: Path, dataset: Path) -> None:
    """By two runs; what is there is kept, and an avatar that has moved is named."""
    without_labels(dataset)
    for options in (["--add", WANTED[0]], ["--pairs", WANTED[1]]):
        assert run("label", dataset, *options, "--shard", "0/1", "--workers", "1").exit_code == 0
    there = content(dataset)
    assert there == content(labelled)
    assert "1 had them already" in run("label", dataset, "--add", "backward").output
    assert content(dataset) == there


def test_an_avatar_that_is_elsewhere(avatar: Path, dataset: Path, tmp_path: Path) -> None:
    without_labels(dataset)
    record = json.loads((dataset / "dataset.json").read_text())
    assert record["avatar_path"] == str(avatar)
    record["avatar_path"] = str(tmp_path / "gone.ply")
    (dataset / "dataset.json").write_text(json.dumps(record))
    line = refused("label", dataset, "--add", "occlusion")
    assert "gone.ply: the avatar is not there any more" in line and "--avatar" in line
    (tmp_path / "gone.ply").write_bytes(avatar.read_bytes()[:-4] + b"\0\0\0\0")
    line = refused("label", dataset, "--add", "occlusion")
    assert "gone.ply: is not, or no longer, the avatar" in line and "--avatar" in line
    assert "has no point_cloud.ply" in refused("label", dataset, "--add", "occlusion", "--avatar", tmp_path)
    assert run("label", dataset, "--add", "occlusion", "--avatar", avatar).exit_code == 0
    del record["avatar_path"]
    (dataset / "dataset.json").write_text(json.dumps(record))
    assert "does not say where its avatar is" in refused("label", dataset, "--add", "backward")


def test_labels_that_only_the_mesh_has(avatar: Path, dataset: Path, tmp_path: Path) -> None:
    line = refused("label", dataset, "--add", "backward,normals,uv")
    assert "which normals, uv would be of; ask for backward, occlusion, scene-flow, pairs alone" in line
    line = refused("splat", "render", avatar, "--labels", "all", "--out", tmp_path / "out")
    assert line.startswith("ffngen: labels: ") and "landmarks" in line
    assert not (tmp_path / "out").exists()


def test_labels_of_another_avatar_are_made_anew(dataset: Path) -> None:
    (key,) = complete_sequences(dataset)
    path = dataset / metadata_folder(key) / "labels.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"avatar": "3" * 64}))
    (failure,) = verify_dataset(dataset).failures
    assert failure.fault is Fault.LABEL_RECORD and "another avatar" in failure.message
    assert run("label", dataset, "--add", "backward").exit_code == 0
    assert json.loads(path.read_text()) == record
    path.write_text(json.dumps(record | {"kinds": [*record["kinds"], "normals"]}))
    _, failures = check_labels(dataset, read_sequence(dataset, key))
    assert [(one.fault, one.message) for one in failures] == [(Fault.LABEL_RECORD, "captured avatars have no normals")]


def flow(changed: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda path: write_flow(path, np.ascontiguousarray(changed(read_flow(path)), dtype=np.float32))


def grey(changed: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda path: files.write_grey(path, np.ascontiguousarray(changed(files.read_grey(path)), dtype=np.uint8))


def depth(changed: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda path: write_depth_exr(path, np.ascontiguousarray(changed(read_depth_exr(path)), dtype=np.float32))


def exchanged(occlusion: Any) -> Any:
    return np.where(occlusion == 2, 2, 1 - occlusion)


#: What becomes of each file; None: of the frame before.
CORRUPTIONS: dict[str, tuple[LabelOutput, Callable[[Path], None] | None, Fault]] = {
    "u with the other sign": (L.FACIAL_BACKWARD, flow(lambda f: f * [-1, 1]), Fault.BACKWARD_FLOW),
    "v with the other sign": (L.HEAD_BACKWARD, flow(lambda f: f * [1, -1]), Fault.BACKWARD_FLOW),
    "u and v swapped": (L.HEAD_BACKWARD, flow(lambda f: f[..., ::-1]), Fault.BACKWARD_FLOW),
    "a tenth too long": (L.FACIAL_BACKWARD, flow(lambda f: 1.1 * f), Fault.FORWARD_BACKWARD),
    "a pixel to the right": (L.FACIAL_BACKWARD, flow(lambda f: np.roll(f, 1, 1)), Fault.OUTSIDE_FLOW),
    "three pixels down": (L.HEAD_BACKWARD, flow(lambda f: np.roll(f, 3, 0)), Fault.BACKWARD_FLOW),
    "of the frame before": (L.FACIAL_BACKWARD, None, Fault.OUTSIDE_FLOW),
    "of the head-only frame before": (L.HEAD_BACKWARD, None, Fault.FORWARD_BACKWARD),
    "a distant pair's with the other sign": (L.PAIR_FLOW, flow(lambda f: f * [1, -1]), Fault.PAIR_FLOW),
    "a million times too long": (L.HEAD_BACKWARD, flow(lambda f: 1e6 * f), Fault.BACKWARD_FLOW),
    "nothing is hidden": (L.FACIAL_OCCLUSION, grey(np.zeros_like), Fault.HIDDEN),
    "hidden and visible exchanged": (L.HEAD_OCCLUSION, grey(exchanged), Fault.OCCLUSION),
    "occlusion a pixel aside": (L.HEAD_OCCLUSION_BACKWARD, grey(lambda o: np.roll(o, 1, 1)), Fault.HIDDEN),
    "occlusion with the axes swapped": (L.FACIAL_OCCLUSION_BACKWARD, grey(np.transpose), Fault.HIDDEN),
    "occlusion of the frame before": (L.HEAD_OCCLUSION, None, Fault.HIDDEN),
    "a distant pair's exchanged": (L.PAIR_OCCLUSION, grey(exchanged), Fault.OCCLUSION),
    "depth in millimetres": (L.FACIAL_DEPTH_NEXT, depth(lambda d: 1000 * d), Fault.SCENE_FLOW),
    "depth a pixel aside": (L.HEAD_DEPTH_NEXT, depth(lambda d: np.roll(d, 1, 1)), Fault.SCENE_FLOW),
    "depth of the frame before": (L.HEAD_DEPTH_NEXT, None, Fault.SCENE_FLOW),
    "no occlusion map": (L.FACIAL_OCCLUSION, grey(lambda o: o + 9), Fault.UNREADABLE),
    "another size": (L.PAIR_OCCLUSION, grey(lambda o: o[1:]), Fault.UNREADABLE),
}  # fmt: skip


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_wrong_labels_are_found_by_name(dataset: Path, name: str) -> None:
    output, corrupt, fault = CORRUPTIONS[name]
    (key,) = complete_sequences(dataset)
    paths = sorted((dataset / output.value / key.folder).iterdir())
    if corrupt is None:
        before = [path.read_bytes() for path in paths]
        for path, data in zip(paths, before[-1:] + before[:-1], strict=True):
            path.write_bytes(data)
    else:
        for path in paths:
            corrupt(path)
    _, failures = check_labels(dataset, read_sequence(dataset, key))
    assert fault in {failure.fault for failure in failures}, failures
    assert all(str(key) in failure.where for failure in failures)
