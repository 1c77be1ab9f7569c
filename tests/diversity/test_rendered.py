"""Two rendered people, measured: faces that others' networks find, and values that the job's parameters tell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from onnx_file import block_means
from scipy.spatial.transform import Rotation

from ffngen.appearance.skin import look_of
from ffngen.cli import main
from ffngen.dataset.read import FlowDataset, Pair
from ffngen.dataset.regions import ModelFinder
from ffngen.diversity.dlib_faces import DlibFaces, Face, face_at
from ffngen.diversity.measure import Tools, measure_sequence
from ffngen.diversity.measures import SequenceMeasures
from ffngen.diversity.onnx_networks import ExpressionNetwork, IdentityNetwork

pytestmark = pytest.mark.bpy

RUN = "from ffngen.cli import main; main()"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, each in two sequences of two and three frames, 160 x 160 pixels."""
    pytest.importorskip("bpy", reason="bpy is not installed")
    out = tmp_path_factory.mktemp("stats") / "dataset"
    command = [sys.executable, "-c", RUN, "render", "--device", "cpu", "--samples", "4", "--resolution", "160"]
    options = ["--identities", "2", "--n-frames", "2,3", "--emotion", "happy,surprise", "--out", str(out)]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=280)
    return out


@pytest.fixture(scope="module")
def faces() -> DlibFaces:
    return DlibFaces()


@pytest.fixture(scope="module")
def measured(rendered: Path, faces: DlibFaces) -> list[tuple[Pair, SequenceMeasures]]:
    data = FlowDataset(rendered)
    tools = Tools(ModelFinder(), faces, None, None, 2)
    firsts = [data.pairs(key)[0] for key in data.sequences]
    return [(pair, measure_sequence(tools, pair)) for pair in firsts]


def test_dlib_finds_the_faces_where_they_are(measured: list[tuple[Pair, SequenceMeasures]]) -> None:
    frames = [frame for _, measures in measured for frame in measures.frames]
    assert len(frames) == 8
    found = [frame for frame in frames if frame.found != "no"]
    assert len(found) == 8
    assert sum(frame.found == "hog" for frame in found) >= 6
    errors = np.array([frame.landmark_errors for frame in found])
    assert errors.shape == (len(found), 68)
    assert np.median(errors) < 0.06
    # The corners of the eyes are where both mean the same point.
    assert np.median(errors[:, [36, 39, 42, 45]]) < 0.04


def test_a_person_is_nearer_to_herself(measured: list[tuple[Pair, SequenceMeasures]]) -> None:
    vectors = [np.array(measures.frames[0].identity) for _, measures in measured]
    people = [measures.identity for _, measures in measured]
    assert len(set(people)) == 2 and all(len(vector) == 128 for vector in vectors)

    def apart(i: int, j: int) -> float:
        return float(np.linalg.norm(vectors[i] - vectors[j]))

    same = [apart(i, j) for i in range(4) for j in range(i) if people[i] == people[j]]
    between = [apart(i, j) for i in range(4) for j in range(i) if people[i] != people[j]]
    assert max(same) < min(between)


def test_poses_are_the_parameters(measured: list[tuple[Pair, SequenceMeasures]]) -> None:
    for pair, measures in measured:
        pose, camera = np.array(pair.metadata.parameters.pose), pair.metadata.get_camera(pair.frame)
        for frame in measures.frames:
            share = frame.frame / pair.metadata.n_frames
            turned = Rotation.from_rotvec(pose[:3] * share) * Rotation.from_rotvec(pose[3:6] * share)
            seen = np.diag([1, -1, -1]) @ camera.T_cam_world[:3, :3] @ turned.as_matrix()
            wanted = Rotation.from_matrix(seen).as_euler("YXZ", degrees=True)
            # Expressions move the scalp a little.
            np.testing.assert_allclose(frame.pose, wanted, atol=0.6)


def test_skin_is_as_dark_as_its_texture(measured: list[tuple[Pair, SequenceMeasures]]) -> None:
    for pair, measures in measured:
        assert measures.albedo is not None
        for frame in measures.frames:
            assert frame.skin is not None and frame.light is not None
            # Light from the front brings skin near its albedo (ffngen.appearance.lighting).
            assert 0.25 < np.mean(frame.skin) / np.mean(measures.albedo) < 2.5
        assert measures.hdri == pair.metadata.scene["lighting"]["hdri"]


def test_an_albedo_of_another_generator_is_not_claimed(measured: list[tuple[Pair, SequenceMeasures]]) -> None:
    from ffngen.diversity.albedo import generated_albedo

    pair, measures = measured[0]
    metadata = pair.metadata
    model = ModelFinder()(metadata)
    assert model is not None
    assert generated_albedo(model, metadata) == measures.albedo
    other = {**metadata.scene, "look": json.loads(json.dumps(look_of(metadata.seeds["skin"] + 1).to_json()))}
    assert generated_albedo(model, metadata.model_copy(update={"scene": other})) is None
    own = {**metadata.scene, "texture": "mine.png"}
    assert generated_albedo(model, metadata.model_copy(update={"scene": own})) is None


def test_regions_move_as_they_are(measured: list[tuple[Pair, SequenceMeasures]]) -> None:
    for _, measures in measured:
        lengths = {area: one.histogram() for area, one in measures.flow["expression"].items()}
        assert {"head", "lips", "eyes", "brows", "cheeks", "forehead", "nose"} == set(lengths)
        assert lengths["lips"].mean > 2 * lengths["forehead"].mean
        assert sum(one.pixels for area, one in lengths.items() if area != "head") < lengths["head"].pixels


def test_a_users_networks(rendered: Path, faces: DlibFaces, tmp_path: Path) -> None:
    (tmp_path / "identity.onnx").write_bytes(block_means(112, 56))
    (tmp_path / "expression.onnx").write_bytes(block_means(224, 56))
    tools = Tools(
        ModelFinder(),
        faces,
        IdentityNetwork(tmp_path / "identity.onnx"),
        ExpressionNetwork(tmp_path / "expression.onnx"),
        1,
    )
    data = FlowDataset(rendered)
    (frame,) = measure_sequence(tools, data[0]).frames
    assert frame.identity is not None and len(frame.identity) == 12
    assert frame.expression is not None and len(frame.expression) == 48


def test_of_several_faces_the_one_that_is_ours() -> None:
    ours = np.array([[100.0, 100], [160, 170]])
    boxes = [((0, 0), (60, 60)), ((98, 95), (170, 180)), ((60, 60), (260, 260))]
    several = [Face(np.zeros((68, 2)), np.array(low, float), np.array(high, float), "hog") for low, high in boxes]
    assert face_at(several, ours) is several[1]
    assert face_at(several[:1], ours) is None


def test_landmarks_of_a_larger_picture_are_the_same(rendered: Path, faces: DlibFaces) -> None:
    """Pictures are scaled before they are looked at; pixels are those of the picture all the same."""
    import cv2

    image = FlowDataset(rendered)[0].image1
    (face,) = faces.find(image)[:1]
    (larger,) = faces.find(cv2.resize(image, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC))[:1]
    np.testing.assert_allclose((larger.points + 0.5) / 8 - 0.5, face.points, atol=3)
    (turned,) = faces.find_turned(image)[:1]
    assert turned.by == "cnn" and np.linalg.norm(turned.points - face.points, axis=1).mean() < 3
    assert np.linalg.norm((larger.points + 0.5) / 8 - 0.5 - face.points, axis=1).mean() < 1.2
    assert np.isfinite(faces.embed(image, face.points)).all()


def test_the_whole_command(rendered: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    cached = ["--cache", str(tmp_path / "stats.sqlite")]
    done = CliRunner().invoke(main, ["stats", str(rendered), "--out", str(page), *cached])
    assert done.exit_code == 0, done.output
    for words in (
        "ID Std.",
        "face found by the HOG detector",
        "very light",
        "yaw",
        "from_right",
        "facial, 1/3",
        "lips",
    ):
        assert words in done.output
    assert "note:" not in done.output
    # Four sequences are too few for maps; the others are similarities, landmarks, skin, pose, light, and flow twice.
    assert page.read_text().count("data:image/png;base64,") == 7
    record = json.loads(CliRunner().invoke(main, ["stats", str(rendered), "--json", *cached]).stdout)
    assert record["notes"] == []
    identity = record["identity"]
    assert (identity["people"], identity["size"], identity["same_pairs"]) == (2, 128, 2)
    assert identity["same"] > identity["between"] and identity["told_apart"] == 1
    assert sum(record["skin_tone"]["albedo"]["classes"].values()) == 2
    assert sum(record["light"]["surroundings"].values()) == 4
