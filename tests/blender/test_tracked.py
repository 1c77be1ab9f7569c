"""A tracked video, rendered through its own moving camera before its own pictures, and verified."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.spatial.transform import Rotation

from ffngen.cli import main
from ffngen.dataset.read import FlowDataset
from ffngen.dataset.verify import verify_dataset
from ffngen.geometry.camera import Camera
from ffngen.head.load import load_head
from ffngen.motion.sequence import make_sequence
from ffngen.motion.vertices import sequence_vertices
from ffngen.params.arkit import ARKIT_ACTIONS
from ffngen.params.sampler import sample_parameter_set
from ffngen.params.table import write_parameter_sets

pytestmark = pytest.mark.bpy

FRAMES = 4


def render(*arguments: object) -> dict[str, object]:
    result = CliRunner().invoke(
        main, ["render", *map(str, arguments), "--samples", "1", "--motion", "tracked", "--json"]
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def camera(i: int) -> Camera:
    T = np.eye(4)
    T[:3, :3] = Rotation.from_rotvec([0, 0.02 * i, 0]).as_matrix() @ np.diag([1.0, -1, -1])
    T[:3, 3] = [0.03, 1.58 + 0.003 * i, 1.1]
    return Camera(np.array([[330.0, 0, 90], [0, 330, 70], [0, 0, 1]]), T, 192, 160)


def test_a_moving_camera_and_its_pictures(tmp_path: Path) -> None:
    model = load_head("open")
    one = sample_parameter_set(model.shape_count, model.expression_names, seed=3, identity_index=0, emotion="happy")
    head = sequence_vertices(model, make_sequence(one, 2))[0][-1]
    middle = head.mean(0) - [0.03, 1.58, 0]
    track = [
        replace(
            one, pose=one.pose * i / FRAMES, expression=one.expression * i / FRAMES, translation=-middle,
            camera=camera(i), track="clip", frame=i, image=f"video/{i:04d}.png",
        )
        for i in range(1, FRAMES + 1)
    ]  # fmt: skip
    write_parameter_sets(tmp_path / "clip.parquet", track)
    (tmp_path / "video").mkdir()
    y, x = np.mgrid[:160, :192]
    picture = np.stack([x, y, 128 + 0 * x], -1).astype(np.uint8)
    for i in range(1, FRAMES + 1):
        Image.fromarray(picture).save(tmp_path / "video" / f"{i:04d}.png")
    arguments = ("--params", tmp_path / "clip.parquet", "--camera", "tracked", "--source-images", tmp_path / "video")
    report = render(
        *arguments, "--resolution", "96x80", "--image-format", "png", "--props", "none", "--out", tmp_path / "out"
    )
    assert report["rendered"] == 1
    verified = verify_dataset(tmp_path / "out")
    assert verified.passed, [str(failure) for failure in verified.failures]
    data = FlowDataset(tmp_path / "out")
    assert len(data) == FRAMES - 1
    metadata = data[0].metadata
    assert metadata.motion_scale is None and metadata.motion["kind"] == "tracked"
    assert metadata.get_camera(1) == camera(1).resized(96, 80)
    # Where the head is in each picture is where the frame's own camera saw it.
    for i, pair in enumerate(data, 1):
        moving = sequence_vertices(model, make_sequence(track[i - 1], 2))[0][-1]
        expected, _ = camera(i).resized(96, 80).project(moving)
        found, _ = metadata.get_camera(i).project(pair.vertices.facial[i - 1, : len(moving)])
        np.testing.assert_allclose(found, expected, atol=1e-2)
        ys, xs = np.nonzero(pair.mask)
        inside = (expected > -0.5).all(1) & (expected[:, 0] < 95.5) & (expected[:, 1] < 79.5)
        assert abs(xs.min() - expected[inside, 0].min()) < 1.5 and abs(ys.min() - expected[inside, 1].min()) < 1.5
        corner = pair.image1[:6, :6].astype(int)
        np.testing.assert_allclose(corner, np.array(Image.fromarray(picture).resize((96, 80)))[:6, :6], atol=2)


def test_a_recording_of_arkit(tmp_path: Path) -> None:
    """Two seconds at 60 frames per second: the mouth opens, smiles and closes while the head looks round."""
    frames = 120
    names = [name[0].upper() + name[1:] for name in ARKIT_ACTIONS]
    with (tmp_path / "take.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Timecode", "BlendshapeCount", *names, "HeadYaw", "HeadPitch", "HeadRoll"])
        for i in range(frames):
            phase = 2 * np.pi * i / (frames - 1)
            moving = {"JawOpen": (1 - np.cos(phase)) / 2, "MouthSmileLeft": (1 - np.cos(2 * phase)) / 2}
            values = [f"{moving.get(name, 0.0):.6f}" for name in names]
            head = [f"{angle:.6f}" for angle in (0.4 * np.sin(phase), 0.15 * np.sin(2 * phase), 0.0)]
            writer.writerow([f"10:00:{i // 60:02d}:{i % 60:02d}.000", 61, *values, *head])
    report = render("--params", tmp_path / "take.csv", "--resolution", "48", "--out", tmp_path / "out")
    assert report["rendered"] == 1
    verified = verify_dataset(tmp_path / "out")
    assert verified.passed, [str(failure) for failure in verified.failures]
    data = FlowDataset(tmp_path / "out")
    assert [pair.metadata.sequence for pair in data] == ["take_s1"] * (frames - 1)
    # Both motions are there: the face's own is the mouth's, and the head's is the whole head's.
    moved = {"expression_flow": [], "head_flow": []}
    for pair in (data[i] for i in range(20, frames - 1, 33)):
        for name, lengths in moved.items():
            flow = np.linalg.norm(getattr(pair, name)[pair.mask == 1], axis=-1)
            lengths.append((np.median(flow), flow.max()))
    assert all(median < 1e-3 and most > 0.03 for median, most in moved["expression_flow"]), moved
    assert all(median > 0.02 for median, _ in moved["head_flow"]), moved
