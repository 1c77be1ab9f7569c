"""VHAP's and GaussianAvatars' files against VHAP's own projection and smplx, and their cameras against INSTA's."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flame_oracle import flame_vertices
from scipy.spatial.transform import Rotation
from tracker_files import (
    metrical_frame,
    random_head,
    six_numbers,
    tracker_camera,
    vhap_item,
    vhap_parameters,
    vhap_pixels,
    write_json,
)

from ffngen.errors import InputFileError
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.motion.sequence import make_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.read import read_parameter_sets

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"
POINTS = np.random.default_rng(3).uniform(-0.12, 0.12, size=(50, 3))


def opengl_c2w(camera: int) -> np.ndarray:
    """A camera about one metre before the face, each a little further to the side."""
    c2w = np.eye(4)
    c2w[:3, :3] = Rotation.from_euler("yx", [0.1 * camera - 0.2, 0.05]).as_matrix()
    c2w[:3, 3] = c2w[:3, :3] @ [0.01, 0.02, 1.0]
    return c2w


def write_sequence(folder: Path, *, timesteps: int = 3, cameras: tuple[int, ...] = (2, 0, 1)) -> list[Any]:
    items = []
    (folder / "flame_param").mkdir(parents=True)
    for t in range(timesteps):
        np.savez(folder / "flame_param" / f"{t:05d}.npz", **vhap_parameters(t))
        items += [vhap_item(t, c, opengl_c2w(c), (1200.0, 1210.0, 270.0, 420.0), (550, 802)) for c in cameras]
    write_json(
        folder / "transforms.json", {"frames": items, "w": 1, "h": 1, "timestep_indices": list(range(timesteps))}
    )
    return items


def test_sequence_with_cameras(tmp_path: Path) -> None:
    items = write_sequence(tmp_path / "anger" / "ID")
    (tmp_path / "anger" / "ID" / "images").mkdir()
    (tmp_path / "anger" / "ID" / "images" / "00001_00.png").write_bytes(b"")
    sets = read_parameter_sets(tmp_path, "gaussian-avatars")
    assert [(s.identity, s.track, s.frame, s.emotion, s.family) for s in sets] == [
        ("anger/ID", "anger/ID", t, "anger", "flame2023") for t in range(3)
    ]
    assert [s.image for s in sets] == [None, str(tmp_path / "anger/ID/images/00001_00.png"), None]
    for t, one in enumerate(sets):
        arrays = vhap_parameters(t)
        rotations = np.concatenate([arrays[n][0] for n in ("rotation", "neck_pose", "jaw_pose", "eyes_pose")])
        np.testing.assert_array_equal(one.pose, rotations)
        np.testing.assert_array_equal(one.betas, arrays["shape"])
        np.testing.assert_array_equal(one.expression, arrays["expr"][0])
        np.testing.assert_array_equal(one.translation, arrays["translation"][0])
        np.testing.assert_array_equal(one.static_offset, arrays["static_offset"][0])
        assert one.dynamic_offset is None
        # Camera 0, though it is not the first in the file; the centre of the image's first pixel is 0.5 there.
        (item,) = (item for item in items if item["timestep_index"] == t and item["camera_index"] == 0)
        assert one.camera is not None
        pixels, depth = one.camera.project(POINTS)
        np.testing.assert_allclose(pixels, vhap_pixels(POINTS, item) - 0.5, atol=1e-6)
        assert (depth > 0.8).all()
        assert (one.camera.width, one.camera.height) == (550, 802)
    assert sets[1].static_offset is sets[0].static_offset


def test_camera_is_upright(tmp_path: Path) -> None:
    write_sequence(tmp_path, timesteps=1)
    camera = read_parameter_sets(tmp_path, "gaussian-avatars")[0].camera
    assert camera is not None
    (middle, left, up), _ = camera.project([[0, 0, 0], [0.05, 0, 0], [0, 0.05, 0]])
    assert left[0] > middle[0] + 40
    assert up[1] < middle[1] - 40


def test_the_same_camera_as_insta_writes_it(tmp_path: Path) -> None:
    """OpenGL axes with cy from below, or OpenCV axes with cy from above: one pixel."""
    pytest.importorskip("torch")
    c2w, (fx, fy, cx, cy), (w, h) = opengl_c2w(1), (1200.0, 1210.0, 270.0, 420.0), (550, 802)
    avatars, insta = tmp_path / "avatars", tmp_path / "insta"
    (avatars / "flame_param").mkdir(parents=True)
    np.savez(avatars / "flame_param" / "00000.npz", **vhap_parameters(0))
    write_json(avatars / "transforms.json", {"frames": [vhap_item(0, 1, c2w, (fx, fy, cx, cy), (w, h))]})
    write_insta(insta, [0])
    content = {
        "fl_x": fx, "fl_y": fy, "cx": cx, "cy": h - cy, "w": float(w), "h": float(h),
        "frames": [{"transform_matrix": (c2w @ np.diag([1, -1, -1, 1])).tolist(), "exp_path": "flame/exp/00000.txt"}],
    }  # fmt: skip
    write_json(insta / "transforms.json", content)
    (one,), (other,) = read_parameter_sets(avatars, "gaussian-avatars"), read_parameter_sets(insta, "insta")
    assert one.camera is not None
    assert other.camera is not None
    assert np.abs(one.camera.project(POINTS)[0] - other.camera.project(POINTS)[0]).max() < 1e-3


@pytest.mark.parametrize("place", ["avatars", "avatars/transforms.json", "insta", "", "union"])
def test_cameras_that_may_be_either_are_refused_unless_named(tmp_path: Path, place: str) -> None:
    write_sequence(tmp_path / "avatars", timesteps=1)
    write_insta(tmp_path / "insta", [0], texts=True)
    item = vhap_item(0, 0, opengl_c2w(0), (1200, 1200, 275, 401), (550, 802))
    write_json(
        tmp_path / "union" / "transforms_train.json",
        {"frames": [item | {"flame_param_path": "../avatars/flame_param/00000.npz"}]},
    )
    with pytest.raises(InputFileError) as caught:
        read_parameter_sets(tmp_path / place)
    assert "--params-format insta or --params-format gaussian-avatars" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_union_names_the_parameters_of_its_sequences(tmp_path: Path) -> None:
    for name in ("A", "B"):
        write_sequence(tmp_path / name, timesteps=1)
        (tmp_path / name / "transforms.json").unlink()
    items = [vhap_item(i, 0, opengl_c2w(i), (1200, 1200, 275, 401), (550, 802)) for i in range(2)]
    for item, name in zip(items, ("A", "B"), strict=True):
        item["flame_param_path"] = f"../{name}/flame_param/00000.npz"
    write_json(tmp_path / "UNION" / "transforms_train.json", {"frames": items[1:]})
    write_json(tmp_path / "UNION" / "transforms_test.json", {"frames": items[:1]})
    sets = read_parameter_sets(tmp_path, "gaussian-avatars")
    assert [(s.track, s.frame) for s in sets] == [("A", 0), ("B", 0)]
    for one, item in zip(sets, items, strict=True):
        assert one.camera is not None
        np.testing.assert_allclose(one.camera.project(POINTS)[0], vhap_pixels(POINTS, item) - 0.5, atol=1e-6)
    with pytest.raises(InputFileError, match="lie outside the folder that was given"):
        read_parameter_sets(tmp_path / "UNION", "gaussian-avatars")


def test_parameters_without_cameras_need_no_name(tmp_path: Path) -> None:
    write_sequence(tmp_path / "seq")
    (tmp_path / "seq" / "transforms.json").unlink()
    np.savez(tmp_path / "seq" / "canonical_flame_param.npz", **vhap_parameters(9))
    sets = read_parameter_sets(tmp_path)
    assert [(s.track, s.frame, s.camera) for s in sets] == [("seq", t, None) for t in range(3)]
    (one,) = read_parameter_sets(tmp_path / "seq" / "flame_param" / "00002.npz")
    assert (one.identity, one.frame) == ("seq", 2)


@pytest.mark.parametrize("vertices", [5023, 5143])
def test_tracked_parameters_of_the_latest_epoch(tmp_path: Path, vertices: int) -> None:
    arrays = vhap_parameters(0, 4, vertices)
    arrays["dynamic_offset"] = np.random.default_rng(0).normal(scale=1e-3, size=(4, vertices, 3)).astype(np.float32)
    folder = tmp_path / "fear" / "run"
    folder.mkdir(parents=True)
    np.savez(folder / "tracked_flame_params_10.npz", **arrays, timestep_id=np.array(["a"] * 4), n_processed_frames=4)
    np.savez(folder / "tracked_flame_params_9.npz", **vhap_parameters(1, 2))
    sets = read_parameter_sets(tmp_path)
    assert [(s.identity, s.track, s.frame, s.emotion) for s in sets] == [
        ("fear/run", "fear/run", t, "fear") for t in range(4)
    ]
    np.testing.assert_array_equal([s.dynamic_offset for s in sets], arrays["dynamic_offset"])
    np.testing.assert_array_equal([s.translation for s in sets], arrays["translation"])
    assert len({id(s.static_offset) for s in sets}) == 1


def test_offsets_of_gaussian_avatars_own_file(tmp_path: Path) -> None:
    """Its static offset has no leading axis, and dynamic offsets that were not tuned are 0."""
    arrays = vhap_parameters(0, 2)
    arrays["static_offset"] = arrays["static_offset"][0]
    arrays["dynamic_offset"] = np.zeros((2, 5143, 3), np.float32)
    np.savez(tmp_path / "flame_param.npz", **arrays)
    with pytest.raises(InputFileError, match="'static_offset' is float32 of the shape"):
        np.savez(tmp_path / "flame_param.npz", **{**arrays, "static_offset": arrays["static_offset"][:5000]})
        read_parameter_sets(tmp_path)
    np.savez(tmp_path / "flame_param.npz", **arrays)
    sets = read_parameter_sets(tmp_path)
    assert sets[0].static_offset is not None
    assert sets[0].static_offset.shape == (5143, 3)
    assert sets[0].dynamic_offset is None


def check_against_smplx(tmp_path: Path, model_file: Path, family: str, expression_size: int) -> None:
    smplx = pytest.importorskip("smplx")
    torch = pytest.importorskip("torch")
    arrays = vhap_parameters(5, 1, 5023)
    arrays["dynamic_offset"] = np.random.default_rng(8).normal(scale=1e-3, size=(1, 5023, 3)).astype(np.float32)
    (tmp_path / "seq" / "flame_param").mkdir(parents=True)
    np.savez(tmp_path / "seq" / "flame_param" / "00005.npz", **arrays)
    (one,) = read_parameter_sets(tmp_path / "seq")
    model = load_head(model_file, family=family)
    shaped = model.with_shape(one.betas, one.static_offset)
    found = shaped.with_pose(one.expression[None], one.pose[None], one.dynamic_offset[None]).vertices()[0]  # type: ignore[index]
    found = found + one.translation

    folder = tmp_path / "smplx" / "flame"
    folder.mkdir(parents=True)
    (folder / "FLAME_NEUTRAL.npz").symlink_to(model_file)
    embedding = {"lmk_face_idx": np.zeros(51, dtype=np.uint32), "lmk_b_coords": np.full((51, 3), 1 / 3)}
    (folder / "flame_static_embedding.pkl").write_bytes(pickle.dumps(embedding))
    sizes = {"num_betas": 300, "num_expression_coeffs": expression_size}
    oracle = smplx.create(str(tmp_path / "smplx"), model_type="flame", ext="npz", dtype=torch.float64, **sizes)
    oracle.v_template += torch.from_numpy((arrays["static_offset"] + arrays["dynamic_offset"])[0].astype(np.float64))
    tensors = {name: torch.from_numpy(array.astype(np.float64)) for name, array in arrays.items()}
    with torch.no_grad():
        expected = oracle(
            betas=tensors["shape"][None],
            expression=tensors["expr"],
            global_orient=tensors["rotation"],
            neck_pose=tensors["neck_pose"],
            jaw_pose=tensors["jaw_pose"],
            leye_pose=tensors["eyes_pose"][:, :3],
            reye_pose=tensors["eyes_pose"][:, 3:],
            transl=tensors["translation"],
        ).vertices[0]
    assert np.abs(found - expected.numpy()).max() < 1e-6
    assert np.abs(found - model.template).max() > 0.05


def test_the_mesh_is_smplxs(tmp_path: Path) -> None:
    random_head(tmp_path / "head", "flame2023", 5023)
    check_against_smplx(tmp_path, tmp_path / "head" / "FLAME_NEUTRAL.npz", "flame2023", 100)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_the_mesh_of_the_reduced_flame_is_smplxs(tmp_path: Path) -> None:
    check_against_smplx(tmp_path, SHARED / "FLAME_NEUTRAL.npz", "flame2023_open", 100)


# INSTA

JAW, EYES = (
    Rotation.from_rotvec([0.2, 0.01, -0.02]),
    (Rotation.from_rotvec([0, 0.1, 0]), Rotation.from_rotvec([0, 0.2, 0])),
)


def write_insta(folder: Path, numbers: list[int], *, texts: bool = False) -> list[dict[str, Any]]:
    """INSTA's ``scripts/transforms.py`` on frames of metrical-tracker."""
    frames = [metrical_frame(number, tracker_camera(), JAW, EYES) for number in numbers]
    content: dict[str, Any] = {"integer_depth_scale": 0.001, "frames": []}
    for number, frame in zip(numbers, frames, strict=True):
        name, opencv = f"{number:05d}", frame["opencv"]
        w2c = np.eye(4)
        w2c[:3, :3], w2c[:3, 3] = opencv["R"][0], opencv["t"][0]
        content["frames"].append(
            {
                "transform_matrix": np.linalg.inv(w2c).tolist(),
                "file_path": f"images/{name}.png",
                "mesh_path": f"meshes/{name}.obj",
                "exp_path": f"flame/exp/{name}.txt",
                "depth_path": f"depth/{name}.png",
            }
        )
        K = opencv["K"][0].astype(float)
        content |= {"w": 512.0, "h": 512.0, "cx": K[0, 2], "cy": K[1, 2], "fl_x": K[0, 0], "fl_y": K[1, 1]}
        for key in ("exp", "jaw", "eyes", "eyelids") if texts else ("exp",):
            (folder / "flame" / key).mkdir(parents=True, exist_ok=True)
            np.savetxt(folder / "flame" / key / f"{name}.txt", frame["flame"][key][0].flatten("F"), fmt="%.8f")
        if texts:
            np.save(folder / "identity.npy", frame["flame"]["shape"][0])
        else:
            torch = pytest.importorskip("torch")
            (folder / "checkpoint").mkdir(parents=True, exist_ok=True)
            torch.save(frame, folder / "checkpoint" / f"{name}.frame")
    write_json(folder / "transforms.json", content)
    return frames


@pytest.mark.parametrize("texts", [False, True])
def test_insta(tmp_path: Path, texts: bool) -> None:
    frames = write_insta(tmp_path / "disgust" / "obama", [4, 2], texts=texts)
    (tmp_path / "disgust" / "obama" / "images").mkdir()
    (tmp_path / "disgust" / "obama" / "images" / "00002.png").write_bytes(b"")
    sets = read_parameter_sets(tmp_path, "insta")
    assert [(s.identity, s.track, s.frame, s.emotion, s.family) for s in sets] == [
        ("disgust/obama", "disgust/obama", n, "disgust", "flame2020") for n in (2, 4)
    ]
    assert [s.image for s in sets] == [str(tmp_path / "disgust/obama/images/00002.png"), None]
    for one, frame in zip(sets, frames[::-1], strict=True):
        np.testing.assert_allclose(one.expression, frame["flame"]["exp"][0], atol=1e-7)
        np.testing.assert_array_equal(one.betas, frame["flame"]["shape"][0])
        np.testing.assert_allclose(one.pose[6:9], JAW.as_rotvec(), atol=1e-6)
        np.testing.assert_allclose(one.pose[9:15], np.concatenate([e.as_rotvec() for e in EYES]), atol=1e-6)
        np.testing.assert_allclose(one.eyelids, [0.25, 0.5])
        assert one.camera is not None
        np.testing.assert_allclose(one.camera.project(POINTS)[0], tracker_camera().screen(POINTS) - 0.5, atol=1e-3)


@pytest.mark.parametrize("texts", [False, True])
def test_instas_vertices(tmp_path: Path, flame2020: HeadModel, texts: bool) -> None:
    """As metrical-tracker's FLAME layer poses them, and seen where its renderer sees them."""
    (frame,) = write_insta(tmp_path, [3], texts=texts)
    (one,) = read_parameter_sets(tmp_path, "insta")
    flame, rest = frame["flame"], Rotation.identity()
    expected = flame_vertices(
        flame2020.path, flame["shape"][0], flame["exp"][0], [rest, rest, JAW, *EYES], flame["eyelids"][0]
    )
    found = sequence_vertices(flame2020, make_sequence(one, 2))[0][-1]
    assert np.abs(found - expected).max() < 1e-6
    assert np.abs(found - flame2020.template).max() > 0.01
    assert one.camera is not None
    np.testing.assert_allclose(one.camera.project(found)[0], tracker_camera().screen(expected) - 0.5, atol=5e-3)


def test_insta_and_metrical_tracker_say_the_same(tmp_path: Path) -> None:
    write_insta(tmp_path / "a", [1])
    (one,) = read_parameter_sets(tmp_path / "a", "insta")
    (other,) = read_parameter_sets(tmp_path / "a" / "checkpoint")
    assert one.camera is not None
    assert other.camera is not None
    np.testing.assert_allclose(one.camera.T_world_cam, other.camera.T_world_cam, atol=1e-6)
    np.testing.assert_allclose(one.camera.K, other.camera.K, atol=1e-4)
    np.testing.assert_array_equal(one.pose, other.pose)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("identity.npy", "no identity"),
        ("flame/jaw/00000.txt", "no jaw"),
        ("flame/exp/00000.txt", "no expression"),
    ],
)
def test_insta_without_what_makes_a_face(tmp_path: Path, lost: str, said: str) -> None:
    write_insta(tmp_path, [0], texts=True)
    (tmp_path / lost).unlink()
    with pytest.raises(InputFileError, match=rf"frame 00000 has {said}.*copy metrical-tracker's checkpoint folder"):
        read_parameter_sets(tmp_path, "insta")


def test_parts_where_there_is_no_whole_and_frames_in_two_of_them(tmp_path: Path) -> None:
    write_insta(tmp_path, [1, 2, 3], texts=True)
    whole = tmp_path / "transforms.json"
    for part in ("train", "val", "test"):
        (tmp_path / f"transforms_{part}.json").write_bytes(whole.read_bytes())
    whole.unlink()
    assert [s.frame for s in read_parameter_sets(tmp_path, "insta")] == [1, 2, 3]


def test_six_numbers_helper_is_pytorch3ds() -> None:
    np.testing.assert_allclose(six_numbers(Rotation.from_rotvec([0, 0, np.pi / 2]))[0], [0, -1, 0, 1, 0, 0], atol=1e-6)
