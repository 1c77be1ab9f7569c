"""Loading by name, file or folder, and what is known of FLAME's mesh."""

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from ffngen.errors import FfngenError, InputFileError
from ffngen.head.info import describe
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")


@pytest.fixture(scope="module")
def flame() -> HeadModel:
    return load_head(SHARED)


@pytest.mark.shared
@needs_shared
def test_a_folder_is_its_one_model(flame: HeadModel) -> None:
    assert flame.path == SHARED / "FLAME_NEUTRAL.npz"
    assert load_head(str(flame.path)).digest == flame.digest


@pytest.mark.shared
@needs_shared
def test_description_is_json_with_the_facts(flame: HeadModel) -> None:
    facts = json.loads(json.dumps(describe(flame)))
    assert (facts["vertices"], facts["faces"], facts["landmarks"]) == (5023, 9976, 68)
    assert (facts["identity_coefficients"], facts["identity_coefficients_in_use"]) == (300, 60)
    assert (facts["expression_coefficients"], facts["expression_coefficients_in_use"]) == (100, 0)
    assert facts["regions"]["eyeballs"] == 2 * 1088
    assert facts["joints"]["left_eye"][0] > 0.02 > -0.02 > facts["joints"]["right_eye"][0]


@pytest.mark.shared
@needs_shared
def test_regions_lie_where_they_are_named(flame: HeadModel) -> None:
    assert flame.landmarks is not None
    centres = flame.template[flame.faces].mean(axis=1)
    points = flame.landmarks.evaluate(flame.template)
    region = {name: centres[faces] for name, faces in flame.regions.items()}
    left, right = (flame.faces[flame.regions[f"{side}_eyeball"]] for side in ("left", "right"))
    assert (left.min(), left.max(), right.min(), right.max()) == (3931, 4476, 4477, 5022)
    # Every face is in exactly one of the large parts, and the parts of the face are in the face.
    large = np.concatenate([flame.regions[name] for name in ("face", "eyeballs", "ears", "neck", "scalp")])
    assert np.array_equal(np.sort(large), np.arange(len(flame.faces)))
    for name in ("lips", "eyes", "nose", "forehead", "cheeks"):
        assert np.isin(flame.regions[name], flame.regions["face"]).all()
    mouth, nose_tip, chin, brows = points[48:60], points[30], points[8], points[17:27]
    assert np.linalg.norm(region["lips"].mean(axis=0) - mouth.mean(axis=0)) < 0.01
    assert np.linalg.norm(region["nose"] - nose_tip, axis=1).min() < 0.003
    assert region["nose"][:, 2].min() > 0.02
    assert region["forehead"][:, 1].min() > brows[:, 1].min() - 0.005
    assert region["neck"][:, 1].min() < chin[1] - 0.05
    assert (np.abs(region["ears"][:, 0]) > 0.045).all()
    assert region["scalp"][:, 1].max() == centres[:, 1].max()
    assert np.abs(np.abs(region["cheeks"][:, 0]).mean() - 0.045) < 0.015
    for side, eyeball in ((1, "left_eyeball"), (-1, "right_eyeball")):
        lids = region["eyes"][np.sign(region["eyes"][:, 0]) == side]
        assert np.linalg.norm(lids.mean(axis=0)[:2] - region[eyeball].mean(axis=0)[:2]) < 0.006


@pytest.mark.shared
@needs_shared
def test_landmarks_are_in_ibugs_order(flame: HeadModel) -> None:
    assert flame.landmarks is not None
    points = flame.landmarks.evaluate(flame.template)
    jaw = points[:17]
    assert (np.diff(jaw[:, 0]) > 0).all()  # from the subject's right to the left
    assert jaw[8, 1] == jaw[:, 1].min()
    np.testing.assert_allclose(jaw[:, 0], -jaw[::-1, 0], atol=0.003)
    np.testing.assert_allclose(jaw[:, 1:], jaw[::-1, 1:], atol=0.003)
    steps = np.linalg.norm(np.diff(jaw, axis=0), axis=1)
    assert steps.std() / steps.mean() < 0.02
    assert points[36, 0] < points[39, 0] < 0 < points[42, 0] < points[45, 0]
    assert points[27, 1] > points[30, 1] > points[51, 1] > points[57, 1] > points[8, 1]


@pytest.mark.shared
@needs_shared
def test_without_companions_there_are_regions_and_textures_but_no_landmarks(tmp_path: Path) -> None:
    folder = tmp_path / "flame2023_open"
    folder.mkdir()
    shutil.copy(SHARED / "FLAME_NEUTRAL.npz", folder)
    model = load_head(folder)
    assert model.landmarks is None
    assert model.uv is not None
    assert model.uv.faces.shape == model.faces.shape
    assert len(model.regions["lips"]) > 100


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("content", [b"", b"cos\nsystem\n(S'true'\ntR.", pickle.dumps({"lmk_face_idx": 1})])
def test_hostile_landmarks_are_one_line(content: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "flame2023_open"
    folder.mkdir()
    shutil.copy(SHARED / "FLAME_NEUTRAL.npz", folder)
    (folder / "flame_static_embedding.pkl").write_bytes(content)
    with pytest.raises(FfngenError, match=r"flame_static_embedding\.pkl: "):
        load_head(folder)


def test_folders_without_one_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match="holds no head model"):
        load_head(tmp_path)
    for name in ("flame2020.pkl", "flame2023.pkl", "flame_static_embedding.pkl"):
        (tmp_path / name).touch()
    with pytest.raises(InputFileError, match=r"holds 2 files .* name the file itself: flame2020.pkl, flame2023.pkl"):
        load_head(tmp_path)
    for which in (tmp_path / "absent", tmp_path / "absent.npz", "nul\0byte.npz"):
        with pytest.raises(InputFileError):
            load_head(which)
