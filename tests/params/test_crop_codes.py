"""DECA's and SMIRK's codes in every form in which people save them, and MICA's identities."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from flame_oracle import flame_vertices
from scipy.spatial.transform import Rotation
from tracker_files import deca_codes, smirk_codes

from ffngen.errors import InputFileError
from ffngen.head.model import HeadModel
from ffngen.motion.sequence import make_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.read import read_parameter_sets
from ffngen.params.weak_perspective import weak_perspective_camera

Codes = dict[str, np.ndarray]

REST = Rotation.identity()


def save_torch(path: Path, codes: Codes) -> None:
    torch = pytest.importorskip("torch")
    torch.save({name: torch.from_numpy(code) for name, code in codes.items()}, path)


def save_torch_views(path: Path, codes: Codes) -> None:
    """Tensors that are not contiguous, parameters, and one that shares another's storage."""
    torch = pytest.importorskip("torch")
    tensors: dict[str, Any] = {}
    for name, code in codes.items():
        whole = torch.zeros(2 * code.size + 1, dtype=torch.float32)
        view = whole[1::2].reshape(code.shape) if code.ndim != 2 else whole[1:].reshape(code.shape[1], 2, -1)[:, 0].T
        view = view[: code.shape[0]]
        view.copy_(torch.from_numpy(code))
        tensors[name] = view
    tensors["again"] = tensors["cam"][:, 1:]
    tensors["weight"] = torch.nn.Parameter(torch.ones(3))
    torch.save(tensors, path)


FORMS: dict[str, Callable[[Path, Codes], None]] = {
    "a.npz": lambda path, codes: np.savez(path, **codes),
    "compressed.npz": lambda path, codes: np.savez_compressed(path, **codes),
    "a.npy": lambda path, codes: np.save(path, codes, allow_pickle=True),  # type: ignore[arg-type]
    "a.pkl": lambda path, codes: path.write_bytes(pickle.dumps(codes)) and None,
    "a.pickle": lambda path, codes: path.write_bytes(pickle.dumps(codes, protocol=2)) and None,
    "a.pt": save_torch,
    "views.pth": save_torch_views,
    "a.mat": lambda path, codes: scipy.io.savemat(path, codes),
    "compressed.mat": lambda path, codes: scipy.io.savemat(path, codes, do_compression=True),
    "flat.npz": lambda path, codes: np.savez(path, **{name: code[0] for name, code in codes.items()}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("asked", [None, "deca"])
def test_deca(tmp_path: Path, form: str, asked: str | None) -> None:
    codes = deca_codes()
    (tmp_path / "Sad").mkdir()
    FORMS[form](tmp_path / "Sad" / form, codes)
    (one,) = read_parameter_sets(tmp_path, asked)
    np.testing.assert_array_equal(one.betas, codes["shape"][0])
    np.testing.assert_array_equal(one.expression, codes["exp"][0])
    np.testing.assert_array_equal(one.pose[[0, 1, 2, 6, 7, 8]], codes["pose"][0])
    assert not one.pose[[3, 4, 5, 9, 10, 11, 12, 13, 14]].any()
    assert (one.family, one.emotion, one.identity) == ("flame2020", "sad", f"Sad/{form.partition('.')[0]}")
    assert (one.track, one.frame) == (None, None)
    assert one.source == str(tmp_path / "Sad" / form)
    expected = weak_perspective_camera(*codes["cam"][0].astype(np.float64))
    assert one.camera is not None
    assert one.camera.to_json() == expected.to_json()


@pytest.mark.parametrize("form", FORMS)
def test_smirk(tmp_path: Path, form: str) -> None:
    codes = smirk_codes()
    FORMS[form](tmp_path / form, codes)
    (one,) = read_parameter_sets(tmp_path / form)
    np.testing.assert_array_equal(one.betas, codes["shape_params"][0])
    np.testing.assert_array_equal(one.expression, codes["expression_params"][0])
    np.testing.assert_array_equal(one.pose[:3], codes["pose_params"][0])
    np.testing.assert_array_equal(one.pose[6:9], codes["jaw_params"][0])
    assert not one.pose[[3, 4, 5, 9, 10, 11, 12, 13, 14]].any()
    np.testing.assert_array_equal(one.eyelids, codes["eyelid_params"][0])
    assert one.camera is not None
    assert (one.camera.width, one.camera.height) == (224, 224)
    assert one.identity == form.partition(".")[0]


def vertices_of(path: Path, head: HeadModel) -> np.ndarray:
    """The last frame that is rendered of the one set of a file."""
    (one,) = read_parameter_sets(path)
    return sequence_vertices(head, make_sequence(one, 2))[0][-1]


@pytest.mark.parametrize("form", ["a.npz", "a.mat", "a.pt"])
def test_decas_vertices(tmp_path: Path, flame2020: HeadModel, form: str) -> None:
    """As DECA's own FLAME layer poses them: pose is the global rotation, then the jaw's."""
    codes = deca_codes(3)
    FORMS[form](tmp_path / form, codes)
    turns = [Rotation.from_rotvec(half) for half in codes["pose"][0].reshape(2, 3)]
    expected = flame_vertices(
        flame2020.path, codes["shape"][0], codes["exp"][0], [turns[0], REST, turns[1], REST, REST]
    )
    found = vertices_of(tmp_path / form, flame2020)
    assert np.abs(found - expected).max() < 1e-6
    assert np.abs(found - flame2020.template).max() > 0.05


@pytest.mark.parametrize("form", ["a.npz", "a.pkl"])
def test_smirks_vertices(tmp_path: Path, flame2020: HeadModel, form: str) -> None:
    """As SMIRK's own FLAME layer poses them, its eyelids added to the skinned vertices."""
    codes = smirk_codes(3)
    FORMS[form](tmp_path / form, codes)
    head, jaw = (Rotation.from_rotvec(codes[name][0]) for name in ("pose_params", "jaw_params"))
    expected = flame_vertices(
        flame2020.path,
        codes["shape_params"][0],
        codes["expression_params"][0],
        [head, REST, jaw, REST, REST],
        codes["eyelid_params"][0],
    )
    found = vertices_of(tmp_path / form, flame2020)
    assert np.abs(found - expected).max() < 1e-6
    assert np.abs(found - flame2020.template).max() > 0.01


def test_micas_vertices(tmp_path: Path, flame2020: HeadModel) -> None:
    """The person's neutral face: the template and the 300 shape components, with nothing posed."""
    shape = np.random.default_rng(2).normal(size=300).astype(np.float32)
    np.save(tmp_path / "identity", shape)
    with np.load(flame2020.path) as model:
        expected = model["v_template"] + model["shapedirs"][:, :, :300].astype(np.float64) @ shape
    found = vertices_of(tmp_path, flame2020)
    assert np.abs(found - expected).max() < 1e-6
    assert np.abs(found - flame2020.template).max() > 0.005


def test_a_video_in_one_file(tmp_path: Path) -> None:
    codes = smirk_codes(frames=5)
    codes["shape_params"] = codes["shape_params"][:1]
    np.savez(tmp_path / "clip.npz", **codes)
    sets = read_parameter_sets(tmp_path)
    assert [(s.track, s.frame, s.identity) for s in sets] == [("clip", t, "clip") for t in range(5)]
    np.testing.assert_array_equal([s.expression for s in sets], codes["expression_params"])
    assert len({s.betas.tobytes() for s in sets}) == 1


def test_frames_of_a_video_in_files_as_deca_names_them(tmp_path: Path) -> None:
    for frame in (10, 2):
        name = f"clip_frame{frame:04d}"
        (tmp_path / name).mkdir()
        np.savez(tmp_path / name / f"{name}.npz", **deca_codes(frame))
        (tmp_path / name / f"{name}_inputs.jpg").write_bytes(b"")
    sets = read_parameter_sets(tmp_path)
    assert [(s.identity, s.track, s.frame) for s in sets] == [("clip", "clip", 2), ("clip", "clip", 10)]
    assert [Path(s.image or "").name for s in sets] == ["clip_frame0002_inputs.jpg", "clip_frame0010_inputs.jpg"]


def test_without_a_camera_and_without_eyelids(tmp_path: Path) -> None:
    codes = smirk_codes()
    np.savez(tmp_path / "a.npz", **{k: v for k, v in codes.items() if k not in ("cam", "eyelid_params")})
    (one,) = read_parameter_sets(tmp_path)
    assert one.camera is None
    assert not one.eyelids.any()


def test_other_files_in_the_folder_are_passed_over(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **deca_codes())
    np.savez(tmp_path / "other.npz", verts=np.zeros(3))
    np.save(tmp_path / "points.npy", np.zeros((68, 3)))
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    (tmp_path / "weights.pkl").write_bytes(b"\0" * 2)
    with (tmp_path / "weights.pkl").open("r+b") as stream:
        stream.truncate(1 << 30)
    (tmp_path / "folder.npz").mkdir()
    assert [s.identity for s in read_parameter_sets(tmp_path)] == ["a"]


def test_what_deca_saves_as_mat_has_no_codes(tmp_path: Path) -> None:
    (tmp_path / "face").mkdir()
    decoded = {"verts": np.zeros((1, 5023, 3), np.float32), "trans_verts": np.zeros((1, 5023, 3), np.float32)}
    scipy.io.savemat(tmp_path / "face" / "face.mat", decoded)
    with pytest.raises(InputFileError, match="no shape and no exp and no pose; save the dict that the encoder returns"):
        read_parameter_sets(tmp_path, "deca")


def test_mica(tmp_path: Path) -> None:
    for place in ("happy/b", "a"):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        np.save(folder / "identity", np.random.default_rng(len(place)).normal(size=300).astype(np.float32))
        np.save(folder / "kpt68", np.zeros((1, 68, 3)))
        (folder / "mesh.ply").write_bytes(b"ply")
    sets = read_parameter_sets(tmp_path)
    assert [(s.identity, s.emotion, s.family) for s in sets] == [
        ("a", "none", "flame2020"),
        ("happy/b", "happy", "flame2020"),
    ]
    np.testing.assert_array_equal(sets[0].betas, np.load(tmp_path / "a" / "identity.npy"))
    assert not any(s.pose.any() or s.expression.any() for s in sets)
    (alone,) = read_parameter_sets(tmp_path / "happy" / "b" / "identity.npy")
    assert (alone.identity, alone.emotion) == ("b", "happy")
