"""Parity with smplx.FLAME, on a made model of FLAME's full width and on the reduced FLAME 2023 Open."""

import pickle
import shutil
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from ffngen.head.flame import read_model
from ffngen.head.load import load_head
from ffngen.head.model import HeadModel

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"
FRAMES = 4
TOLERANCE = 1e-6


def made_flame() -> dict[str, np.ndarray]:
    """A random model of FLAME's size, with vertices and bases of a head's magnitude."""
    rng = np.random.default_rng(5)
    vertices = 5023
    weights = rng.dirichlet(np.full(5, 0.3), size=vertices)
    regressor = scipy.sparse.random(5, vertices, density=0.01, random_state=7).toarray()
    return {
        "v_template": rng.normal(scale=0.08, size=(vertices, 3)),
        "f": rng.integers(0, vertices, size=(9976, 3)).astype(np.uint32),
        "shapedirs": rng.normal(scale=1e-3, size=(vertices, 3, 400)).astype(np.float32).astype(np.float64),
        "posedirs": rng.normal(scale=1e-2, size=(vertices, 3, 36)),
        "J_regressor": regressor / regressor.sum(axis=1, keepdims=True),
        "weights": weights,
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], range(5)], dtype=np.uint32),
    }


@pytest.fixture(scope="module")
def made_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flame2023")
    np.savez(folder / "FLAME_NEUTRAL.npz", **made_flame())
    return folder


@pytest.fixture()
def chumpy(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A module whose class pickles as chumpy's does."""
    module = types.ModuleType("chumpy.ch")
    module.Ch = type("Ch", (), {"__module__": "chumpy.ch"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "chumpy", types.ModuleType("chumpy"))
    monkeypatch.setitem(sys.modules, "chumpy.ch", module)
    return module


def _smplx_vertices(folder: Path, betas: np.ndarray, expression: np.ndarray, pose: np.ndarray) -> np.ndarray:
    smplx = pytest.importorskip("smplx")
    torch = pytest.importorskip("torch")
    embedding = {"lmk_face_idx": np.zeros(51, dtype=np.uint32), "lmk_b_coords": np.full((51, 3), 1 / 3)}
    (folder / "flame_static_embedding.pkl").write_bytes(pickle.dumps(embedding))
    oracle = smplx.create(
        str(folder.parent),
        model_type="flame",
        ext="npz",
        num_betas=len(betas),
        num_expression_coeffs=expression.shape[1],
        batch_size=len(pose),
        dtype=torch.float64,
    )
    joints = torch.from_numpy(pose).reshape(len(pose), 5, 3)
    with torch.no_grad():
        vertices = oracle(
            betas=torch.from_numpy(np.tile(betas, (len(pose), 1))),
            expression=torch.from_numpy(expression),
            global_orient=joints[:, 0],
            neck_pose=joints[:, 1],
            jaw_pose=joints[:, 2],
            leye_pose=joints[:, 3],
            reye_pose=joints[:, 4],
        ).vertices
    return np.asarray(vertices.numpy())


def _check_parity(model: HeadModel, source: Path, tmp_path: Path, shape_count: int) -> None:
    rng = np.random.default_rng(11)
    betas = rng.normal(size=shape_count)
    expression = rng.normal(size=(FRAMES, 100))
    pose = rng.normal(scale=0.4, size=(FRAMES, 15))
    folder = tmp_path / "flame"
    folder.mkdir()
    shutil.copy(source, folder / "FLAME_NEUTRAL.npz")
    expected = _smplx_vertices(folder, betas, expression, pose)
    found = model.vertices(betas, expression, pose)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= TOLERANCE
    assert np.abs(found - model.template).max() > 0.05


def test_made_flame_npz_agrees_with_smplx(made_folder: Path, tmp_path: Path) -> None:
    _check_parity(load_head(made_folder), made_folder / "FLAME_NEUTRAL.npz", tmp_path, shape_count=300)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is absent")
def test_flame_2023_open_agrees_with_smplx(tmp_path: Path) -> None:
    model = load_head(SHARED)
    assert (model.family, model.vertex_count, model.shape_count) == ("flame2023_open", 5023, 300)
    _check_parity(model, SHARED / "FLAME_NEUTRAL.npz", tmp_path, shape_count=300)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_pickle_with_chumpy_and_sparse_is_the_same_model(
    made_folder: Path, tmp_path: Path, chumpy: types.ModuleType, protocol: int
) -> None:
    arrays: dict[str, Any] = dict(made_flame())
    arrays["J_regressor"] = scipy.sparse.csc_matrix(arrays["J_regressor"])
    for key in ("v_template", "shapedirs", "weights"):
        plain = chumpy.Ch()
        plain.__dict__.update(x=arrays[key], _dirty_vars=set(), _itr=None)
        arrays[key] = plain
    flat = arrays["posedirs"].ravel()
    order = np.random.default_rng(0).permutation(flat.size)
    shuffled = np.empty_like(flat)
    shuffled[order] = flat
    base, selection = chumpy.Ch(), chumpy.Ch()
    base.__dict__.update(x=shuffled)
    selection.__dict__.update(a=base, idxs=order, preferred_shape=(5023, 3, 36))
    arrays["posedirs"] = selection
    arrays["bs_style"], arrays["bs_type"] = "lbs", "lrotmin"
    path = tmp_path / "flame2023.pkl"
    path.write_bytes(pickle.dumps(arrays, protocol=protocol))
    assert read_model(path).digest == read_model(made_folder / "FLAME_NEUTRAL.npz").digest
