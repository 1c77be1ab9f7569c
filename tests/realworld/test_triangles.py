"""Flow of triangulated landmarks: exact within triangles, invalid elsewhere, and a dataset that is trained on."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from real_sets import HEIGHT, WIDTH, flow, landmarks, moved, pictures, write_ck_landmarks
from scipy.spatial import Delaunay

from ffngen.cli import main
from ffngen.errors import InputFileError
from ffngen.flow.files import read_flow
from ffngen.flow.values import known
from ffngen.realworld.frame_landmarks import read_frame_landmarks
from ffngen.realworld.triangles import triangle_flow


def run(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    if code:
        assert len(done.output.strip().splitlines()) == 1, done.output
    return done.output


def expected(before: np.ndarray, after: np.ndarray, triangle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """OpenCV's affine map of one triangle, and the pixels well within it (signs of areas, no barycentrics)."""
    A = cv2.getAffineTransform(before[triangle].astype(np.float32), after[triangle].astype(np.float32))
    x, y = np.meshgrid(np.arange(80), np.arange(60))
    pixels = np.stack([x, y], axis=-1).astype(np.float64)
    result = pixels @ A[:, :2].T + A[:, 2] - pixels
    sides = []
    for i in range(3):
        p, q = before[triangle[i]], before[triangle[(i + 1) % 3]]
        cross = (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0])
        sides.append(cross / np.hypot(*(q - p)))
    inside = np.all([side > 1e-6 for side in sides], axis=0) | np.all([side < -1e-6 for side in sides], axis=0)
    return result, inside


def test_each_triangle_moves_affinely() -> None:
    """Off-centre, both axes, each triangle by a map of its own."""
    rng = np.random.default_rng(4)
    before = rng.uniform([8, 20], [60, 58], (14, 2))
    after = before + np.array([3.7, -5.2]) + rng.uniform(-1.0, 1.0, before.shape)
    found, valid = triangle_flow(before, after, (80, 60))
    pixels = 0
    for triangle in Delaunay(before).simplices:
        true, inside = expected(before, after, triangle)
        corners = [points[triangle] for points in (before, after)]
        if np.sign(np.linalg.det(np.diff(corners[0], axis=0))) != np.sign(np.linalg.det(np.diff(corners[1], axis=0))):
            assert not valid[inside].any()
            continue
        if inside.any():
            assert valid[inside].all()
            assert np.abs(found - true)[inside].max() < 1e-4
            pixels += int(inside.sum())
    assert pixels > 700 and valid.sum() >= pixels
    assert np.abs(found[valid]).min(axis=0).tolist() > [1, 1]
    np.testing.assert_array_equal(valid, known(found))
    hull = cv2.convexHull(before.astype(np.float32))
    for y, x in np.argwhere(valid):
        assert cv2.pointPolygonTest(hull, (float(x), float(y)), True) > -1e-3


def test_one_map_for_all_is_that_map() -> None:
    before = landmarks(5)
    found, valid = triangle_flow(before, moved(before, 5), (WIDTH, HEIGHT))
    assert valid.sum() > 3000
    assert np.abs(found - flow(5))[valid].max() < 1e-4


def test_triangles_that_turn_over_or_have_no_area_are_invalid() -> None:
    """A square with a point in it: four triangles, of which one turns over or collapses."""
    before = np.array([[10.0, 10], [50, 10], [50, 50], [10, 50], [30, 30]])
    after = before + np.array([1.0, 2.0])
    for place, lost in ((np.array([31.0, 8]), True), (np.array([31.0, 12.005]), True), (np.array([31.0, 13]), False)):
        after[4] = place
        _, valid = triangle_flow(before, after, (64, 64))
        assert valid[15, 30] == (not lost)  # within the upper triangle
        assert valid[45, 30] and valid[30, 15] and valid[30, 45]
    assert not valid[:9].any() and not valid[:, :9].any() and not valid[52:].any()
    # Frame 1 may hold the sliver, too: what lies in no other triangle stays invalid.
    _, valid = triangle_flow(before[:4] * [1, 1e-4], after[:4], (64, 64))
    assert not valid.any()


def test_landmarks_beyond_the_picture() -> None:
    before = np.array([[-20.0, -10], [100, -30], [40, 140]])
    found, valid = triangle_flow(before, before + np.array([2.5, -1]), (64, 48))
    assert valid.mean() > 0.5
    np.testing.assert_allclose(found[valid], np.broadcast_to([2.5, -1], found[valid].shape), atol=1e-5)
    _, valid = triangle_flow(before + 500, before, (64, 48))
    assert not valid.any()
    for flat in (np.zeros((4, 2)), np.column_stack([np.arange(5.0), 2 * np.arange(5.0)])):
        with pytest.raises(InputFileError, match="span no triangle"):
            triangle_flow(flat, flat, (64, 48))


@pytest.fixture
def footage(tmp_path: Path) -> tuple[Path, Path]:
    """Six frames; frame 3 has no landmarks, so that frames 0 to 2 and 4 to 5 are scenes."""
    frames, marks = tmp_path / "talk", tmp_path / "marks"
    frames.mkdir()
    images = pictures(1)
    for number in range(6):
        Image.fromarray(images[number % 2]).save(frames / f"im{number}.png")
        points = landmarks(1) if number % 2 == 0 else moved(landmarks(1), 1)
        if number != 3:
            write_ck_landmarks(marks / f"im{number}_landmarks.txt", points)
    return frames, marks


def test_a_dataset_that_is_trained_on(footage: tuple[Path, Path], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from ffngen.training.config import SourceConfig
    from ffngen.training.sample import Rows
    from ffngen.training.sources.open import open_source

    frames, marks = footage
    out = tmp_path / "fmead"
    text = run("labels", "triangles", frames, marks, out)
    assert "3 pairs in talk-1, talk-2" in text and "left out: im3: no landmarks" in text
    source = open_source(SourceConfig(kind="sintel", path=str(out)))
    assert len(source) == 3
    sample = source[0].read(Rows(0, HEIGHT))
    np.testing.assert_array_equal(sample.image1[..., 0], pictures(1)[0])
    np.testing.assert_array_equal(sample.image2[..., 1], pictures(1)[1])
    _true, valid = triangle_flow(landmarks(1), moved(landmarks(1), 1), (WIDTH, HEIGHT))
    np.testing.assert_array_equal(sample.valid, valid)
    assert np.abs(sample.facial - flow(1))[valid].max() < 1e-4
    assert (sample.facial[~valid] == 0).all()
    invalid = np.asarray(Image.open(out / "training/invalid/talk-1/frame_0001.png"))
    np.testing.assert_array_equal(invalid == 0, valid)
    np.testing.assert_array_equal(known(read_flow(out / "training/flow/talk-1/frame_0001.flo")), valid)
    # One step of training reads it.
    options = "--steps 1 --batch-size 2 --crop 64x64 --iterations 2 --workers 0 --threads 1 --accelerator cpu"
    run("train", out, "raft-sintel", "--out", tmp_path / "run", *options.split())
    assert (tmp_path / "run" / "last.safetensors").is_file()


def test_what_is_there_is_kept(footage: tuple[Path, Path], tmp_path: Path) -> None:
    frames, marks = footage
    arguments = ("labels", "triangles", frames, marks, tmp_path / "out", "--json")
    first = json.loads(run(*arguments))
    gone = tmp_path / "out/training/flow/talk-1/frame_0002.flo"
    before = gone.read_bytes()
    gone.unlink()
    again = json.loads(run(*arguments))
    assert (first["kept"], again["kept"]) == (0, 2) and gone.read_bytes() == before
    assert again["valid"] == first["valid"] and again["scenes"] == ["talk-1", "talk-2"]
    # Other landmarks are another dataset; under another name it fits beside.
    write_ck_landmarks(marks / "im0_landmarks.txt", landmarks(2))
    assert "give another --name" in run(*arguments[:-1], code=2)
    other = json.loads(run(*arguments, "--name", "second", "--step", "2"))
    assert other["scenes"] == ["second"] and other["pairs"] == 2
    assert len(list((tmp_path / "out/training/flow").glob("*/*.flo"))) == 5
    says = "training/clean/talk-1: is a scene of another video"
    assert says in run(*arguments[:-1], "--name", "talk-1", "--step", "2", code=2)


def test_landmarks_of_a_video(tmp_path: Path) -> None:
    """Files in the order of their numbers, or an array; NaN is a frame without a face."""
    folder = tmp_path / "marks"
    for number in (10, 9, 1):
        write_ck_landmarks(folder / f"f{number}.txt", landmarks(number))
    found = read_frame_landmarks(folder, ["a", "b", "c"], by_name=False, origin=1.0)
    for points, number in zip(found, (1, 9, 10), strict=True):
        np.testing.assert_allclose(points, landmarks(number) - 1, atol=1e-4)
    array = np.stack([landmarks(1), np.full((68, 2), np.nan), landmarks(2)])
    np.save(tmp_path / "all.npy", array)
    found = read_frame_landmarks(tmp_path / "all.npy", ["a", "b", "c"], by_name=True)
    assert found[1] is None and found[2] is not None
    for names, path, says in (
        (["a"], folder, "holds 3 files, and the video has 1 frames"),
        (["a"], tmp_path / "all.npy", "holds landmarks of 3 frames, and there are 1"),
        (["a"], tmp_path / "none", "holds no landmarks of a video"),
    ):
        with pytest.raises(InputFileError, match=says):
            read_frame_landmarks(path, names, by_name=False)


def test_a_video(footage: tuple[Path, Path], tmp_path: Path) -> None:
    from ffngen.prediction.video import VideoWriter

    path = tmp_path / "clip.mp4"
    with VideoWriter(path, 25.0) as write:
        for number in range(4):
            write(np.repeat(pictures(1)[number % 2][..., None], 3, axis=2))
    np.save(
        tmp_path / "marks.npy", np.stack([landmarks(1) if i % 2 == 0 else moved(landmarks(1), 1) for i in range(4)])
    )
    assert "3 pairs in clip;" in run("labels", "triangles", path, tmp_path / "marks.npy", tmp_path / "out")


def test_faults(footage: tuple[Path, Path], tmp_path: Path) -> None:
    frames, marks = footage
    out = tmp_path / "out"
    assert "no such file" in run("labels", "triangles", tmp_path / "no", marks, out, code=2)
    (tmp_path / "empty").mkdir()
    assert "holds no file of landmarks" in run("labels", "triangles", frames, tmp_path / "empty", out, code=2)
    write_ck_landmarks(tmp_path / "others" / "x1.txt", landmarks(1))
    says = "none of its 1 files is named after a frame, such as im0.txt"
    assert says in run("labels", "triangles", frames, tmp_path / "others", out, code=2)
    assert "cannot be a scene's name" in run("labels", "triangles", frames, marks, out, "--name", "../x", code=2)
    write_ck_landmarks(marks / "im1_landmarks.txt", landmarks(1)[:60])
    says = "im1_landmarks.txt: holds 60 landmarks, not 68"
    assert says in run("labels", "triangles", frames, marks, out, code=2)
    assert not out.exists()
    write_ck_landmarks(marks / "im1_landmarks.txt", landmarks(1))
    write_ck_landmarks(marks / "im0_landmarks.txt", np.column_stack([np.arange(68), np.arange(68)]))
    assert "im0: landmarks that span no triangle" in run("labels", "triangles", frames, marks, out, code=2)


def test_both_commands_name_each_other() -> None:
    assert "ffngen labels" in run("label", "--help")
    assert "ffngen label DATASET" in run("labels", "--help") and "ffngen label" in run("labels", "triangles", "--help")
