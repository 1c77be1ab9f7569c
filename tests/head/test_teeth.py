"""FLAME with teeth, as VHAP and GaussianAvatars have it, and the trackers' eyelids."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

from ffngen.errors import FfngenError, HeadModelError
from ffngen.head import flame_topology, teeth
from ffngen.head.companions import EYELID_NAMES
from ffngen.head.flame import read_model
from ffngen.head.landmarks import LandmarkEmbedding
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel
from ffngen.head.uv_map import UvMap

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")

V, F = 5023, 9976


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> HeadModel:
    """A random model of FLAME's size, taken for FLAME."""
    monkeypatch.setattr(flame_topology, "is_flame", lambda faces: len(faces) >= F)
    rng = np.random.default_rng(3)
    faces = rng.integers(0, V, size=(F, 3)).astype(np.int32)
    return HeadModel(
        family="flame2023",
        version="2023",
        template=rng.normal(scale=0.08, size=(V, 3)),
        faces=faces,
        shape_basis=rng.normal(scale=1e-3, size=(V, 3, 6)).astype(np.float32),
        expression_basis=rng.normal(scale=1e-3, size=(V, 3, 4)).astype(np.float32),
        pose_basis=rng.normal(scale=1e-3, size=(V, 3, 36)).astype(np.float32),
        joint_regressor=scipy.sparse.csr_matrix(rng.dirichlet(np.ones(V), size=5)),
        skin_weights=rng.dirichlet(np.ones(5), size=V),
        parents=(-1, 0, 1, 1, 1),
        uv=UvMap(rng.random((5118, 2)).astype(np.float32), rng.integers(0, 5118, size=(F, 3)).astype(np.int32)),
        regions={"lips": np.arange(9, dtype=np.int32)},
        landmarks=LandmarkEmbedding(np.arange(68, dtype=np.int32), rng.dirichlet(np.ones(3), size=68), faces),
        expression_names=(),
        path=Path("made"),
        eyelids=rng.normal(scale=1e-3, size=(2, V, 3)).astype(np.float32),
    )


def test_counts_and_what_stays(made: HeadModel) -> None:
    model = teeth.with_teeth(made)
    assert (model.vertex_count, len(model.faces)) == (5143, 10144)
    for name in ("template", "shape_basis", "expression_basis", "pose_basis", "skin_weights"):
        assert getattr(model, name)[:V].tobytes() == getattr(made, name).tobytes(), name
        assert getattr(model, name).dtype == getattr(made, name).dtype, name
    assert (model.faces[:F] == made.faces).all()
    assert model.faces.dtype == np.int32
    assert (model.joint_regressor[:, :V] != made.joint_regressor).nnz == 0
    assert model.joint_regressor[:, V:].nnz == 0
    assert not model.expression_basis[V:].any()
    assert not model.pose_basis[V:].any()
    assert (model.regions["teeth"] == np.arange(9976, 10144)).all()
    assert (model.regions["lips"] == made.regions["lips"]).all()
    assert model.eyelids is not None
    assert model.eyelids.shape == (2, 5143, 3)
    assert not model.eyelids[:, V:].any()
    assert model.landmarks is not None
    assert made.landmarks is not None
    np.testing.assert_array_equal(model.landmarks.evaluate(model.template), made.landmarks.evaluate(made.template))
    assert model.digest != made.digest
    with pytest.raises(HeadModelError, match="teeth fit FLAME's 5023 vertices"):
        teeth.with_teeth(model)


def test_geometry_from_the_lips(made: HeadModel) -> None:
    """The published construction, step by step."""
    upper, lower = made.template[list(teeth.UPPER_RING)], made.template[list(teeth.LOWER_RING)]
    d = np.linalg.norm(upper - lower, axis=1).mean()
    middle = (upper + lower) / 2
    middle[:, 1] = middle[:, 1].mean()
    middle[:, 2] -= 1.5 * d
    up, back = np.array([0, d, 0]), np.array([0, 0, -d])
    upper_edge = middle + 0.1 * up
    upper_root = upper_edge + 2 * up
    lower_edge = middle - 0.1 * up + 0.4 * back
    lower_root = lower_edge - 2 * up
    expected = [
        *(upper_root, lower_root, upper_edge, lower_edge),
        *(upper_root + back, upper_edge + back, lower_root + back, lower_edge + back),
    ]
    model = teeth.with_teeth(made)
    np.testing.assert_allclose(model.template[V:], np.concatenate(expected), rtol=0, atol=1e-15)
    lips = (made.shape_basis[list(teeth.UPPER_RING)] + made.shape_basis[list(teeth.LOWER_RING)]) / 2
    np.testing.assert_array_equal(model.shape_basis[V:], np.tile(lips, (8, 1, 1)))


def test_faces_are_the_published_ones() -> None:
    """Some of the published list, by number, from each part of it."""
    faces = teeth.teeth_faces().tolist()
    assert len(faces) == 168
    # Front, back and edge of the upper teeth (28 each), then of the lower ones.
    assert faces[0:2] + faces[26:28] == [[0, 31, 30], [0, 1, 31], [13, 14, 43], [14, 44, 43]]
    assert faces[12:16] == [[6, 37, 36], [6, 7, 37], [7, 8, 37], [8, 38, 37]]
    assert faces[28:30] + faces[42:44] == [[60, 75, 76], [60, 76, 61], [67, 82, 68], [68, 82, 83]]
    assert faces[56:58] + faces[68:72] == [
        [75, 30, 76],
        [76, 30, 31],
        [81, 36, 82],
        [82, 36, 37],
        [82, 37, 38],
        [82, 38, 83],
    ]
    assert faces[84:86] + faces[96:100] == [
        [45, 46, 15],
        [46, 16, 15],
        [51, 52, 21],
        [52, 22, 21],
        [52, 23, 22],
        [52, 53, 23],
    ]
    assert faces[112:114] + faces[126:128] == [[90, 106, 105], [90, 91, 106], [97, 98, 112], [98, 113, 112]]
    assert faces[140:142] + faces[154:156] == [[105, 106, 45], [106, 46, 45], [112, 53, 52], [112, 113, 53]]
    assert faces[166:168] == [[118, 59, 58], [118, 119, 59]]
    assert np.unique(faces).tolist() == list(range(120))
    # Each row of teeth is a strip without holes: an edge inside it has a face on either side, once in each direction.
    directed = [tuple(face[k] for k in pair) for face in faces for pair in ((0, 1), (1, 2), (2, 0))]
    assert len(set(directed)) == len(directed)
    inside = sum((b, a) in set(directed) for a, b in directed)
    assert (len(directed) - inside, inside) == (2 * (2 * 14 + 2 * 3), 2 * (84 * 3 - 34) // 2 * 2)


def test_texture_coordinates(made: HeadModel) -> None:
    uv = teeth.with_teeth(made).uv
    assert uv is not None
    assert uv.coordinates.shape == (5238, 2)
    assert uv.faces.shape == (10144, 3)
    np.testing.assert_array_equal(uv.faces[F:] - 5118, teeth.teeth_faces())
    heights = np.linspace(1 - 0.0083, 1 - 0.0425, 7)
    for row, height in enumerate([3, 2, 0, 1, 3, 4, 6, 5]):
        part = uv.coordinates[5118 + 15 * row : 5118 + 15 * (row + 1)]
        np.testing.assert_allclose(part[:, 0], np.linspace(0.62, 0.38, 15), atol=1e-7)
        np.testing.assert_allclose(part[:, 1], heights[height], atol=1e-7)


UPPER = np.r_[0:15, 30:45, 60:90] + V
LOWER = np.r_[15:30, 45:60, 90:120] + V


def test_lower_teeth_follow_the_jaw_and_upper_teeth_the_neck(made: HeadModel) -> None:
    model = teeth.with_teeth(made)
    pose = np.zeros((3, 15))
    pose[1, 6:9] = [0.3, 0, 0]
    pose[2, 3:6] = [0, 0.2, 0]
    rest, jaw, neck = model.vertices([], np.zeros((3, 0)), pose).astype(np.float64)
    joint = model.joint_regressor @ model.template
    c, s = np.cos(0.3), np.sin(0.3)
    turned = (rest[LOWER] - joint[2]) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T + joint[2]
    np.testing.assert_allclose(jaw[LOWER], turned, atol=1e-7)
    assert (jaw[UPPER] == rest[UPPER]).all()
    c, s = np.cos(0.2), np.sin(0.2)
    turned = (rest[V:] - joint[1]) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T + joint[1]
    np.testing.assert_allclose(neck[V:], turned, atol=1e-7)


@pytest.mark.shared
@needs_shared
def test_teeth_of_flame_lie_behind_the_lips(tmp_path: Path) -> None:
    bare, model = load_head(SHARED), load_head(SHARED, teeth=True)
    assert (model.vertex_count, len(model.faces), model.family) == (5143, 10144, "flame2023_open")
    assert model.version == "2023 open with teeth"
    lips = model.template[np.unique(model.faces[model.regions["lips"]])]
    found = model.template[V:]
    assert found[:, 2].max() < lips[:, 2].max()
    assert (np.abs(found[:, 0]) < np.abs(lips[:, 0]).max()).all()
    assert model.template[UPPER, 1].min() > model.template[LOWER, 1].max()
    # The columns run from the left corner of the mouth to the right one.
    assert (np.diff(found[:15, 0]) < 0).all()
    # Fronts look forward, and every normal is of a real triangle.
    corners = model.template[model.faces[F:]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert np.linalg.norm(normals, axis=1).min() > 0
    assert normals[0:28, 2].mean() > 0 > normals[28:56, 2].mean()
    assert normals[84:112, 2].mean() > 0 > normals[112:140, 2].mean()
    # Static offsets of the trackers are for this many vertices, in float32, and leave the skin where it was.
    pose = np.zeros((1, 15))
    pose[0, 6] = 0.2
    betas = np.linspace(-1, 1, 20)
    with_offset = model.vertices(betas, np.zeros((1, 0)), pose)
    assert (with_offset[0, :V] == bare.vertices(betas, np.zeros((1, 0)), pose)[0]).all()


def test_the_open_head_has_its_own() -> None:
    with pytest.raises(HeadModelError, match="teeth of its own"):
        load_head("open", teeth=True)


# Eyelids. ---------------------------------------------------------------------------------------------------------


def small(folder: Path, vertices: int = 12) -> Path:
    """The smallest model, in a folder of its own."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(0)
    np.savez(
        folder / "flame2020.npz",
        v_template=rng.normal(size=(vertices, 3)),
        f=rng.integers(0, vertices, size=(10, 3)).astype(np.uint32),
        shapedirs=rng.normal(size=(vertices, 3, 6)),
        posedirs=rng.normal(size=(vertices, 3, 36)),
        J_regressor=np.full((5, vertices), 1.0 / vertices),
        weights=np.full((vertices, 5), 0.2),
        kintree_table=np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], dtype=np.uint32),
        shape_count=np.array(4),
    )
    return folder / "flame2020.npz"


@pytest.mark.parametrize("frames", [False, True])
def test_eyelids_come_from_the_files_beside_the_model(frames: bool, tmp_path: Path) -> None:
    path = small(tmp_path / "a")
    bare = read_model(path)
    assert bare.eyelids is None
    lids = np.random.default_rng(1).normal(scale=1e-3, size=(2, 12, 3))
    for name, lid in zip(EYELID_NAMES, lids, strict=True):
        np.save(path.parent / name, lid[None] if frames else lid)
    model = read_model(path)
    assert model.eyelids is not None
    np.testing.assert_array_equal(model.eyelids, lids.astype(np.float32))
    assert model.eyelids.dtype == np.float32
    assert not model.eyelids.flags.writeable
    assert model.digest != bare.digest


def test_the_digest_of_a_model_without_eyelids_is_as_ever(tmp_path: Path) -> None:
    """Recorded before models had eyelids."""
    assert read_model(small(tmp_path / "a")).digest == RECORDED


RECORDED = "862ca4301a2dcac41b5a96f01555fb0c96d74d49b75c1f5db3d25e9f2464dcb3"


def _save(name: str, array: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: np.save(folder / name, array)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "r_eyelid.npy").unlink(), "is missing, and the other lid is there"),
        (_save("l_eyelid.npy", np.zeros((13, 3))), "'lid' has shape"),
        (_save("l_eyelid.npy", np.zeros((2, 12, 3))), "'lid' has shape"),
        (_save("l_eyelid.npy", np.full((12, 3), np.nan)), "not finite"),
        (_save("l_eyelid.npy", np.full((12, 3), 3.0)), "moves a vertex by 3 m"),
        (_save("l_eyelid.npy", np.full((12, 3), "x")), "not numbers"),
        (lambda folder: (folder / "l_eyelid.npy").write_bytes(b"\x93NUMPY"), "not a readable .npy file"),
        (lambda folder: (folder / "l_eyelid.npy").write_bytes(b""), "not a readable .npy file"),
    ],
)
def test_damaged_eyelids_are_one_line(spoil: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    path = small(tmp_path / "a")
    for name in EYELID_NAMES:
        np.save(path.parent / name, np.zeros((12, 3)))
    spoil(path.parent)
    with pytest.raises(FfngenError) as caught:
        read_model(path)
    assert message in str(caught.value)
    assert "eyelid.npy" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.shared
@needs_shared
def test_eyelids_of_flame_with_teeth(tmp_path: Path) -> None:
    shutil.copytree(SHARED, tmp_path / "flame2023_open")
    for name in EYELID_NAMES:
        np.save(tmp_path / "flame2023_open" / name, np.full((V, 3), 1e-4))
    model = load_head(tmp_path / "flame2023_open", teeth=True)
    assert model.eyelids is not None
    assert (model.eyelids[:, :V] > 0).all()
    assert not model.eyelids[:, V:].any()
