"""EMOCA's output folders, rendered from the command line with a FLAME model and verified."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ffngen.cli import main
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.verify import verify_dataset
from ffngen.head.load import load_head

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "flame2023_open_lite"

pytestmark = [
    pytest.mark.bpy,
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/flame2023_open_lite"),
]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two of EMOCA's folders on the reduced model, which stands in for FLAME 2020: the schema is the same."""
    root = tmp_path_factory.mktemp("emoca")
    model = root / "FLAME2020"
    model.mkdir()
    shutil.copy(SHARED / "FLAME_NEUTRAL.npz", model / "generic_model.npz")
    rng = np.random.default_rng(3)
    for emotion, stem in (("happy", "ann00"), ("sad", "bob00")):
        folder = root / "codes" / emotion / stem
        folder.mkdir(parents=True)
        np.save(folder / "shape.npy", rng.normal(size=100).astype(np.float32))
        np.save(folder / "exp.npy", rng.normal(size=50).astype(np.float32))
        np.save(folder / "pose.npy", np.array([0.05, 0.2, -0.1, 0.25, 0.0, 0.0], dtype=np.float32))
        np.save(folder / "tex.npy", rng.normal(size=50).astype(np.float32))
        np.save(folder / "detail.npy", rng.normal(size=128).astype(np.float32))
    arguments = ["--params", root / "codes", "--head", model, "--resolution", "96x80", "--samples", "1"]
    arguments += ["--n-frames", "3"]
    result = CliRunner().invoke(main, ["render", *map(str, arguments), "--out", str(root / "out"), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rendered"] == 2
    return root


def test_emoca_renders_and_verifies(dataset: Path) -> None:
    report = verify_dataset(dataset / "out")
    assert report.passed, [str(failure) for failure in report.failures]


def test_the_last_frame_is_emocas_pose(dataset: Path) -> None:
    read = FlowDataset(dataset / "out")
    model = load_head(dataset / "FLAME2020")
    emotions = set()
    for pair in (read[i] for i in range(len(read))):
        metadata = pair.metadata
        emotions.add(metadata.emotion)
        code = dataset / "codes" / metadata.identity
        pose = np.load(code / "pose.npy").astype(np.float64)
        whole = np.concatenate([pose[:3], np.zeros(3), pose[3:], np.zeros(6)])
        expected = model.vertices(np.load(code / "shape.npy"), np.load(code / "exp.npy")[None], whole[None])
        np.testing.assert_allclose(pair.vertices.facial[-1, : expected.shape[1]], expected[0], atol=1e-7)
    assert emotions == {"happy", "sad"}
