"""metrical-tracker's and Pixel3DMM's frames, as torch.save writes them, against their own projections."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flame_oracle import flame_vertices
from scipy.spatial.transform import Rotation
from tracker_files import Pytorch3dCamera, metrical_frame, six_numbers, tracker_camera

from ffngen.errors import InputFileError
from ffngen.head.model import HeadModel
from ffngen.motion.sequence import make_sequence
from ffngen.motion.steady import steadied
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.parameter_set import ParameterSet
from ffngen.params.read import read_parameter_sets

torch = pytest.importorskip("torch")

JAW = Rotation.from_rotvec([0.21, -0.03, 0.05])
EYES = (Rotation.from_rotvec([0.1, 0.2, -0.05]), Rotation.from_rotvec([0.08, 0.25, 0.02]))
POINTS = np.random.default_rng(3).uniform(-0.12, 0.12, size=(50, 3))


def write(folder: Path, number: int, camera: Pytorch3dCamera | None = None) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    frame = metrical_frame(number, camera or tracker_camera(), JAW, EYES)
    torch.save(frame, folder / f"{number:05d}.frame")
    return frame


@pytest.mark.parametrize(("height", "width"), [(512, 512), (480, 640), (640, 480)])
def test_camera_is_pytorch3ds(tmp_path: Path, height: int, width: int) -> None:
    camera = tracker_camera(height, width)
    write(tmp_path / "checkpoint", 1, camera)
    (one,) = read_parameter_sets(tmp_path)
    assert one.camera is not None
    assert (one.camera.height, one.camera.width) == (height, width)
    pixels, depth = one.camera.project(POINTS)
    np.testing.assert_allclose(pixels, camera.screen(POINTS) - 0.5, atol=1e-3)
    assert (depth > 0.8).all()


def test_a_track(tmp_path: Path) -> None:
    frames = {number: write(tmp_path / "Happy" / "duda" / "checkpoint", number) for number in (12, 3, 7)}
    (tmp_path / "Happy" / "duda" / "input").mkdir()
    (tmp_path / "Happy" / "duda" / "input" / "00007.png").write_bytes(b"")
    np.save(tmp_path / "Happy" / "duda" / "identity.npy", np.zeros(300, np.float32))
    sets = read_parameter_sets(tmp_path)
    assert [s.frame for s in sets] == [3, 7, 12]
    assert {(s.track, s.identity, s.emotion, s.family) for s in sets} == {
        ("Happy/duda", "Happy/duda", "happy", "flame2020")
    }
    assert [s.image for s in sets] == [None, str(tmp_path / "Happy" / "duda" / "input" / "00007.png"), None]
    for one in sets:
        flame = frames[one.frame or 0]["flame"]
        np.testing.assert_array_equal(one.expression, flame["exp"][0])
        np.testing.assert_array_equal(one.betas, flame["shape"][0])
        np.testing.assert_array_equal(one.eyelids, flame["eyelids"][0])
        np.testing.assert_allclose(one.pose[6:9], JAW.as_rotvec(), atol=1e-6)
        np.testing.assert_allclose(one.pose[9:12], EYES[0].as_rotvec(), atol=1e-6)
        np.testing.assert_allclose(one.pose[12:15], EYES[1].as_rotvec(), atol=1e-6)
        assert not one.pose[:6].any()


@pytest.mark.parametrize(
    ("given", "identity"),
    [
        ("", "happy/a"),
        ("happy", "a"),
        ("happy/a", "a"),
        ("happy/a/checkpoint", "a"),
        ("happy/a/checkpoint/00001.frame", "a"),
    ],
)
def test_any_folder_above_can_be_given(tmp_path: Path, given: str, identity: str) -> None:
    write(tmp_path / "happy" / "a" / "checkpoint", 1)
    (one,) = read_parameter_sets(tmp_path / given)
    assert (one.identity, one.emotion) == (identity, "happy")


REST = Rotation.identity()
TURN = Rotation.from_rotvec([0.15, -0.45, 0.1])


def vertices_of(one: ParameterSet, head: HeadModel) -> np.ndarray:
    """The last frame that is rendered of a set."""
    return sequence_vertices(head, make_sequence(one, 2))[0][-1]


def test_the_vertices_are_the_trackers(tmp_path: Path, flame2020: HeadModel) -> None:
    """As its own FLAME layer poses them, eyelids included; and they are seen where its renderer sees them."""
    flame = write(tmp_path / "checkpoint", 5)["flame"]
    (one,) = read_parameter_sets(tmp_path)
    expected = flame_vertices(
        flame2020.path, flame["shape"][0], flame["exp"][0], [REST, REST, JAW, *EYES], flame["eyelids"][0]
    )
    found = vertices_of(one, flame2020)
    assert np.abs(found - expected).max() < 1e-6
    assert np.abs(found - flame2020.template).max() > 0.01
    assert one.camera is not None
    np.testing.assert_allclose(one.camera.project(found)[0], tracker_camera().screen(expected) - 0.5, atol=5e-3)


def test_the_same_face_from_emoca_is_the_same_mesh(tmp_path: Path, flame2020: HeadModel) -> None:
    """A turned head with an open jaw: axis-angle of EMOCA, six numbers of metrical-tracker.

    EMOCA turns the head about FLAME's root joint J and keeps no camera. metrical-tracker holds the head still and
    keeps the head's turn in its camera. A camera [R | t] that looks at a head turned by G sees what the camera
    [R G | R (J - G J) + t] sees of the head at rest. The test looks at EMOCA's mesh with a camera of its own, gives
    metrical-tracker's frame the other one, and compares the meshes in the camera's frame, in pixels, and in the
    world: in a video whose first frame is unturned, the head takes over what the camera did and the meshes are one.
    Both have the jaw; neither tracks the neck, and EMOCA has the eyes at rest.
    """
    observer = tracker_camera()
    expected = []
    for number, turn in enumerate((REST, TURN)):
        frame = metrical_frame(number, observer, JAW, (REST, REST))
        flame = frame["flame"]
        flame["shape"][:, 100:] = flame["exp"][:, 50:] = 0
        del flame["eyelids"]
        shape, expression = flame["shape"][0], flame["exp"][0]
        expected.append(flame_vertices(flame2020.path, shape, expression, [turn, REST, JAW, REST, REST]))
        with np.load(flame2020.path) as model:
            basis = model["shapedirs"].astype(np.float64)
            shaped = model["v_template"] + basis[:, :, :300] @ shape + basis[:, :, 300:] @ expression
            J = model["J_regressor"].astype(np.float64)[0] @ shaped
        # PyTorch3D multiplies rows: a point x of the still head is (x - J) G' + J in the world, and that R + T in view.
        G = turn.as_matrix()
        R, T = Rotation.from_matrix(G.T @ observer.R), (J - G @ J) @ observer.R + observer.T
        moved = Pytorch3dCamera(R, T, observer.focal, observer.principal, observer.height, observer.width)
        frame["camera"] |= {"R": six_numbers(R), "t": T[None].astype(np.float32)}
        frame["opencv"] = moved.opencv()
        (tmp_path / "track").mkdir(exist_ok=True)
        torch.save(frame, tmp_path / "track" / f"{number:05d}.frame")
        folder = tmp_path / "emoca" / f"{number:06d}_000"
        folder.mkdir(parents=True)
        np.save(folder / "shape.npy", shape[:100])
        np.save(folder / "exp.npy", expression[:50])
        np.save(folder / "pose.npy", np.r_[turn.as_rotvec(), JAW.as_rotvec()].astype(np.float32))
    tracked, emoca = read_parameter_sets(tmp_path / "track"), read_parameter_sets(tmp_path / "emoca")
    assert [one.frame for one in tracked] == [one.frame for one in emoca] == [0, 1]
    steady = steadied(tracked, flame2020)
    flip = np.array([-1.0, -1.0, 1.0])  # PyTorch3D's x to the left and y up, to OpenCV's
    for one, still, other, face in zip(tracked, steady, emoca, expected, strict=True):
        mesh = vertices_of(other, flame2020)
        assert np.abs(mesh - face).max() < 1e-6
        assert one.camera is not None
        own = vertices_of(one, flame2020)
        view = (mesh @ observer.R + observer.T) * flip
        np.testing.assert_allclose(one.camera.to_camera(own), view, atol=1e-6)
        np.testing.assert_allclose(one.camera.project(own)[0], observer.screen(mesh) - 0.5, atol=5e-3)
        np.testing.assert_allclose(vertices_of(still, flame2020), mesh, atol=1e-6)
    # The turn is in the camera alone, and is not small.
    assert np.abs(vertices_of(tracked[1], flame2020) - vertices_of(emoca[1], flame2020)).max() > 0.02
    assert np.abs(vertices_of(tracked[0], flame2020) - flame2020.template).max() > 0.01


# Pixel3DMM: its own projection, as its rasteriser has it.

GL_R = Rotation.from_rotvec([0.05, 0.1, -0.02])
HEAD_R = Rotation.from_rotvec([-0.1, 0.4, 0.05])
HEAD_T, GL_T = np.array([0.01, 0.03, -0.02]), np.array([0.02, -0.01, -1.1])
NECK = Rotation.from_rotvec([0.05, -0.1, 0.02])
FOCAL, PRINCIPAL = 3.9, np.array([0.02, -0.04])


def pixel3dmm_frame(size: int = 256) -> dict[str, Any]:
    frame = metrical_frame(0, tracker_camera(), JAW, EYES)
    del frame["opencv"], frame["flame"]["tex"], frame["flame"]["sh"]
    frame["flame"] |= {
        "neck": six_numbers(NECK),
        "R": six_numbers(HEAD_R),
        "R_rotation_matrix": HEAD_R.as_matrix()[None],
        "t": HEAD_T[None].astype(np.float32),
    }
    frame["camera"] = {
        "R_base_0": GL_R.as_matrix()[None].astype(np.float32),
        "t_base_0": GL_T[None].astype(np.float32),
        "fl": np.array([[FOCAL]], dtype=np.float32),
        "pp": PRINCIPAL[None].astype(np.float32),
    }
    frame["img_size"] = np.array([size, size])
    frame["joint_transforms"] = np.zeros((1, 5, 4, 4), dtype=np.float32)
    return frame


def read_one(tmp_path: Path, frame: dict[str, Any]) -> ParameterSet:
    (tmp_path / "checkpoint").mkdir()
    torch.save(frame, tmp_path / "checkpoint" / "00000.frame")
    (one,) = read_parameter_sets(tmp_path)
    return one


@pytest.mark.parametrize("size", [256, 512])
def test_pixel3dmm(tmp_path: Path, size: int) -> None:
    one = read_one(tmp_path, pixel3dmm_frame(size))
    np.testing.assert_allclose(one.pose[3:6], NECK.as_rotvec(), atol=1e-6)
    assert not one.pose[:3].any()
    world = POINTS @ HEAD_R.as_matrix().T + HEAD_T
    view = np.c_[world @ GL_R.as_matrix().T + GL_T, np.ones(len(world))].T
    middle = size / 2 + 0.5
    cx, cy = middle + PRINCIPAL * middle
    f = FOCAL * size
    # intrinsics2projection: rows count downwards in memory.
    clip = (
        np.array(
            [[2 * f / size, 0, (size - 2 * cx) / size, 0], [0, -2 * f / size, (size - 2 * cy) / size, 0], [0, 0, -1, 0]]
        )
        @ view
    )
    corner = (clip[:2] / clip[2] + 1) / 2 * size
    assert one.camera is not None
    pixels, depth = one.camera.project(POINTS)
    np.testing.assert_allclose(pixels, corner.T - 0.5, atol=1e-3)
    assert (depth > 0.8).all()


def test_pixel3dmms_vertices(tmp_path: Path, flame2020: HeadModel) -> None:
    """As its own FLAME layer poses them, neck included; ``flame.R`` and ``flame.t`` after that are in the camera."""
    frame = pixel3dmm_frame()
    flame = frame["flame"]
    one = read_one(tmp_path, frame)
    expected = flame_vertices(
        flame2020.path, flame["shape"][0], flame["exp"][0], [REST, NECK, JAW, *EYES], flame["eyelids"][0]
    )
    found = vertices_of(one, flame2020)
    assert np.abs(found - expected).max() < 1e-6
    assert np.abs(found - flame2020.template).max() > 0.01
    assert one.camera is not None
    view = (expected @ HEAD_R.as_matrix().T + HEAD_T) @ GL_R.as_matrix().T + GL_T
    np.testing.assert_allclose(one.camera.to_camera(found), view * [1, -1, -1], atol=1e-6)


def test_pixel3dmm_is_seen_upright(tmp_path: Path) -> None:
    camera = read_one(tmp_path, pixel3dmm_frame()).camera
    assert camera is not None
    (middle, left, up), _ = camera.project([[0, 0, 0], [0.05, 0, 0], [0, 0.05, 0]])
    assert left[0] > middle[0] + 20
    assert up[1] < middle[1] - 20


def test_two_files_of_one_frame(tmp_path: Path) -> None:
    frame = write(tmp_path, 1)
    torch.save(frame, tmp_path / "1.frame")
    with pytest.raises(InputFileError, match=r"is the same frame as 00001\.frame"):
        read_parameter_sets(tmp_path)
