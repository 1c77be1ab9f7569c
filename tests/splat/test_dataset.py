"""``ffngen splat render``: small datasets of Gaussians from end to end, and what verifying them finds."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from ffngen.atomic import sha256_file
from ffngen.cli import main
from ffngen.dataset.arrays import encode_mask, read_mask
from ffngen.dataset.layout import Output, complete_sequences
from ffngen.dataset.metadata import read_sequence
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.report import Fault
from ffngen.dataset.verify import verify_dataset
from ffngen.flow.files import read_flow, write_flow
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.splat.ply import write_avatar
from ffngen.splat.surface import surface_avatar

pytest.importorskip("embreex")
pytest.importorskip("numba")

SMALL = ["--n-frames", "3", "--resolution", "256x256", "--gaussians", "60000"]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def render(out: Path, *arguments: str | Path) -> dict[str, object]:
    done = run("splat", "render", "--json", "--out", out, *arguments)
    assert done.exit_code == 0, done.output
    result: dict[str, object] = json.loads(done.stdout)
    return result


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person before two cameras of a rig, with labels."""
    out = tmp_path_factory.mktemp("splats") / "views"
    result = render(out, *SMALL, "--rig", "nersemble", "--views", "2,13", "--labels", "all")
    assert (result["rendered"], result["pairs"], result["labelled"]) == (2, 4, 2)
    return out


def test_a_dataset_like_any_other(views: Path) -> None:
    report = verify_dataset(views)
    assert not report.failures
    for truth in report.truths:
        assert truth.facial_flow.pixels > 2000 and truth.facial_flow.mean < 0.05
        assert {figure.fault for figure in truth.figures} >= {Fault.FACIAL_FLOW, Fault.HEAD_FLOW, Fault.DEPTH}
    for pair in FlowDataset(views):
        mask = pair.mask != 0
        assert 0.1 < mask.mean() < 0.9
        assert np.hypot(*pair.facial_flow[mask].T).max() > 3
        assert np.abs(pair.expression_flow[mask]).max() > 0.3
        assert not pair.facial_flow[~mask].any()


def test_views_share_the_moment_and_the_light(views: Path) -> None:
    first, second = (read_sequence(views, key) for key in complete_sequences(views))
    assert (first.sequence[-4:], second.sequence[-4:]) == ("_v02", "_v13")
    assert first.engine == second.engine == "splat" and first.versions.blender is None
    assert first.scene["lighting"] == second.scene["lighting"]
    assert first.seeds["scene"] == second.seeds["scene"] and first.seeds["noise"] != second.seeds["noise"]
    cameras = [one.get_camera(1) for one in (first, second)]
    assert np.array_equal(cameras[0].K, cameras[1].K)
    # 32 degrees apart in elevation.
    cosine = cameras[0].T_world_cam[:3, 2] @ cameras[1].T_world_cam[:3, 2]
    assert np.degrees(np.arccos(cosine)) == pytest.approx(32, abs=1)


def test_what_is_there_stays_and_threads_change_nothing(views: Path, tmp_path: Path) -> None:
    assert render(views, *SMALL, "--rig", "nersemble", "--views", "2,13", "--labels", "all")["rendered"] == 0
    again = tmp_path / "again"
    render(again, *SMALL, "--rig", "nersemble", "--views", "13", "--threads", "1")
    (key,) = complete_sequences(again)
    metadata = read_sequence(again, key)
    assert metadata.files == read_sequence(views, key).files
    assert all(sha256_file(again / path) == entry.sha256 for path, entry in metadata.files.items())


def test_few_gaussians_are_judged_by_their_width(tmp_path: Path) -> None:
    render(tmp_path / "few", "--n-frames", "2", "--resolution", "160x160", "--gaussians", "12000", "--props", "none")
    assert not verify_dataset(tmp_path / "few").failures


def test_the_paper_s_flow(views: Path, tmp_path: Path) -> None:
    """Means' flow passes a looser bound; not divided by alpha, it is shorter, and nowhere else different."""
    flows = {}
    for mode in ("mean", "mean-sum"):
        render(tmp_path / mode, *SMALL, "--rig", "nersemble", "--views", "2", "--flow-mode", mode)
        report = verify_dataset(tmp_path / mode)
        assert not report.failures
        flows[mode] = FlowDataset(tmp_path / mode)[0].facial_flow
    lengths = {mode: np.hypot(*np.moveaxis(flow, -1, 0)) for mode, flow in flows.items()}
    moving = lengths["mean"] > 1
    ratio = lengths["mean-sum"][moving] / lengths["mean"][moving]
    assert 0.5 <= ratio.min() < 0.8 and ratio.max() <= 1 + 1e-6
    assert np.median(ratio) > 0.98
    exact = FlowDataset(views)[0].facial_flow
    assert np.abs(flows["mean"] - exact).max() > 0.3


@pytest.fixture
def copy(views: Path, tmp_path: Path) -> Path:
    shutil.copytree(views, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize("change", ["sign", "axes", "shifted", "next"])
def test_flow_that_is_wrong_is_found(copy: Path, change: str) -> None:
    metadata = read_sequence(copy, complete_sequences(copy)[0])
    path = copy / metadata.layout.file(Output.FACIAL_FLOW, 1)
    flow = read_flow(path)
    changed = {
        "sign": flow * np.float32([1, -1]),
        "axes": flow[..., ::-1],
        "shifted": np.roll(flow, 3, axis=1),
        "next": 1.1 * flow,
    }[change]
    write_flow(path, np.ascontiguousarray(changed), flow_format=metadata.flow_format)
    assert Fault.FACIAL_FLOW in {failure.fault for failure in verify_dataset(copy).failures}


def test_a_mask_that_is_wrong_is_found(copy: Path) -> None:
    metadata = read_sequence(copy, complete_sequences(copy)[0])
    path = copy / metadata.layout.file(Output.MASK, 1)
    mask = read_mask(path)
    path.write_bytes(encode_mask(np.roll(mask, 12, axis=1)))
    assert Fault.MASK in {failure.fault for failure in verify_dataset(copy).failures}


def _neutral(head: HeadModel) -> NDArray[np.float64]:
    return head.with_shape(np.zeros(head.shape_count)).neutral


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder such as GaussianAvatars writes, of the open head."""
    folder = tmp_path_factory.mktemp("avatar") / "somebody"
    place = folder / "point_cloud" / "iteration_30"
    place.mkdir(parents=True)
    head = load_head("open")
    texture = np.full((64, 64, 3), 150, dtype=np.uint8)
    texture[::2] = 90
    write_avatar(place / "point_cloud.ply", surface_avatar(head, _neutral(head), texture, count=20_000))
    return folder


def test_an_avatar(captured: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    render(out, captured, "--n-frames", "2", "--resolution", "128x128")
    report = verify_dataset(out)
    assert not report.failures
    metadata = read_sequence(out, complete_sequences(out)[0])
    digest = sha256_file(captured / "point_cloud" / "iteration_30" / "point_cloud.ply")
    splat = {"avatar": "somebody", "avatar_sha256": digest, "flow_mode": "affine"}
    assert metadata.is_captured and metadata.scene["splat"] == splat


def test_a_rig_of_a_file(tmp_path: Path) -> None:
    """VHAP's cameras: OpenGL axes, cy from the lower edge; twice the size of the images that are asked for."""
    frames = []
    for index, x in enumerate((0.0, 0.25)):
        T = np.eye(4)
        T[:3, 3] = [x, 0.02, 1.0]
        frames.append({"camera_index": index, "timestep_index": 0, "transform_matrix": T.tolist()})
    rig = tmp_path / "transforms.json"
    content = {"w": 256, "h": 192, "fl_x": 500.0, "fl_y": 500.0, "cx": 128.0, "cy": 90.0, "frames": frames * 2}
    rig.write_text(json.dumps(content))
    render(tmp_path / "out", *SMALL[:2], "--gaussians", "20000", "--resolution", "128x96", "--rig", rig)
    assert not verify_dataset(tmp_path / "out").failures
    cameras = [read_sequence(tmp_path / "out", key).get_camera(1) for key in complete_sequences(tmp_path / "out")]
    assert [camera.position.tolist() for camera in cameras] == [[0, 0.02, 1], [0.25, 0.02, 1]]
    # The principal point is 12 pixels of the small image, from the edge, above 64 and at 51 of 96.
    assert pytest.approx(np.array([[250, 0, 63.5], [0, 250, 50.5], [0, 0, 1]])) == cameras[0].K


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["--rig", "nowhere"], "no rig is named 'nowhere'"),
        (["--rig", "nersemble", "--views", "3,16"], "the cameras 0 to 15, and no 16"),
        (["--views", "3"], "say which with rig"),
        (["--gaussians", "5"], "gaussians"),
        (["missing.ply"], "missing.ply"),
        (["--job", "cycles.yaml"], "leave engine away"),
    ],
)
def test_what_cannot_be_rendered(
    arguments: list[str], names: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cycles.yaml").write_text("scene: some.blend\n")
    done = run("splat", "render", *arguments)
    assert done.exit_code == 2 and names in done.output
    assert len(done.output.strip().splitlines()) == 1
    assert not (tmp_path / "dataset").exists()


def test_an_avatar_of_another_head(captured: Path, tmp_path: Path) -> None:
    head = load_head("open")
    avatar = surface_avatar(head, _neutral(head), np.zeros((8, 8, 3), np.uint8), count=200)
    avatar.triangles[0] = len(head.faces)
    write_avatar(tmp_path / "other.ply", avatar)
    done = run("splat", "render", tmp_path / "other.ply", "--out", tmp_path / "out")
    assert done.exit_code == 2 and "other.ply: a Gaussian is bound to triangle" in done.output
    assert not (tmp_path / "out").exists()
