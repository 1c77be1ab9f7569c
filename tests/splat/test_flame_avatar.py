"""A folder of GaussianAvatars, written by another writer for a FLAME model, is read, posed and rasterised."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from scipy.spatial.transform import Rotation
from tracker_files import vhap_item, write_json

from ffngen.cli import main
from ffngen.dataset.layout import complete_sequences
from ffngen.dataset.metadata import read_sequence
from ffngen.dataset.verify import verify_dataset
from ffngen.head.load import load_head
from ffngen.motion.sequence import make_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.gaussian_avatars import read_gaussian_avatars
from ffngen.splat.binding import pose
from ffngen.splat.flow import ray_depth
from ffngen.splat.ply import read_avatar
from ffngen.splat.projection import project
from ffngen.splat.rasterise import rasterise

pytest.importorskip("numba", reason="numba is not installed")
pytest.importorskip("torch", reason="torch is not installed")

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"
WIDTH, HEIGHT, COUNT = 48, 60, 400
#: fl_x, fl_y, cx, cy as VHAP writes them: cy from the lower edge, both from the edge of the first pixel.
FL_X, FL_Y, CX, CY = 170.0, 176.0, 23.1, 31.7
FIELDS = (
    "x", "y", "z", "nx", "ny", "nz", "f_dc_0", "f_dc_1", "f_dc_2", "opacity", "scale_0", "scale_1", "scale_2",
    "rot_0", "rot_1", "rot_2", "rot_3", "binding_0",
)  # fmt: skip


def write_folder(folder: Path, faces: int) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """By struct: the values of each Gaussian (COUNT, 18), the tracking, and the camera."""
    rng = np.random.default_rng(6)
    rows = np.zeros((COUNT, len(FIELDS)))
    rows[:, 0:3] = rng.normal(scale=0.3, size=(COUNT, 3))
    rows[:, 6:9] = rng.normal(scale=1.0, size=(COUNT, 3))
    rows[:, 9] = rng.normal(loc=1, scale=1, size=COUNT)
    rows[:, 10:13] = rng.uniform(-0.5, 1.0, size=(COUNT, 3))
    rows[:, 13:17] = rng.normal(size=(COUNT, 4))
    rows[:, 17] = rng.integers(faces, size=COUNT)
    rows = rows.astype("f4").astype("f8")
    header = "ply\nformat binary_little_endian 1.0\n" + f"element vertex {COUNT}\n"
    header += "".join(f"property float {name}\n" for name in FIELDS) + "end_header\n"
    cloud = folder / "point_cloud" / "iteration_600"
    cloud.mkdir(parents=True)
    (cloud / "point_cloud.ply").write_bytes(header.encode() + b"".join(struct.pack("<18f", *row) for row in rows))
    sizes = {"rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "translation": 3, "expr": 100}
    tracking = {name: rng.normal(scale=0.05, size=(1, size)).astype("f4") for name, size in sizes.items()}
    tracking["shape"] = rng.normal(scale=0.5, size=300).astype("f4")
    tracking["static_offset"] = rng.normal(scale=1e-4, size=(1, 5023, 3)).astype("f4")
    (folder / "flame_param").mkdir()
    np.savez(folder / "flame_param" / "00003.npz", **tracking)
    c2w = np.eye(4)
    c2w[:3, :3] = Rotation.from_euler("yxz", [0.3, -0.1, 0.05]).as_matrix()
    c2w[:3, 3] = tracking["translation"][0] + c2w[:3, :3] @ [0.01, -0.02, 0.8]
    item = vhap_item(3, 0, c2w, (FL_X, FL_Y, CX, CY), (WIDTH, HEIGHT))
    write_json(folder / "transforms.json", {"frames": [item]})
    return rows, tracking, c2w


def posed_by_hand(file: Path, tracking: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and faces, from the model's file alone: blendshapes, joints, linear blend skinning."""
    with np.load(file, allow_pickle=False) as model:
        arrays = {name: model[name] for name in ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights")}
        parents = model["kintree_table"][0].astype(np.int64)
    own = np.float64(arrays["v_template"]) + tracking["static_offset"][0]
    shaped = own + np.tensordot(np.float64(arrays["shapedirs"][..., :300]), tracking["shape"], 1)
    shaped += np.tensordot(np.float64(arrays["shapedirs"][..., 300:400]), tracking["expr"][0], 1)
    joints = np.asarray(arrays["J_regressor"]) @ shaped
    angles = np.concatenate([tracking[n][0] for n in ("rotation", "neck_pose", "jaw_pose", "eyes_pose")]).reshape(5, 3)
    turns = Rotation.from_rotvec(np.float64(angles)).as_matrix()
    correctives = (turns[1:] - np.eye(3)).reshape(-1)
    posed = shaped + np.tensordot(np.float64(arrays["posedirs"]), correctives, 1)
    chain: list[np.ndarray] = []
    for j in range(5):
        local = np.eye(4)
        local[:3, :3] = turns[j]
        local[:3, 3] = joints[j] - (joints[parents[j]] if j else 0)
        chain.append(local if j == 0 else chain[parents[j]] @ local)
    bones = np.stack(chain)
    bones[:, :3, 3] -= np.einsum("jxy,jy->jx", bones[:, :3, :3], joints)
    blend = np.einsum("vj,jxy->vxy", np.float64(arrays["weights"]), bones)
    vertices = np.einsum("vxy,vy->vx", blend[:, :3, :3], posed) + blend[:, :3, 3] + tracking["translation"][0]
    return vertices, arrays["f"].astype(np.int64)


def picture_by_hand(rows: np.ndarray, vertices: np.ndarray, faces: np.ndarray, c2w: np.ndarray) -> np.ndarray:
    """(H, W, 4): colour and alpha, Gaussian by Gaussian, in VHAP's coordinates with rows from the lower edge."""
    view = np.linalg.inv(c2w)
    gaussians = []
    for row in rows:
        v0, v1, v2 = vertices[faces[int(row[17])]]
        a0 = (v1 - v0) / np.linalg.norm(v1 - v0)
        a1 = np.cross(a0, v2 - v0)
        a1 /= np.linalg.norm(a1)
        a2 = -np.cross(a1, a0)
        k = (np.linalg.norm(v1 - v0) + abs(a2 @ (v2 - v0))) / 2
        R = np.stack([a0, a1, a2], axis=1)
        turned = Rotation.from_quat(row[[14, 15, 16, 13]]).as_matrix()
        axes = view[:3, :3] @ R @ turned * (k * np.exp(row[10:13]))
        x, y, z = view[:3, :3] @ (k * R @ row[0:3] + (v0 + v1 + v2) / 3) + view[:3, 3]
        # OpenGL: the camera looks along -z; rows count upwards.
        J = np.array([[-FL_X / z, 0, FL_X * x / z**2], [0, -FL_Y / z, FL_Y * y / z**2]])
        planar = J @ axes @ axes.T @ J.T + 0.3 * np.eye(2)
        centre = np.array([FL_X * x / -z + CX, FL_Y * y / -z + CY])
        colour = np.maximum(0.28209479177387814 * row[6:9] + 0.5, 0)
        gaussians.append((-z, centre, np.linalg.inv(planar), 1 / (1 + np.exp(-row[9])), colour))
    gaussians.sort(key=lambda one: one[0])
    across, up = np.meshgrid(np.arange(WIDTH) + 0.5, HEIGHT - (np.arange(HEIGHT) + 0.5))
    light, picture = np.ones((HEIGHT, WIDTH)), np.zeros((HEIGHT, WIDTH, 4))
    going = np.ones((HEIGHT, WIDTH), dtype=bool)
    for _, centre, precision, opacity, colour in gaussians:
        x, y = across - centre[0], up - centre[1]
        square = precision[0, 0] * x * x + 2 * precision[0, 1] * x * y + precision[1, 1] * y * y
        weight = np.minimum(opacity * np.exp(-square / 2), 0.99)
        weight[weight < 1 / 255] = 0
        going &= light * (1 - weight) >= 1e-4
        weight[~going] = 0
        picture += (light * weight)[..., None] * [*colour, 1]
        light *= 1 - weight
    return picture


def write_covered_avatar(place: Path, faces: int, shape: np.ndarray) -> None:
    """An opaque, flat Gaussian on every face, and whose head it is."""
    rng = np.random.default_rng(8)
    rows = np.zeros((faces, len(FIELDS)))
    rows[:, 6:9] = rng.normal(scale=0.6, size=(faces, 3))
    rows[:, 9] = 5.0
    # Along the first side, the normal, and across: in units of the triangle's size.
    rows[:, 10:13] = np.log([0.6, 0.02, 0.6])
    rows[:, 13] = 1.0
    rows[:, 17] = np.arange(faces)
    place.mkdir(parents=True)
    header = "ply\nformat binary_little_endian 1.0\n" + f"element vertex {faces}\n"
    header += "".join(f"property float {name}\n" for name in FIELDS) + "end_header\n"
    (place / "point_cloud.ply").write_bytes(header.encode() + rows.astype("<f4").tobytes())
    sizes = {"rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "translation": 3, "expr": 100}
    tracking = {name: np.zeros((2, size), "f4") for name, size in sizes.items()}
    np.savez(place / "flame_param.npz", **tracking, shape=shape, static_offset=np.zeros((1, 5023, 3), "f4"))


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_an_avatar_is_driven_by_another_person_and_verifies(tmp_path: Path) -> None:
    model = load_head(SHARED, family="flame2023")
    shape = np.random.default_rng(9).normal(size=300).astype("f4")
    write_covered_avatar(tmp_path / "avatar" / "point_cloud" / "iteration_7", len(model.faces), shape)
    write_folder(tmp_path / "driver", len(model.faces))
    arguments = ["splat", "render", tmp_path / "avatar", "--head", SHARED, "--head-family", "flame2023"]
    arguments += ["--params", tmp_path / "driver", "--params-format", "gaussian-avatars", "--n-frames", "2"]
    arguments += ["--resolution", "128x128", "--out", tmp_path / "out"]
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    report = verify_dataset(tmp_path / "out")
    assert not report.failures
    (truth,) = report.truths
    # The mesh's own flow, as all Gaussians lie on it.
    assert max(figure.value for figure in truth.figures) < 0.1
    assert truth.facial_flow.pixels > 1000
    metadata = read_sequence(tmp_path / "out", complete_sequences(tmp_path / "out")[0])
    assert metadata.is_captured
    np.testing.assert_array_equal(np.float32(metadata.parameters.betas), shape)
    # Labels are the avatar's, found again where it was, and verified by the mesh's rays.
    done = CliRunner().invoke(main, ["label", str(tmp_path / "out"), "--add", "backward,occlusion", "--workers", "1"])
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ["verify", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    figures = {(one["fault"], one["what"]): one for one in json.loads(done.stdout)["labels"][0]["figures"]}
    assert figures["backward-flow", "median px"]["value"] < 0.1
    assert figures["forward-backward", "median px"]["value"] < 0.05
    assert figures["occlusion", "share on the head"]["value"] < 0.02
    assert all(one["count"] > 20 for one in figures.values())


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_a_folder_that_another_writer_wrote(tmp_path: Path) -> None:
    model = load_head(SHARED, family="flame2023")
    rows, tracking, c2w = write_folder(tmp_path, len(model.faces))
    wanted_vertices, faces = posed_by_hand(SHARED / "FLAME_NEUTRAL.npz", tracking)
    (one,) = read_gaussian_avatars(tmp_path)
    assert one.camera is not None
    vertices = sequence_vertices(model, make_sequence(one, 2))[0][-1]
    assert np.abs(vertices - wanted_vertices).max() < 1e-6
    np.testing.assert_array_equal(model.faces, faces)
    avatar = read_avatar(tmp_path)
    wanted = picture_by_hand(rows, wanted_vertices, faces, c2w)
    splats = project(pose(avatar, vertices, model.faces), one.camera)
    for backend in ("fast", "reference"):
        image = rasterise(splats, ray_depth(splats), backend=backend)  # type: ignore[arg-type]
        assert np.abs(image.colour - wanted[..., :3]).max() < 2e-3
        assert np.abs(image.alpha - wanted[..., 3]).max() < 2e-3
        assert np.abs(image.colour - wanted[..., :3]).mean() < 1e-5
    assert wanted[..., 3].max() > 0.9 and (wanted[..., 3] > 0.5).mean() > 0.05
