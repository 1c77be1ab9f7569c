"""``ffngen render``, then ``verify_dataset``: small datasets from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ffngen.dataset.read import FlowDataset
from ffngen.dataset.verify import verify_dataset

RUN = "from ffngen.cli import main; main()"
SHARED = Path(__file__).resolve().parents[2].parent / "shared"

OFF_CENTRE = """
camera:
  focal_length_mm: [70, 90]
  fill: [0.8, 0.9]
  offset_x: [0.2, 0.25]
  offset_y: [-0.2, -0.1]
"""


def render(*options: str) -> dict[str, object]:
    """The command in a process of its own; the result that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, "render", "--json", "--device", "cpu", "--samples", "2", *options],
        capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def assert_verified(out: Path, *, pairs: int) -> FlowDataset:
    """Every file is right, the truth is exact, and there is motion in it."""
    report = verify_dataset(out)
    assert not report.failures
    assert report.pairs == pairs
    for truth in report.truths:
        assert truth.facial_flow.p99 <= 1e-3 and truth.facial_flow.max <= 0.05
        assert truth.head_flow.p99 <= 1e-3 and truth.head_flow.max <= 0.05
        assert truth.depth.p99 <= 1e-4
        assert truth.facial_flow.pixels > 200
    data = FlowDataset(out)
    for pair in (data[i] for i in range(len(data))):
        mask = pair.mask.astype(bool)
        assert mask.mean() > 0.1
        assert np.hypot(*pair.facial_flow[mask].T).max() > 0.05
        assert not pair.expression_flow[~mask].any()
    return data


def test_the_open_head(tmp_path: Path) -> None:
    """Two lengths, with the neutral frame; the default formats."""
    out = tmp_path / "dataset"
    render("--out", str(out), "--n-frames", "2,3", "--include-neutral", "--resolution", "64x64", "--emotion", "happy")
    data = assert_verified(out, pairs=5)
    pair = data.pairs(data.sequences[0])[0]
    assert pair.frame == 0
    assert np.abs(pair.expression_flow).max() > 0.01
    off = ~(pair.mask | data.pairs(data.sequences[0])[1].mask).astype(bool)
    assert pair.image1.shape == (64, 64, 3)
    assert np.abs(pair.image1.astype(int) - pair.image2)[off].mean() < 6


def test_off_centre_in_other_formats(tmp_path: Path) -> None:
    """The head to one side of a wide picture; EXR flow, PNG images: the background is equal to the bit."""
    out, scene = tmp_path / "dataset", tmp_path / "off_centre.yaml"
    scene.write_text(OFF_CENTRE, encoding="utf-8")
    render(
        "--out", str(out), "--n-frames", "2", "--resolution", "120x72", "--scene", str(scene), "--flow-format", "exr",
        "--image-format", "png", "--seed", "3", "--emotion", "surprise", "--labels", "all", "--label-pairs", "2",
    )  # fmt: skip
    data = assert_verified(out, pairs=1)
    assert {"segmentation", "occlusion", "landmarks-on-uv"} <= {f.fault for f in verify_dataset(out).labels[0].figures}
    pair = data[0]
    K = data.metadata(data.sequences[0]).get_camera(1).K
    assert abs(K[0, 2] - 59.5) > 10
    columns = np.nonzero(pair.mask)[1]
    assert columns.mean() > 70
    far = np.ones_like(pair.mask, dtype=bool)
    far[:, columns.min() - 12 :] = False
    assert far.sum() > 500
    np.testing.assert_array_equal(pair.image1[far], pair.image2[far])
    np.testing.assert_array_equal(pair.image1[far], pair.head_image2[far])


@pytest.mark.shared
def test_flame_2023_open(tmp_path: Path) -> None:
    """The licensed family's open edition: random identity and jaw."""
    model = SHARED / "flame2023_open_lite"
    if not model.is_dir():
        pytest.skip(f"there is no {model}")
    out = tmp_path / "dataset"
    render(
        "--out", str(out), "--head", str(model), "--head-family", "flame2023_open", "--n-frames", "2",
        "--resolution", "80x96", "--seed", "1",
    )  # fmt: skip
    data = assert_verified(out, pairs=1)
    parameters = data.metadata(data.sequences[0]).parameters
    assert np.abs(parameters.betas).max() > 0.5
    assert np.abs(parameters.pose).max() > 0.01
