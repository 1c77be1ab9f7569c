"""Small files that would become large, and folders that hold two things."""

from __future__ import annotations

import json
import pickle
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from ffngen.errors import FfngenError, InputFileError
from ffngen.params.arkit import ARKIT_ACTIONS
from ffngen.params.gaussian_avatars import read_gaussian_avatars
from ffngen.params.read import read_parameter_sets


@contextmanager
def little(mebibytes: float = 150, seconds: float = 20) -> Iterator[None]:
    """Neither much memory nor much time."""
    tracemalloc.start()
    start = time.monotonic()
    yield
    assert tracemalloc.get_traced_memory()[1] < mebibytes * 2**20
    tracemalloc.stop()
    assert time.monotonic() - start < seconds


def read(path: Path, name: str | None = None) -> str:
    with pytest.raises(FfngenError) as caught:
        read_parameter_sets(path, name)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_dicts_that_share_dicts(tmp_path: Path) -> None:
    level: dict[str, object] = {"x": torch.zeros(1)}
    for _ in range(4):
        level = {str(i): level for i in range(300)}
    torch.save(level, tmp_path / "codes.pt")
    with little():
        read(tmp_path / "codes.pt")


def test_what_a_file_says_once_for_all_frames(tmp_path: Path) -> None:
    content = {f"k{i}": 1 for i in range(3000)} | {"frames": [{}] * 100_000}
    (tmp_path / "transforms.json").write_text(json.dumps(content))
    with little():
        read(tmp_path, "insta")


def test_an_item_of_many_values(tmp_path: Path) -> None:
    text = '[{"faceBlendshapes":[{"categories":[{"categoryName":[' + "[]," * 10_000_000 + "[]]}]}]}]"
    (tmp_path / "take.json").write_text(text)
    with little():
        read(tmp_path / "take.json", "mediapipe")


def test_numbers_beyond_floats(tmp_path: Path) -> None:
    codes = {name: np.zeros(size) for name, size in (("shape", 100), ("exp", 50), ("pose", 6))}
    (tmp_path / "codes.pkl").write_bytes(pickle.dumps({**codes, "cam": [10**400, 0, 0]}))
    assert "cam" in read(tmp_path / "codes.pkl")


def take(path: Path) -> None:
    names = [name[0].upper() + name[1:] for name in ARKIT_ACTIONS]
    path.write_text(f"Timecode,BlendshapeCount,{','.join(names)}\n00:00:00:01.000,61{',0.1' * 52}\n")


def test_two_formats_in_one_folder(tmp_path: Path) -> None:
    for i in range(2):
        folder = tmp_path / "clip" / f"{i:06d}_000"
        folder.mkdir(parents=True)
        for name, size in (("shape", 100), ("exp", 50), ("pose", 6)):
            np.save(folder / f"{name}.npy", np.zeros(size, np.float32))
    assert len(read_parameter_sets(tmp_path)) == 2
    take(tmp_path / "take.csv")
    assert "two formats, emoca and livelink; name one with --params-format" in read(tmp_path)
    assert len(read_parameter_sets(tmp_path, "emoca")) == 2
    assert len(read_parameter_sets(tmp_path, "livelink")) == 1


def vhap(root: Path, seen: list[list[int]]) -> None:
    """Timesteps, each seen by some cameras that look from different sides."""
    (root / "flame_param").mkdir(parents=True)
    frames = []
    for t, cameras in enumerate(seen):
        arrays = {"translation": 3, "rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6, "expr": 100}
        values = {name: np.zeros((1, size), np.float32) for name, size in arrays.items()}
        np.savez(root / "flame_param" / f"{t:05d}.npz", shape=np.zeros(300, np.float32), **values)
        for camera in cameras:
            matrix = np.eye(4)
            matrix[:3, 3] = [0.5 * camera, 0, 1]
            frames.append(
                {
                    "timestep_index": t, "camera_index": camera, "flame_param_path": f"flame_param/{t:05d}.npz",
                    "transform_matrix": matrix.tolist(), "fl_x": 500, "fl_y": 500, "cx": 50, "cy": 50,
                    "w": 100, "h": 100,
                }
            )  # fmt: skip
    (root / "transforms.json").write_text(json.dumps({"frames": frames}))


def test_a_sequence_has_one_camera(tmp_path: Path) -> None:
    vhap(tmp_path / "a", [[0, 1, 2], [1, 2], [2, 1]])
    sets = read_gaussian_avatars(tmp_path / "a")
    assert [s.camera.position[0] for s in sets] == [0.5] * 3
    vhap(tmp_path / "b", [[0], [1]])
    assert [s.camera for s in read_gaussian_avatars(tmp_path / "b")] == [None, None]


def test_cameras_of_either_kind_must_be_named(tmp_path: Path) -> None:
    vhap(tmp_path, [[0]])
    with pytest.raises(InputFileError, match="--params-format"):
        read_parameter_sets(tmp_path)
