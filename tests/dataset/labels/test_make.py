"""Adding labels to a dataset, reading them, verifying them, and what verifying finds when they are wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from made_dataset import (
    camera,
    camera_of,
    cast_panels,
    closed_form,
    faults,
    finish_dataset,
    grid_faces,
    panels,
    write_sequence,
)

from ffngen.atomic import sha256_file
from ffngen.cli import main
from ffngen.dataset.labels import files, make
from ffngen.dataset.labels.check import check_labels
from ffngen.dataset.labels.layout import LabelKind, LabelLayout, LabelOutput, parse_kinds
from ffngen.dataset.labels.make import LabelRun, label_dataset
from ffngen.dataset.labels.read import PairLabels
from ffngen.dataset.labels.regions import PROPS, SKIN, face_ids
from ffngen.dataset.layout import SequenceKey
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.report import Fault
from ffngen.dataset.verify import verify_dataset
from ffngen.errors import DatasetError, FfngenError, JobError
from ffngen.flow.exr import read_depth_exr, write_depth_exr
from ffngen.flow.files import FlowFormat, read_flow, write_flow
from ffngen.head.landmarks import LandmarkEmbedding
from ffngen.head.uv_map import UvMap

KEY = SequenceKey("train", "happy", "made-000001_e0_n3")
OTHER = SequenceKey("test", "neutral", "made-000002_e0_n3")
ALL = (*parse_kinds(("all",)), LabelKind.PAIRS)
L = LabelOutput
#: The faces of the smaller panel.
NOSE = np.arange(72, 144, dtype=np.int32)


def made_model() -> Any:
    """What a head model says of the two panels: texture coordinates are where a point lies on its panel."""
    faces = grid_faces()
    a, b = np.meshgrid(np.linspace(0, 1, 7), np.linspace(0, 1, 7))
    coordinates = np.tile(np.stack([a.ravel() / 2, b.ravel()], axis=1), (2, 1)).astype(np.float32)
    coordinates[49:, 0] += 0.5
    places = np.random.default_rng(1).dirichlet([1, 1, 1], 68)
    index = np.linspace(0, len(faces) - 1, 68).astype(np.int32)
    return SimpleNamespace(
        faces=faces,
        regions={"nose": NOSE, "cheeks": np.arange(5)},
        uv=UvMap(coordinates, faces),
        landmarks=LandmarkEmbedding(index, places, faces),
        family="made",
        path=Path("made"),
    )


def last(states: Any) -> LabelRun:
    return list(states)[-1]


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("labelled") / "dataset"
    write_sequence(root, KEY, identity="made-000001")
    write_sequence(root, OTHER, identity="made-000002", neutral=True, flow_format=FlowFormat.EXR)
    finish_dataset(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(make, "open_head", lambda *_: made_model())
        run = last(label_dataset(root, ALL, (2, "first-last")))
    assert (run.labelled, run.missing, run.failed) == (2, 2, {})
    return root


@pytest.fixture
def dataset(labelled: Path, tmp_path: Path) -> Path:
    shutil.copytree(labelled, tmp_path / "dataset")
    return tmp_path / "dataset"


def labels(root: Path, frame: int = 1) -> PairLabels:
    return FlowDataset(root).pairs(KEY)[frame - 1].labels


def record_path(root: Path) -> Path:
    return root / "metadata" / str(KEY) / "labels.json"


def sign(root: Path) -> None:
    """List the files as they are now, as a writer that made the same mistake would have."""
    record = json.loads(record_path(root).read_text())
    for path, entry in record["files"].items():
        entry.update(bytes=(root / path).stat().st_size, sha256=sha256_file(root / path))
    record_path(root).write_text(json.dumps(record))


def test_everything_passes(labelled: Path) -> None:
    pytest.importorskip("embreex")
    report = verify_dataset(labelled)
    assert not report.failures, "\n".join(map(str, report.failures))
    assert len(report.labels) == 2
    figures = {(one.fault, one.what): one for one in report.labels[0].figures}
    assert figures[Fault.BACKWARD_FLOW, "p99 px"].value <= 1e-3
    assert figures[Fault.NORMALS, "median degrees"].value <= 0.5
    assert figures[Fault.LANDMARKS, "max px"].value <= 0.05
    assert all(one.count > 50 for one in figures.values())
    assert json.loads(json.dumps(report.to_json()))["labels"]


def test_labels_where_the_camera_moves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "dataset"
    write_sequence(root, KEY, identity="made-000001", moves=True)
    finish_dataset(root)
    monkeypatch.setattr(make, "open_head", lambda *_: made_model())
    last(label_dataset(root, ALL, (2, "first-last")))
    one, cameras = labels(root), [camera_of(t, moves=True) for t in (1, 2, 3)]
    back, _, mask = closed_form(panels(2, 2), panels(1, 1), 0, cameras[1], cameras[0])
    error = np.hypot(*np.moveaxis(one.facial_backward - back, -1, 0))
    assert np.percentile(error, 98) < 1e-3 and np.abs(back[mask == 0]).max(axis=0).min() > 1
    far, _, _ = closed_form(panels(1, 1), panels(3, 3), 0, cameras[0], cameras[2])
    assert np.percentile(np.hypot(*np.moveaxis(one.flow_to(3) - far, -1, 0)), 98) < 1e-3
    # The wall stands still in the world, and so moves against the camera.
    motion = one.facial_scene_flow[on_wall := one.segmentation == 0]
    u, v = np.meshgrid(np.arange(mask.shape[1]), np.arange(mask.shape[0]))
    now = FlowDataset(root).pairs(KEY)[0]
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(camera().K).T
    before = (rays * now.depth[..., None])[on_wall]
    T = cameras[1].T_cam_world @ cameras[0].T_world_cam
    np.testing.assert_allclose(motion, before @ T[:3, :3].T + T[:3, 3] - before, atol=2e-5)
    pytest.importorskip("embreex")
    report = verify_dataset(root)
    assert not report.failures, "\n".join(map(str, report.failures))
    figures = {(figure.fault, figure.what): figure for figure in report.labels[0].figures}
    assert figures[Fault.BACKWARD_FLOW, "p99 px"].value <= 1e-3
    assert figures[Fault.BACKWARD_FLOW, "p99 px"].count > 0.9 * 4 * mask.size
    # Labels of a camera that stood still are found out.
    for output, fault in (
        (L.FACIAL_BACKWARD, Fault.BACKWARD_FLOW),
        (L.FACIAL_OCCLUSION, Fault.HIDDEN),
        (L.FACIAL_DEPTH_NEXT, Fault.SCENE_FLOW),
    ):
        assert fault in faults(verify_dataset(stale(root, tmp_path / output.value.replace("/", "_"), output)))


def stale(root: Path, copy: Path, output: LabelOutput) -> Path:
    """A copy in which what the camera's motion does to a label is missing."""
    shutil.copytree(root, copy)
    for path in (copy / output.value / str(KEY)).iterdir():
        if output is L.FACIAL_BACKWARD:
            one = FlowDataset(copy).pairs(KEY)[int(path.stem) - 2]
            still = one.labels.facial_backward.copy()
            still[FlowDataset(copy).pairs(KEY)[0].mask == 0] = 0
            write_flow(path, still)
        elif output is L.FACIAL_OCCLUSION:
            found = files.read_occlusion(path)
            files.write_grey(path, np.where(found == 2, 0, found).astype(np.uint8))
        else:
            write_depth_exr(path, np.full_like(read_depth_exr(path), 2.5))
    sign(copy)
    return copy


def test_labels_are_those_of_the_closed_form(labelled: Path) -> None:
    one = labels(labelled)
    back, _, mask = closed_form(panels(2, 2), panels(1, 1))
    same = mask.astype(bool) & (one.facial_backward != 0).all(axis=-1)
    assert same.sum() > 0.99 * mask.sum()
    assert np.percentile(np.hypot(*(one.facial_backward - back)[same].T), 98) < 1e-3
    back, _, mask = closed_form(panels(2, 1), panels(1, 1))
    assert np.percentile(np.hypot(*(one.head_backward - back)[mask > 0].T), 98) < 1e-3
    far, _, mask = closed_form(panels(1, 1), panels(3, 3))
    assert np.percentile(np.hypot(*(one.flow_to(3) - far)[mask > 0].T), 98) < 1e-3
    assert np.array_equal(one.flow_to(2), FlowDataset(labelled).pairs(KEY)[0].facial_flow)

    _, on_head, _, places = cast_panels(panels(1, 1))
    nose = places[1][2]
    expected = np.where(nose, 5, np.where(on_head, SKIN, 0))
    assert (one.segmentation == expected).mean() > 0.999
    for (a, b, on), left in zip(places[:2], (0, 0.5), strict=True):
        on = on & (nose == (left > 0))
        uv = np.stack([left + (a + 1) / 4, (b + 1) / 2], axis=-1)
        assert np.percentile(np.abs(one.uv - uv)[on & (one.segmentation > 0)], 99) < 1e-4
    assert np.isnan(one.uv[one.segmentation == 0]).all()
    points = one.landmarks
    assert points.landmarks.shape == (68, 2) and points.landmarks_visible.dtype == np.bool_
    vertices = FlowDataset(labelled)[0].vertices
    pixels, depth = camera().project(FlowDataset(labelled).pairs(KEY)[0].vertices.facial[0])
    assert np.abs(points.vertices - pixels).max() < 1e-3 and np.abs(points.vertex_depth - depth).max() < 1e-6
    assert vertices.faces.max() == len(points.vertices) - 1
    # The face's vertices behind the nose are hidden, those of the nose are not.
    assert points.vertices_visible[49:].all() and 0.3 < points.vertices_visible[:49].mean() < 1
    assert one.coverage.max() == 255 and ((one.coverage > 0) & (one.coverage < 255)).sum() > 50


def test_what_is_there_is_kept(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "open_head", lambda *_: made_model())
    run = last(label_dataset(dataset, ALL, (2, "first-last")))
    assert (run.sequences, run.missing, run.files) == (2, 0, 0)
    # Another distance: the distant pairs of both are there, and nothing else is written.
    before = record_path(dataset).with_name("surface.npz").stat().st_mtime_ns
    run = last(label_dataset(dataset, (LabelKind.PAIRS,), (3,)))
    assert run.labelled == 2
    neutral = FlowDataset(dataset).metadata(OTHER).layout
    assert LabelLayout(neutral, (2, "first-last", 3)).distant_pairs == [(0, 2), (0, 3), (1, 3)]
    assert FlowDataset(dataset).pairs(OTHER)[0].labels.flow_to(3).any()
    assert record_path(dataset).with_name("surface.npz").stat().st_mtime_ns == before
    pytest.importorskip("embreex")
    assert not verify_dataset(dataset).failures


def test_a_stopped_run_goes_on(labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "dataset"
    write_sequence(root, KEY, identity="made-000001")
    write_sequence(root, OTHER, identity="made-000002", neutral=True, flow_format=FlowFormat.EXR)
    finish_dataset(root)
    monkeypatch.setattr(make, "open_head", lambda *_: made_model())
    states = label_dataset(root, ALL, (2, "first-last"))
    next(states)
    next(states)
    states.close()
    assert sum(path.name == "labels.json" for path in root.rglob("*")) == 1
    assert not (root / ".partial").exists()
    # One that was killed before its record was written counts for nothing.
    stray = root / "uv" / str(KEY)
    stray.mkdir(parents=True, exist_ok=True)
    (stray / "0009.exr").write_bytes(b"")
    shutil.rmtree(root / "metadata" / str(KEY) / "labels.json", ignore_errors=True)
    record_path(root).unlink(missing_ok=True)
    last(label_dataset(root, ALL, (2, "first-last")))
    one, other = (
        {path.relative_to(base): path.read_bytes() for path in base.rglob("*") if path.is_file()}
        for base in (root, labelled)
    )
    assert one == other


def test_labels_of_other_vertices_are_made_anew(dataset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(make, "open_head", lambda *_: made_model())
    record = json.loads(record_path(dataset).read_text())
    record_path(dataset).write_text(json.dumps(record | {"vertices": "3" * 64}))
    pytest.importorskip("embreex")
    assert Fault.LABEL_RECORD in faults(verify_dataset(dataset))
    run = last(label_dataset(dataset, (LabelKind.UV,)))
    assert run.labelled == 1 and not verify_dataset(dataset).failures


def test_a_head_model_of_another_dataset_is_refused(dataset: Path) -> None:
    record_path(dataset).unlink()
    with pytest.raises(DatasetError, match="not the head model"):
        last(label_dataset(dataset, (LabelKind.UV,)))
    assert not record_path(dataset).exists()


def test_one_clear_error_where_a_label_was_not_made(made_dataset: Path) -> None:
    one = FlowDataset(made_dataset)[0].labels
    for name in ("facial_backward", "uv", "landmarks", "facial_scene_flow", "segmentation"):
        with pytest.raises(DatasetError, match="ffngen label"):
            getattr(one, name)
    with pytest.raises(DatasetError, match="--pairs 2"):
        one.flow_to(one.frame + 2)


def test_regions() -> None:
    """A later region wins, finer ones are passed over, faces beyond the head model's are props."""
    ids = face_ids({"eyeballs": np.array([1, 2]), "iris": np.array([2]), "forehead": np.array([0])}, 5, 4)
    assert ids.tolist() == [SKIN, 13, 14, SKIN, PROPS]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--add", "smell"], "no label is called 'smell'"),
        ([], "no labels are asked for"),
        (["--add", "pairs"], "distances of frames"),
        (["--pairs", "0"], "no distance"),
        (["--pairs", "two"], "no distance"),
        (["--pairs", ",".join(map(str, range(1, 99)))], "1 to 64"),
    ],
)
def test_mistakes_are_one_line(made_dataset: Path, options: list[str], words: str) -> None:
    result = CliRunner().invoke(main, ["label", str(made_dataset), *options])
    assert result.exit_code == 2
    assert words in result.stderr and result.stderr.count("\n") == 1


def test_the_command(made_dataset: Path, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    shutil.copytree(made_dataset, root)
    result = CliRunner().invoke(main, ["label", str(root), "--add", "backward,coverage", "--pairs", "2", "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.output)["labelled"] == 9
    result = CliRunner().invoke(main, ["label", str(root), "--add", "backward"])
    assert "9 had them already" in result.output


def change(kind: str, changed: Callable[[Any], Any]) -> Callable[[Path], None]:
    readers: dict[str, tuple[Any, Any]] = {
        "flow": (read_flow, write_flow),
        "depth": (read_depth_exr, write_depth_exr),
        "grey": (files.read_grey, files.write_grey),
        "normals": (lambda p: files.read_channels(p, files.NORMAL), files.write_normals),
        "uv": (lambda p: files.read_channels(p, files.UV), files.write_uv),
        "points": (files.read_points, files.write_points),
    }
    read, write = readers[kind]
    return lambda path: write(path, changed(read(path)))


def moved(points: Any) -> Any:
    return replace(points, landmarks=points.landmarks + np.float32([0.5, 0]))


def unseen(points: Any) -> Any:
    return replace(points, vertices_visible=~points.vertices_visible)


def hard(coverage: Any) -> Any:
    return np.where(coverage > 127, 255, 0).astype(np.uint8)


CORRUPTIONS: dict[str, tuple[LabelOutput, Callable[[Path], None], Fault]] = {
    "u with the other sign": (L.FACIAL_BACKWARD, change("flow", lambda f: f * [-1, 1]), Fault.BACKWARD_FLOW),
    "v with the other sign": (L.HEAD_BACKWARD, change("flow", lambda f: f * [1, -1]), Fault.BACKWARD_FLOW),
    "u and v swapped": (L.FACIAL_BACKWARD, change("flow", lambda f: f[..., ::-1]), Fault.BACKWARD_FLOW),
    "forward flow as backward": (L.FACIAL_BACKWARD, change("flow", lambda f: -f), Fault.FORWARD_BACKWARD),
    "nothing is hidden": (L.FACIAL_OCCLUSION, change("grey", np.zeros_like), Fault.HIDDEN),
    "hidden and visible exchanged": (L.HEAD_OCCLUSION, change("grey", lambda o: 1 - o), Fault.OCCLUSION),
    "occlusion a pixel aside": (L.FACIAL_OCCLUSION_BACKWARD, change("grey", lambda o: np.roll(o, 1, 1)), Fault.HIDDEN),
    "depth in millimetres": (L.FACIAL_DEPTH_NEXT, change("depth", lambda d: 1000 * d), Fault.SCENE_FLOW),
    "normals with y up": (L.NORMALS, change("normals", lambda n: n * [1, -1, 1]), Fault.NORMALS),
    "normals not of length one": (L.NORMALS, change("normals", lambda n: 0.9 * n), Fault.NORMALS),
    "regions a pixel aside": (L.FACIAL_SEGMENTATION, change("grey", lambda s: np.roll(s, 1, 0)), Fault.SEGMENTATION),
    "regions mirrored": (L.HEAD_SEGMENTATION, change("grey", lambda s: s[:, ::-1]), Fault.SEGMENTATION),
    "texture coordinates upside down": (L.UV, change("uv", lambda t: t * [1, -1] + [0, 1]), Fault.UV),
    "half a pixel aside": (L.FACIAL_LANDMARKS, change("points", moved), Fault.LANDMARKS),
    "hidden points visible": (L.HEAD_LANDMARKS, change("points", unseen), Fault.LANDMARK_VISIBILITY),
    "coverage turned about": (L.COVERAGE, change("grey", lambda c: 255 - c), Fault.COVERAGE),
    "coverage not smooth": (L.COVERAGE, change("grey", hard), Fault.COVERAGE),
    "a distant pair's flow doubled": (L.PAIR_FLOW, change("flow", lambda f: 2 * f), Fault.PAIR_FLOW),
    "another size": (L.UV, change("uv", lambda t: t[1:]), Fault.UNREADABLE),
    "no image": (L.COVERAGE, lambda path: path.write_bytes(b"PNG"), Fault.UNREADABLE),
    "no occlusion map": (L.PAIR_OCCLUSION, change("grey", lambda o: o + np.uint8(9)), Fault.UNREADABLE),
}  # fmt: skip


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_wrong_labels_are_found_by_name(dataset: Path, name: str) -> None:
    pytest.importorskip("embreex")
    output, corrupt, fault = CORRUPTIONS[name]
    paths = sorted((dataset / output.value / str(KEY)).iterdir())
    assert paths
    for path in paths:
        corrupt(path)
    _, failures = check_labels(dataset, FlowDataset(dataset).metadata(KEY))
    assert fault in {failure.fault for failure in failures}, failures
    assert all(str(KEY) in failure.where for failure in failures)


def test_digests_and_content_are_apart(dataset: Path) -> None:
    """A writer's own mistake has the right digests and the wrong content."""
    pytest.importorskip("embreex")
    for path in (dataset / L.UV.value / str(KEY)).iterdir():
        CORRUPTIONS["texture coordinates upside down"][1](path)
    assert faults(verify_dataset(dataset)) >= {Fault.DIGEST, Fault.UV}
    sign(dataset)
    assert faults(verify_dataset(dataset)) == {Fault.UV, Fault.LANDMARKS_ON_UV}


@pytest.mark.parametrize(
    ("corrupt", "fault"),
    [
        (lambda path: path.unlink(), Fault.MISSING_FILE),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), Fault.FILE_SIZE),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), Fault.DIGEST),
        (lambda path: path.with_name("0099.png").write_bytes(b""), Fault.STRAY_FILE),
        (lambda path: path.rename(path.with_name("0009.png")), Fault.STRAY_FILE),
    ],
)
def test_files_are_compared_with_the_record(dataset: Path, corrupt: Callable[[Path], None], fault: Fault) -> None:
    pytest.importorskip("embreex")
    corrupt(dataset / L.COVERAGE.value / str(KEY) / "0001.png")
    assert fault in faults(verify_dataset(dataset))


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"vertices": 3}', b"\xff"])
def test_a_damaged_record(dataset: Path, content: bytes) -> None:
    pytest.importorskip("embreex")
    record_path(dataset).write_bytes(content)
    assert Fault.LABEL_RECORD in faults(verify_dataset(dataset))
    with pytest.raises(FfngenError, match="damaged"):
        last(label_dataset(dataset, (LabelKind.BACKWARD,)))


def test_unknown_labels() -> None:
    with pytest.raises(JobError, match="'taste'"):
        parse_kinds(("uv", "taste"))
    assert LabelKind.PAIRS not in parse_kinds(("all",)) and len(parse_kinds(("all",))) == 8
