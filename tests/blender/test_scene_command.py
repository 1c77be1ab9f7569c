"""``ffngen scene``, and datasets of scenes whose camera moves or that were built in Blender, from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from ffngen.dataset.compose import compose
from ffngen.dataset.context import open_context
from ffngen.dataset.plan import plan_sequences
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.verify import verify_dataset
from ffngen.images import read_image
from ffngen.job import load_job

RUN = "from ffngen.cli import main; main()"


def ffngen(*options: object, fails: bool = False) -> str:
    """The command in a process of its own; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, options)], capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == (2 if fails else 0), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr if fails else done.stdout


def test_list() -> None:
    found = json.loads(ffngen("scene", "list", "--json"))
    assert {"portrait", "passport", "window_light", "varied", "handheld", "closeup", "wide_offcentre"} <= set(found)
    assert all(10 < len(text) < 110 and not text.startswith("#") for text in found.values())


def test_preview(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    options = ("--resolution", "48x40", "--samples", 1, "--draws", 2, "--json")
    ffngen("scene", "preview", "passport", "--out", out, *options)
    picture = read_image(out)
    cells = [picture[4:44, 4 + x * 52 : 52 + x * 52] for x in range(2)]
    assert all(cell.shape == (40, 48, 3) and cell.std() > 20 for cell in cells)
    assert cells[0].tobytes() != cells[1].tobytes()
    # Before a plain wall the corner is one grey.
    assert np.ptp(cells[0][:4, :4].astype(int)) <= 1


def test_mistakes(tmp_path: Path) -> None:
    assert "no scene preset 'moon'" in ffngen("scene", "preview", "moon", "--out", tmp_path / "a.png", fails=True)
    assert "no folder" in ffngen("scene", "export", "portrait", tmp_path / "none" / "a.blend", fails=True)
    assert "no name of a .blend" in ffngen("scene", "export", "portrait", tmp_path / "a.png", fails=True)
    assert "cannot be read" in ffngen("render", "--scene", tmp_path / "none.blend", "--out", tmp_path / "o", fails=True)
    (tmp_path / "bad.yaml").write_text("camera: {focal_length_mm: 50}\nlighting: {rigs: [torch]}\n")
    assert "lighting.rigs.0" in ffngen("render", "--scene", tmp_path / "bad.yaml", "--out", tmp_path / "o", fails=True)
    assert not any(path.suffix != ".yaml" for path in tmp_path.iterdir())


def test_an_exported_scene_is_a_template(tmp_path: Path) -> None:
    """The dataset that is rendered with it has the camera of the preset that it came from."""
    blend = tmp_path / "mine.blend"
    ffngen("scene", "export", "portrait", blend, "--resolution", "64x64", "--n-frames", 2)
    job = {"resolution": "64x64", "samples": 2, "n_frames": 2, "device": "cpu"}
    (tmp_path / "job.yaml").write_text(json.dumps({**job, "scene": "mine.blend"}))
    ffngen("render", tmp_path / "job.yaml", "--out", tmp_path / "out")
    report = verify_dataset(tmp_path / "out")
    assert report.passed, [str(failure) for failure in report.failures]
    context = open_context(load_job(None, job))
    composed = compose(context, plan_sequences(context.job, context.source)[0])
    pair = FlowDataset(tmp_path / "out")[0]
    found, expected = pair.metadata.get_camera(1), composed.request.camera
    np.testing.assert_allclose(found.K, expected.K, rtol=1e-5)
    np.testing.assert_allclose(found.T_world_cam, expected.T_world_cam, atol=1e-6)
    assert abs(pair.metadata.background_depth - composed.request.background_depth) < 1e-5
    assert pair.metadata.scene["preset"] == "mine.blend"
    beside = cv2.dilate(pair.mask, np.ones((7, 7), np.uint8)) == 0
    assert np.abs(pair.image1.astype(int) - composed.background)[beside].mean() < 6


def test_a_handheld_dataset_holds_its_bounds(tmp_path: Path) -> None:
    """Its flow, in every pixel, and its pictures: one warped by the flow beside the head is the other."""
    (tmp_path / "calm.yaml").write_text("camera: {focal_length_mm: 60, handheld: 3, fill: 0.6}")
    options = ("--resolution", "96x80", "--samples", 2, "--n-frames", 3, "--device", "cpu", "--image-format", "png")
    ffngen("render", "--scene", tmp_path / "calm.yaml", "--out", tmp_path / "out", *options)
    report = verify_dataset(tmp_path / "out")
    assert report.passed, [str(failure) for failure in report.failures]
    (truth,) = report.truths
    assert max(truth.facial_flow.p99, truth.head_flow.p99, truth.background_flow.p99) <= 1e-3
    assert max(truth.facial_flow.max, truth.head_flow.max, truth.background_flow.max) <= 0.05
    assert max(truth.depth.p99, truth.background_depth.p99) <= 1e-4
    data = FlowDataset(tmp_path / "out")
    for pair in (data[i] for i in range(len(data))):
        beside = pair.mask == 0
        moved = np.hypot(*pair.facial_flow[beside].T)
        assert moved.min() > 0.02 and moved.max() < 40
        assert not pair.expression_flow[beside].any()
    poses = data[0].metadata.camera_poses
    assert poses is not None and len({str(pose) for pose in poses}) == 3
